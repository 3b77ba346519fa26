// Package probe is a checker that plays: now and then it takes a session as any customer
// does, pays for it from accounts that nothing but money ties to the checker, and keeps what
// it saw for its vote on the container. A container cannot tell such a session from another
// one while it runs, so that it has to serve all of them well. What could still give it away
// is listed in docs/spec/quality.md.
//
// It judges nothing: a sample is a measurement, whose quality the committee's votes settle.
package probe

import "errors"

// Errors of a prober.
var (
	ErrOptions = errors.New("probe: options")
	// ErrMoney is a purse with too little in it to play.
	ErrMoney = errors.New("probe: the purse is empty; send money to it")
	// ErrNothing is a mesh in which there is nothing to play.
	ErrNothing = errors.New("probe: the gateway offers no game")
)
