package testnet

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/gateway"
	"github.com/framemesh/framemesh/node/why"
)

// What a Board shows at most.
const (
	boardEpochs   = 6
	boardHappened = 60
	boardFresh    = 300 * time.Millisecond // how long one is shown again
)

// Board is what the page shows of the rounds.
type Board struct {
	Network    string      `json:"network"`
	Epoch      uint64      `json:"epoch"` // that runs
	StartMS    uint64      `json:"start_ms"`
	EndMS      uint64      `json:"end_ms"`
	Phases     []Phase     `json:"phases"` // of the epoch, in their order
	Height     uint64      `json:"height"` // of the newest block that was read
	Symbol     string      `json:"symbol"`
	Containers []Container `json:"containers"`
	Epochs     []Proofs    `json:"epochs"`   // oldest first; the last one runs
	Happened   []Happening `json:"happened"` // newest first
	Cheats     []string    `json:"cheats"`   // peers that were told to cheat, by name
}

// Phase is a part of a round.
type Phase struct {
	Name string `json:"name"`
	ToMS uint64 `json:"to_ms"`
}

func phases(t judge.Times) []Phase {
	return []Phase{{"Containers begin to render, checkers bind themselves to nonces", t.NonceBy}, {"Containers render", t.T0 + t.DurMS}, {"Commitments arrive", t.CommitBy},
		{"Tiles are opened and recomputed", t.OpeningsBy}, {"Checkers bind themselves to votes", t.VoteBy}, {"Votes are revealed", t.RevealBy},
		{"The committee attests the result", t.AttestBy}, {"The reserve, if need be", t.End}}
}

// Happened is what the ledger tells of rounds so far, oldest first, and how the containers
// stand, by name.
func (n *Net) Happened() ([]Happening, []Container, error) {
	if n.treasury == nil || !n.treasury.Proofs {
		return nil, nil, ErrNoProofs
	}
	if err := n.seen.follow(n.Chain()); err != nil {
		return nil, nil, err
	}
	n.seen.mu.Lock()
	defer n.seen.mu.Unlock()
	all := slices.SortedFunc(maps.Values(n.seen.containers), func(a, b Container) int { return cmp.Compare(a.Name, b.Name) })
	return slices.Clone(n.seen.happened), all, nil
}

// Right says whether the ledger has an epoch's certificate, and whether a checker is among
// those whose answers agreed with it.
func (n *Net) Right(epoch uint64, id string) (certified, right bool) {
	n.seen.mu.Lock()
	defer n.seen.mu.Unlock()
	return n.seen.certified[epoch], n.seen.right[epoch][id]
}

// board shows the rounds to the gateway's page.
type board struct {
	n    *Net
	mu   sync.Mutex
	last Board
	at   time.Time
}

var _ gateway.Proofs = (*board)(nil)

// Board implements gateway.Proofs.
func (b *board) Board(ctx context.Context) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.at) < boardFresh {
		return b.last, nil
	}
	out, err := b.n.Board(ctx)
	if err != nil {
		return nil, err
	}
	b.last, b.at = out, time.Now()
	return out, nil
}

// Board is what the rounds came to so far.
func (n *Net) Board(ctx context.Context) (Board, error) {
	epochs, err := n.Proofs(ctx)
	if err != nil {
		return Board{}, err
	}
	happened, containers, err := n.Happened()
	if err != nil {
		return Board{}, err
	}
	g := n.Genesis()
	now := g.Epoch(uint64(time.Now().UnixMilli()))
	t := judge.Schedule(judge.From(g.Params), now, g.TimeMS())
	b := Board{Network: n.o.Network, Epoch: now, StartMS: t.Start, EndMS: t.End, Phases: phases(t), Symbol: state.Symbol,
		Containers: containers, Epochs: epochs[max(0, len(epochs)-boardEpochs):], Cheats: slices.Sorted(maps.Keys(n.o.Cheats)),
		Happened: happened[max(0, len(happened)-boardHappened):]}
	slices.Reverse(b.Happened)
	if b.Containers == nil {
		b.Containers = []Container{}
	}
	if b.Happened == nil {
		b.Happened = []Happening{}
	}
	if b.Cheats == nil {
		b.Cheats = []string{}
	}
	n.seen.mu.Lock()
	b.Height = n.seen.height
	n.seen.mu.Unlock()
	return b, nil
}

// Evidence is a proof that a checker of the network keeps, or what a container signed in an
// audit, by the hash of its file, by its name on the ledger or by its name in a certificate, in
// hex digits; the path is where it is. ok is false when none has it.
func (n *Net) Evidence(id string) (f why.File, path string, ok bool, err error) {
	for _, p := range n.Peers() {
		dir := node.ProofsDir(filepath.Join(n.o.Dir, p.Name))
		list, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return f, "", false, err
		}
		for _, e := range list {
			info, err := e.Info()
			if err != nil || !checker.IsEvidence(e.Name()) || info.Size() > proof.MaxFile {
				continue
			}
			path := filepath.Join(dir, e.Name())
			raw, err := os.ReadFile(path)
			if err != nil {
				continue // it gave way to a newer one
			}
			f, _, err := why.Describe(raw)
			if err == nil && f.Is(id) {
				return f, path, true, nil
			}
		}
	}
	return f, "", false, nil
}

// Evidence implements gateway.Proofs.
func (b *board) Evidence(_ context.Context, id string) (any, error) {
	f, _, ok, err := b.n.Evidence(id)
	if err != nil || !ok {
		return nil, err
	}
	return f, nil
}

// rounds gives a peer what it needs for rounds beside its configuration.
func (n *Net) rounds(name string, o *node.Options) error {
	if !n.treasury.Proofs {
		return nil
	}
	o.Proofs = &board{n: n}
	if len(n.o.Cheats) > 0 {
		o.CrossPPM = proof.PPM // there are few containers, and a lazy checker is to be seen
	}
	c, ok := n.o.Cheats[name]
	if !ok {
		return nil
	}
	o.Cheat = &node.Cheat{Cheat: c}
	if c.Name == "sybil" {
		o.Cheat.Device = &n.device
	}
	for _, about := range n.o.About {
		k, ok := n.treasury.nodes[about]
		if !ok {
			return fmt.Errorf("testnet: a lie is about %s, and no node of the ledger has that name", about)
		}
		o.Cheat.About = append(o.Cheat.About, k)
	}
	return nil
}

// newStory knows the peers of this network by name.
func (n *Net) newStory() story {
	ids, owners := map[string]string{}, map[string]string{}
	for name, k := range n.treasury.nodes {
		if id, err := k.Peer(); err == nil {
			ids[id.String()] = name
		}
	}
	for name, k := range n.treasury.accounts {
		owners[key.Address(k[ed25519.SeedSize:]).String()] = name
	}
	return story{names: func(id string) string { return ids[id] }, owners: func(a string) string { return owners[a] },
		containers: map[string]Container{}, right: map[uint64]map[string]bool{}, certified: map[uint64]bool{}}
}
