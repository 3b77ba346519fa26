// Package worker runs one session in a process of its own: the app, the encoder
// and the clock of its ticks.
//
// The parent side is [Start] and [Process]: it re-executes this binary as
// `framemesh worker`, hands it a module to run and gets coded pictures and sound
// back through a [Sink]. The child side is [Main], which cmd/framemesh calls when
// its first argument is "worker".
//
// A process per session because a game is a stranger's code and an encoder is C:
// a crash, an endless loop or a memory leak then ends one session, with a reason
// in words, and its neighbours do not drop a frame. The child has no environment,
// no files but the ones it needs to load the game, no network, and dies with its
// parent.
//
// Between draw and send nothing is queued: one goroutine waits for the tick, reads
// the newest inputs, runs the app, converts, codes and writes the access unit to
// the pipe. If the pipe still holds the last picture, the next one is not coded at
// all, because dropping a coded picture would break the prediction of those after
// it.
//
// After a picture has left, the loop does its part of the proof of what is played
// (package segment): each second's roots go to the parent about a quarter of a second
// after it ended, and a worker that takes another's place goes on where a second
// ended.
package worker
