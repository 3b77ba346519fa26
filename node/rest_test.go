package node

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/chain/resttest"
)

// A node that has stopped leaves no goroutine behind, in whatever roles.
func TestAStoppedNodeLeavesNothingRunning(t *testing.T) {
	cache := t.TempDir()
	resttest.Leaves(t, 0, func() {
		t.Helper()
		c := DefaultConfig()
		c.Roles, c.DataDir, c.P2P = []Role{RoleContainer, RoleIndexer, RoleChecker, RoleGateway}, t.TempDir(), P2PConfig{Profile: "loopback"}
		c.Gateway.Listen, c.Container.Slots = "127.0.0.1:0", 1
		n, err := New(c, Options{CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL()+"api/node", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if err := n.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
}
