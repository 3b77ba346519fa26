package testnet

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/node"
)

// logbook keeps what a node says.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// withClock makes a node of the network whose clock is off by some time.
func withClock(t *testing.T, n *Net, name, mode string, off time.Duration) (*node.Node, *logbook) {
	t.Helper()
	c := node.DefaultConfig()
	c.Network, c.Region, c.Roles = n.o.Network, "local", []node.Role{node.RoleChecker}
	c.DataDir = filepath.Join(n.o.Dir, name)
	c.P2P = node.P2PConfig{Profile: "loopback", Bootstrap: n.Find("indexer-1").Addrs()}
	n.treasury.edit(name, &c)
	c.Ledger.Mode, c.Ledger.OracleFile = mode, ""
	said := new(logbook)
	nd, err := node.New(c, node.Options{Log: slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Now: func() time.Time { return time.Now().Add(off) }})
	if err != nil {
		t.Fatal(err)
	}
	return nd, said
}

// A machine whose clock is ten minutes off is told so, whichever part it has in the ledger,
// proves nothing by headers that it cannot date, and loses nothing.
func TestAClockThatIsTenMinutesOff(t *testing.T) {
	n := start(t, Options{Checkers: 1, Money: &Money{EpochSeconds: 5, BlockMS: 150, Params: func(p *economics.Params) {}}})
	until(t, "a few blocks", patience, func() bool { return n.Chain().Head().Height > 3 })
	for _, c := range []struct {
		name string
		off  time.Duration
		want string
	}{{"slow", -10 * time.Minute, "future"}, {"fast", 10 * time.Minute, "old"}} {
		nd, said := withClock(t, n, c.name, node.LedgerLight, c.off)
		if err := nd.Start(t.Context()); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var err error
		until(t, c.name+": the reason is said", patience, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err = nd.Ledger().Account(ctx, addressOf(n.Account("faucet")))
			return err != nil && strings.Contains(err.Error(), c.want) && strings.Contains(err.Error(), "clock")
		})
		t.Logf("%s, asked for an account: %v", c.name, err)
		until(t, c.name+": it is logged", patience, func() bool { return strings.Contains(said.String(), "clock") })
		t.Logf("%s, logged: %.400s", c.name, said)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := nd.Stop(ctx); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		cancel()
	}

	// The validator itself, started again with a clock that its own last block contradicts.
	v := n.Find("checker-1")
	stop, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := v.Node.Stop(stop); err != nil {
		t.Fatal(err)
	}
	height := v.Chain().Head().Height
	late, _ := withClock(t, n, "checker-1", node.LedgerValidator, -10*time.Minute)
	err := late.Start(t.Context())
	if !errors.Is(err, chain.ErrClock) || !strings.Contains(err.Error(), "set the clock") {
		t.Fatalf("a validator whose clock is slow: %v", err)
	}
	t.Log(err)
	right, _ := withClock(t, n, "checker-1", node.LedgerValidator, 0)
	if err := right.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := right.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	until(t, "it goes on from where it was", patience, func() bool { return right.Chain().Head().Height > height })
}
