// Package round is a checker's side of one epoch of Proof of Render: it binds itself to a
// nonce, stamps what containers commit, asks for tiles and has them recomputed, votes by
// commit and reveal, judges the votes it has, and gathers a certificate.
//
// A Round is a pure state machine. It knows no clock, no goroutine and no network: times
// come in as unix milliseconds of this checker's clock, what is to be done goes out as
// actions, and whoever holds a Round carries them out and brings the answers. It is used
// by one goroutine at a time; only a Job may run elsewhere.
//
// What others say is hostile until it fits. A statement that does not is refused with an
// error that says why; a refusal is never a verdict on anybody. Only what a container
// signed, or did not send in time, is.
//
// A checker that votes twice loses its stake. So what Save returns must be on the disk
// before the actions of the same call go out, and Restore goes on from there.
package round
