package testnet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/checker/replay"
	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/kernel/apart"
	"github.com/framemesh/framemesh/gpu/worker"
)

// TestMain lets the test binary be its own worker, as the real binary is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(work(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// work is the life of such a process.
func work(args []string) int {
	var err error
	switch {
	case len(args) == 0:
		return worker.Main()
	case args[0] == "bench":
		err = device.Serve(os.Stdout)
	case args[0] == "audit":
		err = replay.Main(os.Stdin, os.Stdout)
	case args[0] == "watch":
		err = worker.ServeWatch(os.Stdin, os.Stdout)
	case args[0] == "prove":
		err = apart.Main(args[1:], os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// start is a network of one gateway, one indexer and some containers that ends with
// the test.
func start(t *testing.T, o Options) *Net {
	t.Helper()
	o.Dir = t.TempDir()
	// compiled apps are shared between runs, as on a machine that has played before
	o.CacheDir = filepath.Join(os.TempDir(), "framemesh-test-cache")
	o.Gateways, o.Indexers = max(o.Gateways, 1), max(o.Indexers, 1)
	if o.Log == nil {
		var w io.Writer = io.Discard
		if testing.Verbose() {
			w = os.Stderr
		}
		o.Log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	n, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Errorf("stopping the network: %v", err)
		}
	})
	return n
}

// until polls what only shows from outside: processes, other peers' tables.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("after %v still not: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}
