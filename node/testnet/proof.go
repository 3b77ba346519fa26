package testnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/key"
)

// Proofs is what one epoch of Proof of Render came to: what the checkers did, and what the
// ledger says of it.
type Proofs struct {
	Epoch        uint64 `json:"epoch"`
	Challenged   int    `json:"containers_challenged"`
	Commits      int    `json:"commits"`             // containers that at least one checker heard of
	Busy         int    `json:"busy"`                // of them, in a session
	Openings     int    `json:"openings_checked"`    // by all checkers together
	Wrong        int    `json:"openings_wrong"`      // of them
	Votes        int    `json:"votes"`               // of all checkers
	Certificates int    `json:"certificates"`        // on the ledger
	Proven       int    `json:"containers_proven"`   // verdict ok or busy
	Unproven     int    `json:"containers_unproven"` // another verdict
	Frauds       int    `json:"frauds"`              // proven, by any checker
	Slashes      int    `json:"slashes"`             // in blocks of the epoch
	Audits       int    `json:"audits"`              // of sessions, by all checkers together
	AuditsWrong  int    `json:"audits_wrong"`        // of them
	Accusations  int    `json:"accusations"`         // that wait for an appeal, by certificates of the epoch
	// Rewards of the epoch in base units, to containers and checkers; nothing until the
	// second epoch after it has begun.
	Rewards  uint64 `json:"rewards,string"`
	Rewarded int    `json:"rewarded"` // payments
}

// ErrNoProofs says that the network has no rounds.
var ErrNoProofs = errors.New("testnet: this network proves nothing; set Money.Proofs")

// Proofs are the rounds that the network's checkers remember, oldest first, the one that
// runs included.
func (n *Net) Proofs(ctx context.Context) ([]Proofs, error) {
	if n.treasury == nil || !n.treasury.Proofs {
		return nil, ErrNoProofs
	}
	if err := n.seen.follow(n.Chain()); err != nil {
		return nil, err
	}
	by := map[uint64]*tally{}
	for _, p := range n.Peers() {
		r := p.Rounds()
		if r == nil {
			continue
		}
		reports, err := r.Reports(ctx)
		if err != nil {
			return nil, fmt.Errorf("testnet: %s: %w", p.Name, err)
		}
		for i := range reports {
			epoch := reports[i].Epoch
			if by[epoch] == nil {
				by[epoch] = &tally{Proofs: n.seen.of(epoch), challenged: map[key.Node]bool{}, committed: map[key.Node]bool{}}
			}
			by[epoch].add(&reports[i])
		}
	}
	out := make([]Proofs, 0, len(by))
	for _, t := range by {
		t.Challenged, t.Commits = len(t.challenged), len(t.committed)
		out = append(out, t.Proofs)
	}
	slices.SortFunc(out, func(a, b Proofs) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return out, nil
}

// tally adds up what the checkers did in one epoch.
type tally struct {
	Proofs
	challenged, committed map[key.Node]bool
}

func (t *tally) add(r *checker.Report) {
	for _, c := range r.Challenged {
		t.challenged[c] = true
	}
	for _, c := range r.Committed {
		t.committed[c] = true
	}
	t.Busy = max(t.Busy, r.Busy)
	t.Openings += r.Right + r.Wrong
	t.Wrong += r.Wrong
	t.Votes += r.Votes
	t.Frauds += r.Frauds
	t.Audits += r.Audited
	t.AuditsWrong += r.AuditsWrong
}

// ledgerRounds is what the blocks so far say of rounds, epoch by epoch.
type ledgerRounds struct {
	mu     sync.Mutex
	height uint64 // read so far
	epoch  uint64 // of that block
	by     map[uint64]*Proofs
	story
}

func (l *ledgerRounds) of(epoch uint64) Proofs {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.by[epoch]; p != nil {
		return *p
	}
	return Proofs{Epoch: epoch}
}

func (l *ledgerRounds) at(epoch uint64) *Proofs {
	if l.by == nil {
		l.by = map[uint64]*Proofs{}
	}
	if l.by[epoch] == nil {
		l.by[epoch] = &Proofs{Epoch: epoch}
	}
	return l.by[epoch]
}

// follow reads the blocks that came since the last time.
func (l *ledgerRounds) follow(c *chain.Chain) error {
	if c == nil {
		return errors.New("testnet: no peer keeps the ledger's chain")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.height < c.Head().Height {
		events, err := c.Events(l.height + 1)
		if errors.Is(err, chain.ErrNotFound) {
			return nil // committed, and not written down yet
		}
		if err != nil {
			return err
		}
		l.height++
		for _, e := range events {
			l.take(e)
			l.story.take(e, l.height, l.epoch)
		}
	}
	return nil
}

func (l *ledgerRounds) take(e abci.Event) {
	read := map[string]string{}
	for _, a := range e.Attributes {
		read[a.Key] = a.Value
	}
	num := func(k string) uint64 {
		v, _ := strconv.ParseUint(read[k], 10, 64) // 0 for what is missing
		return v
	}
	switch e.Type {
	case "epoch":
		l.epoch = num("epoch")
	case "certificate", "certificate_judged":
		l.at(num("epoch")).Certificates++
	case "proven":
		l.at(num("epoch")).Proven++
	case "unproven":
		l.at(num("epoch")).Unproven++
	case "reward":
		p := l.at(num("epoch"))
		p.Rewards += num("amount")
		p.Rewarded++
	case "accused":
		l.at(num("epoch")).Accusations++
	case "slash":
		l.at(l.epoch).Slashes++
	}
}
