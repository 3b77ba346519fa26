package chain

import (
	"errors"
	"strings"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
)

func TestClockIsComparedWithTheOthers(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	addr := func(b byte) cmttypes.Address { return append(make([]byte, 19), b) }
	sig := func(b byte, at time.Duration) cmttypes.CommitSig {
		return cmttypes.CommitSig{BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: addr(b), Timestamp: now.Add(at)}
	}
	for _, c := range []struct {
		name   string
		sigs   []cmttypes.CommitSig
		want   time.Duration
		ok     bool
		advice string
	}{
		{"alone", []cmttypes.CommitSig{sig(1, 0)}, 0, false, ""},
		{"agree", []cmttypes.CommitSig{sig(1, 0), sig(2, -time.Second), sig(3, -time.Second), sig(4, -2*time.Second)}, time.Second, true, ""},
		{"one of them is wrong", []cmttypes.CommitSig{sig(2, -time.Second), sig(3, -time.Second), sig(4, time.Hour)}, time.Second, true, ""},
		{"ten minutes ahead", []cmttypes.CommitSig{sig(2, -10*time.Minute), sig(3, -10*time.Minute)}, 10 * time.Minute, true, "ahead"},
		{"ten minutes behind", []cmttypes.CommitSig{sig(2, 10*time.Minute), sig(3, 10*time.Minute), sig(4, 10*time.Minute)}, -10 * time.Minute, true, "behind"},
		{"absent votes say nothing", []cmttypes.CommitSig{sig(1, 0), cmttypes.NewCommitSigAbsent()}, 0, false, ""},
	} {
		got, ok := clockOffset(&cmttypes.Commit{Signatures: c.sigs}, addr(1), now)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: %s, %v", c.name, got, ok)
		}
		if advice := clockAdvice(got); (advice == "") != (c.advice == "") || !strings.Contains(advice, c.advice) {
			t.Errorf("%s: %q", c.name, advice)
		}
	}
}

// A node that has just caught up sees one old block, and says nothing of the clock.
func TestOneLateBlockSaysNothingOfTheClock(t *testing.T) {
	var d clockDoubt
	for i, c := range []struct{ advice, want string }{{"late", ""}, {"", ""}, {"late", ""}, {"later", "later"}, {"later", "later"}, {"", ""}, {"late", ""}} {
		if got := d.confirmed(c.advice); got != c.want {
			t.Errorf("block %d: %q, want %q", i, got, c.want)
		}
	}
}

func TestClockThatTheChainContradicts(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		mode Mode
		last time.Duration
		ok   bool
	}{
		{Validator, -time.Hour, true}, {Validator, 30 * time.Second, true}, {Validator, 10 * time.Minute, false},
		{Full, 10 * time.Minute, true}, {Full, 48 * time.Hour, false},
	} {
		err := checkClock(c.mode, now.Add(c.last), now)
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrClock)) {
			t.Errorf("%s, last block at %s: %v", c.mode, c.last, err)
		}
	}
}
