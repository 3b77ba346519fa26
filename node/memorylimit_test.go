package node

import (
	"bytes"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// Only those who keep the chain are held to a limit, and what the operator says counts more.
func TestWhoIsHeldToAMemoryLimit(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	own := func(value string) func(string) (string, bool) {
		return func(name string) (string, bool) { return value, name == "GOMEMLIMIT" }
	}
	for name, tc := range map[string]struct {
		l    LedgerConfig
		env  func(string) (string, bool)
		want int64
	}{
		"no ledger":            {LedgerConfig{Mode: LedgerValidator}, none, 0},
		"light":                {LedgerConfig{Genesis: "g", Mode: LedgerLight, MemoryMiB: 200}, none, 0},
		"validator":            {LedgerConfig{Genesis: "g", Mode: LedgerValidator}, none, 110 << 20},
		"full":                 {LedgerConfig{Genesis: "g", Mode: LedgerFull}, none, 110 << 20},
		"another one":          {LedgerConfig{Genesis: "g", Mode: LedgerFull, MemoryMiB: 300}, none, 300 << 20},
		"the operator's own":   {LedgerConfig{Genesis: "g", Mode: LedgerFull, MemoryMiB: 300}, own("1GiB"), 0},
		"the operator's none":  {LedgerConfig{Genesis: "g", Mode: LedgerValidator}, own("off"), 0},
		"an empty environment": {LedgerConfig{Genesis: "g", Mode: LedgerValidator}, own(""), 110 << 20},
	} {
		if got := (&Config{Ledger: tc.l}).memoryLimit(tc.env); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// The limit leaves room for two fifths of what is in use, and never less than was aimed for.
func TestTheLimitLeavesRoom(t *testing.T) {
	const mib = 1 << 20
	for used, want := range map[int64]int64{0: 110, 40 * mib: 110, 67 * mib: 110, 68 * mib: 112, 100 * mib: 160, 300 * mib: 440} {
		if got := limitFor(110*mib, used); got != want*mib {
			t.Errorf("%d MiB in use: %d MiB, want %d", used/mib, got/mib, want)
		}
	}
	for used := int64(0); used < 1000*mib; used += mib / 3 {
		if got := limitFor(110*mib, used); got < used/5*7 || got < 110*mib {
			t.Fatalf("%d in use: %d", used, got)
		}
	}
}

// It is raised when more is in use, lowered again when less is, and said once.
func TestTheLimitFollowsWhatIsInUse(t *testing.T) {
	var log bytes.Buffer
	var set []int64
	used := make(chan int64)
	g := governor{aim: 110 << 20, limit: 110 << 20, inUse: func() int64 { return <-used }, set: func(n int64) { set = append(set, n>>20) }, log: slog.New(slog.NewTextHandler(&log, nil))}
	look, done := make(chan time.Time), make(chan struct{})
	ended := make(chan struct{})
	go func() { g.run(look, done); close(ended) }()
	for _, mib := range []int64{30, 100, 100, 99, 30, 200, 200} {
		look <- time.Time{}
		used <- mib << 20
	}
	close(done)
	<-ended
	if want := []int64{160, 110, 296}; len(set) != 3 || set[0] != want[0] || set[1] != want[1] || set[2] != want[2] {
		t.Errorf("set to %v MiB, want %v", set, want)
	}
	if n := strings.Count(log.String(), "ledger.cache_mib"); n != 1 {
		t.Errorf("said %d times: %s", n, &log)
	}
}

// The limit is the process's own again afterwards.
func TestLimitMemoryEnds(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetMemoryLimit(-1)
	end := LimitMemory(Config{Ledger: LedgerConfig{Genesis: "g", Mode: LedgerValidator, MemoryMiB: 3000}}, slog.New(slog.DiscardHandler))
	if got := debug.SetMemoryLimit(-1); got != 3000<<20 {
		t.Errorf("%d", got)
	}
	end()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("%d afterwards, %d before", got, before)
	}
	LimitMemory(Config{}, nil)()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("a light node is held to %d", got)
	}
}
