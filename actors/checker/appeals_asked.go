package checker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/wire"
)

// That a container was gone leaves nothing behind that could be computed again. What is left is
// what each of those who were drawn for it has heard, the reserve too, and the player's word.

// askedAtOne is how many are asked at the same time.
const askedAtOne = 8

// errAsked: what was heard so far settles nothing; others may answer later.
var errAsked = errors.New("checker: too few of those who were drawn for the container say what they heard")

// askAll asks everybody who was drawn for a container what a watch heard. More than half of them
// must have heard nothing, and one must show that the player missed it, or the accusation is
// not confirmed; where 2N + 1 had an answer, whoever accused it was wrong.
func (a *Appeals) askAll(ctx context.Context, x ledgeractor.Appeal) (uint32, error) {
	var (
		mu      sync.Mutex
		wg      sync.WaitGroup
		watches []*proof.Opened
		missing bool // the player's word was shown
	)
	c := x.Accusation
	seats := make(chan struct{}, askedAtOne)
	for _, n := range c.Asked {
		seats <- struct{}{}
		wg.Go(func() {
			defer func() { <-seats }()
			said, err := a.watchOf(ctx, x, n)
			if err != nil || said == nil {
				return
			}
			o, err := proof.Open(a.o.Book.Chain(), said.GetStatement())
			if err != nil || o.Signer != n {
				return
			}
			m := complaintOf(said.GetGone())
			word := m.container == c.Node && m.session == c.Session && m.player == [32]byte(c.Victim) && m.gone.Verify(m.of(a.o.Book.Chain())) == nil
			mu.Lock()
			defer mu.Unlock()
			watches, missing = append(watches, o), missing || word
		})
	}
	wg.Wait()
	asked := make([][32]byte, len(c.Asked))
	for i, n := range c.Asked {
		asked[i] = n
	}
	missed, answered := judge.Missed(asked, watches, c.Node, c.Session, c.Epoch, judge.Params{N: x.Quorum/2 - 1}) // it is 2N + 2
	switch {
	case answered:
		return proof.VerdictOK, nil
	case missed && missing:
		return proof.VerdictBad, nil
	}
	return 0, fmt.Errorf("%w: %d of %d", errAsked, len(watches), len(asked))
}

// watchOf is what one of those who were drawn heard: this checker itself, or another.
func (a *Appeals) watchOf(ctx context.Context, x ledgeractor.Appeal, n key.Node) (*wire.WatchResponse, error) {
	c := x.Accusation
	if n == a.self {
		return watchKept(a.o.Dir, c.Epoch, watchOf{c.Node, c.Session})
	}
	id, err := n.Peer()
	if err != nil {
		return nil, err
	}
	return a.o.Calls.Watched(ctx, id, c.Epoch, c.Node, c.Session)
}
