package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestModulesStopInReverseAndTheOneThatHangsIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lifecycle
		var mu sync.Mutex
		var order []string // the one that hangs is not waited for: nothing orders it before the next
		mod := func(name string, stop func(context.Context) error) {
			t.Helper()
			err := l.start(t.Context(), name, func(context.Context) (func(context.Context) error, error) {
				return func(ctx context.Context) error {
					mu.Lock()
					order = append(order, name)
					mu.Unlock()
					return stop(ctx)
				}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		release := make(chan struct{})
		mod("host", func(context.Context) error { return nil })
		mod("stuck", func(context.Context) error { <-release; return nil })
		mod("broken", func(context.Context) error { return errors.New("no luck") })
		err := l.stop(t.Context())
		if err == nil || !strings.Contains(err.Error(), "stuck did not stop") || !strings.Contains(err.Error(), "stopping broken: no luck") {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(order, []string{"broken", "stuck", "host"}) {
			t.Fatal(order)
		}
		if l.stop(t.Context()) != nil {
			t.Fatal("a second stop has nothing to do")
		}
		close(release)
	})
}

func TestAStartThatTakesTooLongSaysWhich(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lifecycle
		err := l.start(t.Context(), "slowpoke", func(ctx context.Context) (func(context.Context) error, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if err == nil || !strings.Contains(err.Error(), "slowpoke did not start within") {
			t.Fatal(err)
		}
	})
}
