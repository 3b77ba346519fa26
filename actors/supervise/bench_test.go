package supervise

import (
	"context"
	"errors"
	"runtime"
	"testing"
)

func benchSystem(b *testing.B, f func(*Ctx, any)) Ref {
	b.Helper()
	s, err := NewSystem(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(context.Background()) })
	ref, err := s.Spawn("bench", func() Behavior { return BehaviorFunc(f) }, Mailbox(1024))
	if err != nil {
		b.Fatal(err)
	}
	return ref
}

// BenchmarkAsk is the round trip of one question with nobody else asking.
func BenchmarkAsk(b *testing.B) {
	ref := benchSystem(b, func(c *Ctx, msg any) { c.Reply(msg) })
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Ask[int](ctx, ref, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTell is the cost of a message from sending to the end of its handling,
// the sender yielding when the mailbox is full.
func BenchmarkTell(b *testing.B) {
	ref := benchSystem(b, func(c *Ctx, msg any) {
		if msg == 2 {
			c.Reply(msg)
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		for errors.Is(ref.Tell(1), ErrBusy) {
			runtime.Gosched()
		}
	}
}

func BenchmarkSpawnStop(b *testing.B) {
	s, err := NewSystem(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(context.Background()) })
	b.ReportAllocs()
	for b.Loop() {
		ref, err := s.Spawn("one", func() Behavior { return BehaviorFunc(func(*Ctx, any) {}) })
		if err != nil {
			b.Fatal(err)
		}
		ref.Stop()
		<-ref.Done()
	}
}
