package prover

import (
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// A checker is told why it gets no answer; what is nobody's fault is no internal error.
func TestRefusalsSayWhy(t *testing.T) {
	for err, want := range map[error]wire.Code{
		prove.ErrAsker: wire.Code_UNAUTHORISED, prove.ErrNoCommit: wire.Code_EXPIRED, errEpoch: wire.Code_EXPIRED,
		prove.ErrQuestion: wire.Code_INVALID, prove.ErrAsked: wire.Code_INVALID,
		supervise.ErrBusy: wire.Code_BUSY, supervise.ErrStopped: wire.Code_BUSY,
		errors.New("a disk is full"): wire.Code_INTERNAL,
	} {
		if got := rpc.CodeOf(refusal(fmt.Errorf("ask: %w", err))); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
