package worker

import (
	"errors"
	"strings"
	"testing"
)

func TestReasonPutsTheSurestFirst(t *testing.T) {
	end := &ending{Code: "app", Text: "trapped at tick 7: unreachable"}
	for _, c := range []struct {
		name string
		why  error
		end  *ending
		x    exit
		said string
		is   error
		text string
	}{
		{"the parent's", ErrLooped, end, exit{signo: 9}, "", ErrLooped, "worker: looped"},
		{"the child's", nil, end, exit{}, "", ErrApp, "worker: the app failed: trapped at tick 7: unreachable"},
		{"an unknown code", nil, &ending{Code: "?", Text: "huh"}, exit{}, "", ErrCrashed, "worker: crashed: huh"},
		{"memory of the process", nil, nil, exit{code: 2}, "fatal error: runtime: out of memory\ngoroutine 1", ErrMemory, "worker: out of memory: fatal error: runtime: out of memory"},
		{"kill -9", nil, nil, exit{code: -1, signo: 9, signal: "killed"}, "", ErrKilled, "signal 9"},
		{"another signal", nil, nil, exit{code: -1, signo: 6, signal: "aborted"}, "", ErrCrashed, "signal 6 (aborted)"},
		{"C", nil, nil, exit{code: 2}, "SIGSEGV: segmentation violation\nPC=0x1", ErrCrashed, "signal 11"},
		{"panic", nil, nil, exit{code: 2}, "panic: oh\n\ngoroutine 1 [running]:", ErrCrashed, "exited with code 2: panic: oh"},
		{"silence", nil, nil, exit{}, "", ErrCrashed, "exited with code 0 and without a word"},
	} {
		err := reason(c.why, c.end, c.x, c.said)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestEndingThereAndBack(t *testing.T) {
	for _, is := range endings {
		err := errors.Join(is) // any error that wraps it
		e := endingOf(err)
		if got := reason(nil, &e, exit{}, ""); !errors.Is(got, is) {
			t.Errorf("%v became %v", is, got)
		}
	}
	long := endingOf(errors.New(strings.Repeat("x", 1<<20)))
	if len(long.Text) > 2000 {
		t.Errorf("a text of %d bytes", len(long.Text))
	}
}

func TestLastWordsSurviveChatter(t *testing.T) {
	var w words
	for range 10_000 {
		w.add("time=now level=INFO msg=\"I am a talkative game\"")
		if w.add("[OpenH264] this = 0x1, Warning: anything") {
			t.Fatal("the encoder's chatter is logged")
		}
	}
	w.add("panic: the real reason")
	for range 10_000 {
		w.add("goroutine 9 [running]:")
	}
	if said := w.b.String(); !strings.HasPrefix(said, "panic: the real reason\n") || len(said) > maxWords {
		t.Errorf("%d bytes, beginning %q", len(said), said[:min(40, len(said))])
	}
}
