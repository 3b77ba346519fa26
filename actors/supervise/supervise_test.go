package supervise

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The tests run in synctest bubbles: time is virtual, and a goroutine that
// outlives its test fails it, so every test is a leak test too.

func system(t *testing.T, opt Options) *System {
	t.Helper()
	s, err := NewSystem(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func spawn(t *testing.T, s *System, name string, f func(c *Ctx, msg any), opts ...Option) Ref {
	t.Helper()
	ref, err := s.Spawn(name, func() Behavior { return BehaviorFunc(f) }, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// value reads one metric of a class of actors.
func value(t *testing.T, reg prometheus.Gatherer, name, class string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == class {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s of %s", name, class)
	return 0
}

var errBoom = errors.New("boom")

func TestAskAndTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		sum := 0
		ref := spawn(t, s, "adder", func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case int:
				sum += m
			case string:
				c.Reply(sum)
			case error:
				c.Reply(m)
			}
		})
		for i := range 10 {
			if err := ref.Tell(i); err != nil {
				t.Fatal(err)
			}
		}
		ctx := context.Background()
		if got, err := Ask[int](ctx, ref, "sum"); got != 45 || err != nil {
			t.Fatalf("sum = %d, %v", got, err)
		}
		if _, err := Ask[string](ctx, ref, "sum"); !errors.Is(err, ErrReply) {
			t.Fatalf("a reply of another type gave %v", err)
		}
		if _, err := Ask[int](ctx, ref, errBoom); !errors.Is(err, errBoom) {
			t.Fatalf("an error reply gave %v", err)
		}
		if v, err := Ask[any](ctx, ref, errBoom); !errors.Is(err, errBoom) {
			t.Fatalf("an error reply to somebody who takes anything gave %v, %v", v, err)
		}
		if _, err := Ask[int](ctx, Ref{}, "sum"); !errors.Is(err, ErrStopped) {
			t.Fatalf("the zero Ref gave %v", err)
		}
	})
}

func TestAskHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		ref := spawn(t, s, "mute", func(*Ctx, any) {})
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := Ask[int](ctx, ref, "anybody?")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Fatalf("ask ended with %v after %v", err, time.Since(start))
		}
	})
}

func TestAskOfStoppedActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		ref := spawn(t, s, "mute", func(*Ctx, any) {})
		time.AfterFunc(time.Second, ref.Stop)
		if _, err := Ask[int](context.Background(), ref, 1); !errors.Is(err, ErrStopped) {
			t.Fatalf("ask of an actor that stops gave %v", err)
		}
		if err := ref.Tell(1); !errors.Is(err, ErrStopped) {
			t.Fatalf("tell after the stop gave %v", err)
		}
		stop(t, s)
		if _, err := s.Spawn("late", nil); !errors.Is(err, ErrStopped) {
			t.Fatalf("spawn after the stop gave %v", err)
		}
	})
}

func TestLaterReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		ref := spawn(t, s, "slow", func(c *Ctx, msg any) {
			if _, ok := msg.(string); ok {
				reply := c.Later()
				c.Go(func(ctx context.Context) any {
					time.Sleep(time.Second)
					reply("done")
					reply("twice is ignored")
					return nil
				})
			}
		})
		if got, err := Ask[string](context.Background(), ref, "go"); got != "done" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	})
}

func TestRestartWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		var starts []time.Time
		var stops []error
		ref := spawn(t, s, "shaky", func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				starts = append(starts, time.Now())
			case Stopping:
				stops = append(stops, m.Err)
			case string:
				panic(errBoom)
			case int:
				c.Reply(len(starts))
			}
		}, Restart(Backoff{Min: time.Second, Max: 4 * time.Second, Window: time.Hour, Limit: 4}))
		for n, want := range []struct{ least, most time.Duration }{
			{500 * time.Millisecond, time.Second}, {time.Second, 2 * time.Second},
			{2 * time.Second, 4 * time.Second}, {2 * time.Second, 4 * time.Second},
		} {
			failed := time.Now()
			if _, err := Ask[int](context.Background(), ref, "fail"); !errors.Is(err, ErrFailed) || !errors.Is(err, errBoom) {
				t.Fatalf("the message that failed the actor was answered with %v", err)
			}
			// What is told meanwhile waits for the next incarnation.
			if got, err := Ask[int](context.Background(), ref, 1); got != n+2 || err != nil {
				t.Fatalf("incarnation %d, %v; want %d", got, err, n+2)
			}
			if d := starts[n+1].Sub(failed); d < want.least || d > want.most {
				t.Errorf("restart %d after %v, want %v to %v", n+1, d, want.least, want.most)
			}
			if len(stops) != n+1 || !errors.Is(stops[n], errBoom) {
				t.Fatalf("the failed incarnation was told %v", stops)
			}
		}
	})
}

func TestMailboxIsBoundedDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		s := system(t, Options{Registerer: reg})
		defer stop(t, s)
		handled := 0
		ref := spawn(t, s, "shaky-1", func(c *Ctx, msg any) {
			switch msg.(type) {
			case string:
				panic("boom")
			case int:
				handled++
			}
		}, Mailbox(16), Restart(Backoff{Min: time.Minute, Max: time.Minute, Window: time.Hour, Limit: 1}))
		if err := ref.Tell("fail"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		busy := 0
		for i := range 100 {
			if err := ref.Tell(i); errors.Is(err, ErrBusy) {
				busy++
			}
		}
		if busy != 84 {
			t.Fatalf("%d of 100 were refused, want 84", busy)
		}
		if n := value(t, reg, "framemesh_actor_rejected_total", "shaky"); n != 84 {
			t.Errorf("rejected counter is %v", n)
		}
		if n := value(t, reg, "framemesh_actor_mailbox_depth", "shaky"); n != 16 {
			t.Errorf("depth is %v", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if handled != 16 {
			t.Fatalf("%d waiting messages were handled after the restart, want 16", handled)
		}
		if n := value(t, reg, "framemesh_actor_restarts_total", "shaky"); n != 1 {
			t.Errorf("restart counter is %v", n)
		}
	})
}

// An actor that tells itself more than fits is refused; it neither blocks nor spins.
func TestTellSelfWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		refused, handled := 0, 0
		ref := spawn(t, s, "self", func(c *Ctx, msg any) {
			switch msg.(type) {
			case string:
				for i := range 20 {
					if errors.Is(c.Self().Tell(i), ErrBusy) {
						refused++
					}
				}
			case int:
				handled++
			}
		}, Mailbox(16))
		_ = ref.Tell("go")
		synctest.Wait()
		if handled != 16 || refused != 4 {
			t.Fatalf("handled %d, refused %d", handled, refused)
		}
	})
}

func TestEscalation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var path string
		var top error
		s := system(t, Options{OnEscalate: func(p string, err error) { path, top = p, err }})
		defer stop(t, s)
		starts := 0
		var seen []string
		ref := spawn(t, s, "parent", func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				_, err := c.Spawn("child", func() Behavior {
					return BehaviorFunc(func(c *Ctx, msg any) {
						if _, ok := msg.(Started); ok {
							starts++
							panic(errBoom)
						}
					})
				}, Restart(Backoff{Min: time.Millisecond, Max: time.Second, Window: time.Minute, Limit: 3}))
				if err != nil {
					t.Error(err)
				}
			case ChildFailed:
				seen = append(seen, "failed "+m.Ref.Path())
				if !errors.Is(m.Err, errBoom) || !errors.Is(m.Err, ErrFailed) {
					t.Errorf("failure without its cause: %v", m.Err)
				}
			case Terminated:
				seen = append(seen, "gone "+m.Ref.Path())
				if !errors.Is(m.Err, errBoom) {
					t.Errorf("end without its cause: %v", m.Err)
				}
				panic(m.Err)
			}
		}, Restart(Backoff{}))
		<-ref.Done()
		synctest.Wait()
		if starts != 4 {
			t.Errorf("the child started %d times, want 4", starts)
		}
		if got := fmt.Sprint(seen); got != "[failed parent/child gone parent/child]" {
			t.Errorf("the parent saw %v", got)
		}
		if path != "parent" || !errors.Is(top, errBoom) {
			t.Errorf("the top heard of %q: %v", path, top)
		}
	})
}

func TestChildrenEndWithFailedParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		var log []string
		ref := spawn(t, s, "parent", func(c *Ctx, msg any) {
			switch msg.(type) {
			case Started:
				// The name is free again: the old child is gone before the new life begins.
				if _, err := c.Spawn("child", func() Behavior {
					return BehaviorFunc(func(c *Ctx, msg any) { log = append(log, fmt.Sprintf("%T", msg)) })
				}); err != nil {
					t.Error(err)
				}
			case string:
				panic("boom")
			}
		})
		synctest.Wait()
		_ = ref.Tell("fail")
		time.Sleep(time.Minute)
		synctest.Wait()
		want := "[supervise.Started supervise.Stopping supervise.Stopped supervise.Started]"
		if got := fmt.Sprint(log); got != want {
			t.Fatalf("children saw %v, want %v", got, want)
		}
	})
}

func TestStopDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		starts := 0
		ref := spawn(t, s, "shaky", func(c *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				starts++
				panic("boom")
			}
		}, Restart(Backoff{Min: time.Hour, Max: time.Hour, Window: time.Hour, Limit: 9}))
		synctest.Wait()
		ref.Stop()
		<-ref.Done()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if starts != 1 {
			t.Fatalf("a stopped actor was restarted: %d starts", starts)
		}
		stop(t, s)
	})
}

func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		type tick int
		var got []tick
		ref := spawn(t, s, "timer", func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				if len(got) > 0 {
					return // the second life
				}
				c.After(2*time.Second, tick(2))
				c.After(time.Second, tick(1))
				c.After(3*time.Second, tick(3))()
				late := c.After(4*time.Second, tick(4))
				c.After(4*time.Second-1, func() { late() })
			case func():
				time.Sleep(time.Second) // tick 4 is in the mailbox by now
				m()
			case tick:
				got = append(got, m)
			case string:
				c.After(time.Second, tick(9)) // dies with this incarnation
				panic("boom")
			}
		}, Restart(Backoff{Limit: 1, Window: time.Hour}))
		time.Sleep(10 * time.Second)
		_ = ref.Tell("fail")
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if fmt.Sprint(got) != "[1 2]" {
			t.Fatalf("timers gave %v", got)
		}
	})
}

func TestOwnedGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		var results []any
		ended := false
		ref := spawn(t, s, "owner", func(c *Ctx, msg any) {
			switch msg.(type) {
			case Started:
				c.Go(func(context.Context) any { return 7 })
				c.Go(func(context.Context) any { return nil })
				c.Go(func(ctx context.Context) any {
					<-ctx.Done()
					time.Sleep(3 * time.Second) // cleaning up
					ended = true
					return 8
				})
			case int:
				results = append(results, msg)
			case Stopped:
				if !ended {
					t.Error("stopped before its goroutine ended")
				}
			}
		})
		time.Sleep(time.Second)
		ref.Stop()
		<-ref.Done()
		if !ended || fmt.Sprint(results) != "[7]" {
			t.Fatalf("ended %v, results %v", ended, results)
		}
		stop(t, s)
	})
}

// handle is a result that must not get lost.
type handle struct{ discarded chan string }

func (h handle) Discard() { h.discarded <- "discarded" }

func TestLateResultsAreDiscarded(t *testing.T) {
	for name, end := range map[string]func(ref Ref){
		"stop":    func(ref Ref) { ref.Stop(); <-ref.Done() },
		"failure": func(Ref) { time.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := system(t, Options{})
				defer stop(t, s)
				out := make(chan string, 10)
				block := make(chan struct{})
				lives := 0
				ref := spawn(t, s, "owner", func(c *Ctx, msg any) {
					switch m := msg.(type) {
					case Started:
						if lives++; lives > 1 {
							return
						}
						c.Go(func(context.Context) any { return handle{out} }) // in time
						c.Go(func(ctx context.Context) any { <-ctx.Done(); return handle{out} })
						c.Go(func(context.Context) any { time.Sleep(time.Second); return handle{out} })
					case handle:
						m.discarded <- "taken"
					case int:
						<-block // while this goes on, a result comes into the mailbox
					case string:
						panic("boom")
					}
				})
				synctest.Wait()
				_ = ref.Tell(1)
				if name == "failure" {
					_ = ref.Tell("fail") // before the result
				}
				time.Sleep(2 * time.Second)
				if name == "stop" {
					ref.Stop()
				}
				close(block)
				end(ref)
				synctest.Wait()
				close(out)
				var got []string
				for v := range out {
					got = append(got, v)
				}
				if fmt.Sprint(got) != "[taken discarded discarded]" {
					t.Errorf("the results were %v", got)
				}
			})
		})
	}
}

func TestGoroutinePanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		var why error
		ref := spawn(t, s, "owner", func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				c.Go(func(context.Context) any { panic("down there") })
			case Stopping:
				why = m.Err
			}
		}, Restart(Backoff{}))
		<-ref.Done()
		if why == nil || !strings.Contains(why.Error(), "down there") {
			t.Fatalf("failed with %v", why)
		}
	})
}

