// Package prove is a container's side of a capacity round: when to render, at which frame
// size, what to sign and whom to send it, whose questions to answer. It renders nothing
// and knows no clock and no network: times come in as unix milliseconds, what is to be
// done goes out as actions, and whoever holds a Prover carries them out. A Prover is used
// by one goroutine at a time; only an Answer may run elsewhere.
//
// A container signs one commitment for an epoch and never another: two are a fraud that
// costs its stake. So what Save returns must be on the disk before a Send of the same
// call goes out, and Restore goes on from there.
package prove
