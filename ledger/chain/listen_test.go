package chain

import (
	"strings"
	"testing"
)

// A validator that takes any free port tells which, so that others can be pointed at it.
func TestAnyFreePortIsOneThatOthersReach(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 2})
	first := n.config(0)
	first.Listen, first.Peers = "127.0.0.1:0", nil
	a := launch(t, first)
	if at := a.PeerAddress(); !strings.HasPrefix(at, n.id(0)+"@127.0.0.1:") || strings.HasSuffix(at, ":0") {
		t.Fatalf("it is reached at %q", at)
	}
	second := n.config(1)
	second.Peers = []string{a.PeerAddress()}
	awaitHeight(t, launch(t, second), 2)
}
