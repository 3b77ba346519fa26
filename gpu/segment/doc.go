// Package segment is the core of the work proof: what a container commits to for
// each second of a session of a deterministic app, and how anybody finds out
// whether that was true (docs/spec/segment.md).
//
// A [Recorder] watches a running app and gives, for each second, the [Roots] of its
// state, inputs, pictures and sound. A [Keeper] holds what an audit will ask for. A
// [Window] is that: a state to start from and the inputs since. [Auditor.Audit] replays a
// window and says which second does not follow from the one before; [VerifySecond]
// does so for one second, offline, as a proof that stands alone.
//
// The package signs nothing and talks to nobody. It never starts a goroutine and
// never reads the time; only a Keeper touches the disk.
package segment

import "errors"

// Errors of this package. None of them is a verdict: bytes that are malformed, or
// that the commitments do not vouch for, prove nothing about anybody.
var (
	// ErrMalformed: bytes that are no second, state, window or proof.
	ErrMalformed = errors.New("segment: malformed")
	// ErrUnbound: the state or the inputs of a window are not the ones that the
	// commitments speak of, so replaying them would prove nothing.
	ErrUnbound = errors.New("segment: the commitments do not vouch for this window")
	// ErrForeign: the window's state is one of another module than the window says. What is
	// ErrForeign is ErrUnbound as well.
	ErrForeign = errors.New("segment: the state belongs to another module")
	// ErrModule: the module at hand is another one than the window's.
	ErrModule = errors.New("segment: another module")
	// ErrArch: the module computes with floats and was run on another architecture.
	ErrArch = errors.New("segment: needs a machine of the same architecture")
	// ErrRuntime: the app cannot show its state.
	ErrRuntime = errors.New("segment: this app cannot be recorded")
	// ErrGone: the Keeper no longer has, or never had, what a window needs.
	ErrGone = errors.New("segment: not kept")
	// ErrReplay: the replay failed for a reason that says nothing about the app.
	ErrReplay = errors.New("segment: cannot replay")
)
