// Package player is a WHEP player without a screen: it does all that the page in a
// browser does with a session, and counts instead of showing. The demo plays with it
// when nobody watches, and tests drive sessions with it.
//
// It posts its offer as soon as it has one, takes pictures and sound apart into frames,
// presses keys, tells the container how its (simulated) display ticks, and reports what
// arrived and how long each stage of the launch took. It decodes nothing.
package player
