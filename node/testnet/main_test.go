package testnet

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/node"
)

// TestMain lets the test binary be its own worker, as the real binary is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(node.Worker(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// realEpochs is for tests that wait minutes for the rounds of real epochs: they run in CI, and
// elsewhere when FRAMEMESH_ROUNDS is set.
func realEpochs(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" && os.Getenv("FRAMEMESH_ROUNDS") == "" {
		t.Skip("takes minutes of real epochs; set FRAMEMESH_ROUNDS=1")
	}
}

// start is a network of one gateway, one indexer and some containers that ends with
// the test.
func start(t *testing.T, o Options) *Net {
	t.Helper()
	o.Dir = t.TempDir()
	// compiled apps are shared between runs, as on a machine that has played before
	o.CacheDir = filepath.Join(os.TempDir(), "framemesh-test-cache")
	o.Gateways, o.Indexers, o.Patience = max(o.Gateways, 1), max(o.Indexers, 1), 2*patience
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(warnings(t), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	n, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Errorf("stopping the network: %v", err)
		}
	})
	return n
}

// warnings is where the nodes of a test log: it is said when the test fails, the end of it if
// that is long.
func warnings(t *testing.T) io.Writer {
	if testing.Verbose() {
		return os.Stderr
	}
	const most = 16 << 10
	var mu sync.Mutex
	var said []byte
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if t.Failed() {
			t.Logf("the nodes' last warnings:\n%s", said)
		}
	})
	return writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if said = append(said, b...); len(said) > 2*most {
			said = append(said[:0], said[len(said)-most:]...)
		}
		return len(b), nil
	})
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// patience is the least that is waited for what must come: how soon it does says more of the
// machine that runs the test than of the network, and nothing is waited for once it is there.
const patience = time.Minute

// until polls what only shows from outside: processes, other peers' tables.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began, limit := time.Now(), max(limit, patience)
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("after %v still not: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}
