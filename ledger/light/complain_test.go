package light

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOperatorsAreToldWhatTheyCanAct(t *testing.T) {
	n := newNetwork(t, 1).grow(3, nil)
	head := n.at(3)
	wrapped := fmt.Errorf("light: the first header: %w", clockError(10*time.Minute))
	for _, c := range []struct {
		name     string
		age      time.Duration
		answered int
		err      error
		want     string
	}{
		{"all is well", time.Second, 2, nil, ""},
		{"no peers yet", time.Hour, 0, ErrNoPeers, ""},
		{"nobody answered", time.Hour, 0, nil, ""},
		{"catching up", time.Hour, 2, errors.New("light: slow"), ""},
		{"old", 3 * time.Minute, 2, nil, "clock is ahead, or the network stands still"},
		{"from the future", 0, 2, wrapped, "clock right?"},
		{"forked", 0, 2, fmt.Errorf("%w: two", ErrFork), "two chains"},
		{"too long away", 0, 2, fmt.Errorf("%w: since May", ErrExpired), "since May"},
	} {
		got := complaint(head.Time.Add(c.age), 2*time.Minute, head, c.answered, c.err)
		if (got == nil) != (c.want == "") || (got != nil && !strings.Contains(got.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if complaint(head.Time, time.Minute, nil, 1, nil) != nil {
		t.Error("without a head there is nothing to say")
	}

	var said complaints
	now := time.Unix(1_000_000, 0)
	for i, c := range []struct {
		after time.Duration
		err   error
		want  bool
	}{{0, nil, false}, {0, wrapped, true}, {time.Second, wrapped, false}, {time.Minute, clockError(time.Hour), false},
		{time.Minute, ErrStale, true}, {2 * time.Minute, wrapped, true}, {2*time.Minute + sayAgain, wrapped, true}} {
		if got := said.worth(c.err, now.Add(c.after)); got != c.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}