func TestInlet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		var inlets []func(any)
		var got []int
		ref := spawn(t, s, "fed", func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				inlets = append(inlets, c.Inlet())
			case int:
				got = append(got, m)
			case string:
				panic("boom")
			}
		}, Mailbox(1))
		synctest.Wait()
		for i := range 5 {
			inlets[0](i) // more than the mailbox holds
		}
		synctest.Wait()
		_ = ref.Tell("fail")
		time.Sleep(time.Minute)
		synctest.Wait()
		inlets[0](98) // of a life that is over
		inlets[1](5)
		synctest.Wait()
		if fmt.Sprint(got) != "[0 1 2 3 4 5]" {
			t.Fatalf("got %v", got)
		}
	})
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		target := spawn(t, s, "target", func(*Ctx, any) {})
		dead := spawn(t, s, "dead", func(*Ctx, any) {})
		dead.Stop()
		<-dead.Done()
		var gone []string
		spawn(t, s, "watcher", func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				c.Watch(target)
				c.Watch(dead)
			case Terminated:
				gone = append(gone, m.Ref.Name())
			}
		})
		synctest.Wait()
		target.Stop()
		synctest.Wait()
		if fmt.Sprint(gone) != "[dead target]" {
			t.Fatalf("saw the end of %v", gone)
		}
	})
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		defer stop(t, s)
		ref := spawn(t, s, "one", func(*Ctx, any) {})
		if _, err := s.Spawn("one", nil); !errors.Is(err, ErrNameTaken) {
			t.Errorf("a second %q gave %v", "one", err)
		}
		for _, bad := range []string{"", "a/b"} {
			if _, err := s.Spawn(bad, nil); !errors.Is(err, ErrName) {
				t.Errorf("name %q gave %v", bad, err)
			}
		}
		ref.Stop()
		<-ref.Done()
		spawn(t, s, "one", func(*Ctx, any) {})
	})
}

// deep spawns a chain of actors and reports the order in which they end.
func deep(depth int, ended *[]string, last func(c *Ctx, msg any)) func(*Ctx, any) {
	return func(c *Ctx, msg any) {
		switch msg.(type) {
		case Started:
			if depth > 0 {
				_, _ = c.Spawn(fmt.Sprintf("d%d", depth-1), func() Behavior {
					return BehaviorFunc(deep(depth-1, ended, last))
				})
			}
		case Stopped:
			*ended = append(*ended, c.Self().Name())
		}
		if depth == 0 && last != nil {
			last(c, msg)
		}
	}
}

func TestStopOfDeepTreeIsDepthFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		var ended []string
		spawn(t, s, "d5", deep(5, &ended, nil))
		synctest.Wait()
		stop(t, s)
		if fmt.Sprint(ended) != "[d0 d1 d2 d3 d4 d5]" {
			t.Fatalf("stopped in the order %v", ended)
		}
		if left := s.living(); len(left) != 0 {
			t.Fatalf("%d actors left", len(left))
		}
	})
}

func TestStopNamesWhatHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		free := make(chan struct{})
		var ended []string
		spawn(t, s, "d2", deep(2, &ended, func(c *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				<-free
			}
		}))
		spawn(t, s, "busy", func(c *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				c.Go(stubborn(free))
			}
		})
		spawn(t, s, "fine", func(*Ctx, any) {})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err := s.Stop(ctx)
		if !errors.Is(err, ErrHung) {
			t.Fatalf("Stop gave %v", err)
		}
		for _, want := range []string{"d2/d1/d0 (in Receive of supervise.Started for 2s)", "busy (goroutine supervise."} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not name %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "fine") || strings.Contains(err.Error(), "d1 (") {
			t.Errorf("%q blames actors that only wait or are gone", err)
		}
		close(free)
		stop(t, s)
	})
}

// stubborn ignores its context.
func stubborn(free chan struct{}) func(context.Context) any {
	return func(context.Context) any { <-free; return nil }
}

func TestPanicWhileStoppingDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Options{})
		spawn(t, s, "parent", func(c *Ctx, msg any) {
			switch msg.(type) {
			case Started:
				_, _ = c.Spawn("child", func() Behavior { return BehaviorFunc(func(*Ctx, any) {}) })
			case Stopping, Stopped:
				panic("on the way out")
			}
		})
		synctest.Wait()
		stop(t, s)
	})
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		s := system(t, Options{Registerer: reg})
		if _, err := NewSystem(Options{Registerer: reg}); err == nil {
			t.Error("two systems share one registerer without a word")
		}
		stop(t, s)
		s = system(t, Options{Registerer: reg}) // free again
		stop(t, s)
	})
}

func TestDelay(t *testing.T) {
	b := Backoff{Min: 100 * time.Millisecond, Max: time.Second}
	for _, c := range []struct {
		n    int
		r    float64
		want time.Duration
	}{{1, 0, 50 * time.Millisecond}, {1, 0.5, 75 * time.Millisecond}, {2, 0, 100 * time.Millisecond},
		{3, 0, 200 * time.Millisecond}, {5, 0, 500 * time.Millisecond}, {1 << 30, 0, 500 * time.Millisecond}} {
		if got := b.Delay(c.n, c.r); got != c.want {
			t.Errorf("Delay(%d, %v) = %v, want %v", c.n, c.r, got, c.want)
		}
	}
}
