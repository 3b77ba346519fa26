package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/state"
)

// The keys that a chain names for a light client are those of its state, page by page.
func TestChainListsItsKeys(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 1, players: 5})
	chain := launch(t, n.config(0))
	awaitHeight(t, chain, 3)
	prefix := state.AccountKey(public(n.players[0]))[:5]
	s := server{chain}
	all, more, err := s.Keys(context.Background(), prefix, nil, 1000)
	if err != nil || more || len(all) < 5 {
		t.Fatalf("%d keys, %v, %v", len(all), more, err)
	}
	var paged [][]byte
	for after := []byte(nil); ; after = paged[len(paged)-1] {
		part, more, err := s.Keys(context.Background(), prefix, after, 2)
		if err != nil || len(part) == 0 {
			t.Fatalf("%d keys, %v", len(part), err)
		}
		if paged = append(paged, part...); !more {
			break
		}
	}
	if !bytes.Equal(bytes.Join(paged, nil), bytes.Join(all, nil)) {
		t.Error("pages and the whole differ")
	}
	if _, _, err := s.Keys(context.Background(), prefix, []byte("zzz"), 2); err == nil {
		t.Error("goes on after a key of another prefix")
	}
	for _, tc := range []struct{ prefix, end string }{{"a", "b"}, {"a\xff", "b"}, {"\xff\xff", ""}} {
		if got := prefixEnd([]byte(tc.prefix)); string(got) != tc.end {
			t.Errorf("%q: %q", tc.prefix, got)
		}
	}
}

// Who brings a transaction while it is being looked at hears the same of it as the first.
func TestTwoBringTheSame(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 1, players: 1})
	chain := launch(t, n.config(0))
	awaitHeight(t, chain, 3)
	for i := range 20 {
		junk := fmt.Appendf(nil, "junk %d", i)
		said := make(chan error, 8)
		for range cap(said) {
			go func() {
				_, err := chain.Submit(context.Background(), junk)
				said <- err
			}()
		}
		for range cap(said) {
			if err := <-said; !errors.Is(err, ErrRefused) {
				t.Fatalf("junk is taken: %v", err)
			}
		}
	}
}
