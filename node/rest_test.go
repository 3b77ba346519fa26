package node

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// A node that has stopped leaves no goroutine behind, in whatever roles.
func TestAStoppedNodeLeavesNothingRunning(t *testing.T) {
	cache := t.TempDir()
	once := func() {
		t.Helper()
		c := DefaultConfig()
		c.Roles, c.DataDir, c.P2P = []Role{RoleContainer, RoleIndexer, RoleChecker, RoleGateway}, t.TempDir(), P2PConfig{Profile: "loopback"}
		c.Gateway.Listen, c.Container.Slots = "127.0.0.1:0", 1
		n, err := New(c, Options{CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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
	}
	once() // what a process keeps for good has begun
	before := rested()
	const times = 3
	for range times {
		once()
	}
	if after := rested(); after >= before+times {
		var b bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		t.Errorf("%d goroutines before, %d after %d nodes:\n%s", before, after, times, b.String())
	}
}

// rested counts the goroutines once none has ended for half a second.
func rested() (n int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	n = runtime.NumGoroutine()
	for still := 0; still < 50; still++ {
		<-tick.C
		if now := runtime.NumGoroutine(); now != n {
			n, still = now, 0
		}
	}
	return n
}
