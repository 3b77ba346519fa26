package container

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/indexer/match"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/quote"
	ledgerstate "github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// records is a state.Store in memory.
type records map[string][]byte

func (r records) Get(k []byte) ([]byte, error) { return r[string(k)], nil }
func (r records) Set(k, v []byte) error        { r[string(k)] = slices.Clone(v); return nil }
func (r records) Delete(k []byte) error        { delete(r, string(k)); return nil }
func (r records) Range(from, to []byte, fn func(k, v []byte) bool) error {
	for _, k := range slices.Sorted(maps.Keys(r)) {
		if k >= string(from) && (to == nil || k < string(to)) && !fn([]byte(k), r[k]) {
			break
		}
	}
	return nil
}

// bank is the real rules of the ledger, with a block each second and nobody else.
type bank struct {
	doc *genesis.Doc

	mu      sync.Mutex
	m       *ledgerstate.Machine
	pool    [][]byte
	settled []map[string]string // attributes of the events
	done    map[[32]byte]light.Inclusion
	follows []func(ledgeractor.Head)
}

var (
	chiefs = ed25519.NewKeyFromSeed(seed(210)) // the owner of both nodes
	clerks = ed25519.NewKeyFromSeed(seed(211)) // the validator
)

func accountOf(k ed25519.PrivateKey) key.Address { return key.Address(k[ed25519.SeedSize:]) }

func newBank(t testing.TB, container ed25519.PrivateKey) *bank {
	t.Helper()
	p := economics.DefaultParams()
	p.EpochSeconds = 10
	plan := genesis.Plan{Chain: "chain", Time: time.Now(), Params: &p,
		Accounts: []genesis.Account{{Address: accountOf(carol), Amount: 1000 * uint64(amount.FRM)}, {Address: accountOf(chiefs), Amount: 10 * uint64(amount.FRM)}},
		Nodes: []genesis.Node{
			{Node: key.Node(accountOf(clerks)), Owner: accountOf(chiefs), Roles: genesis.Roles(economics.RoleChecker), ConsensusKey: genesis.Key(accountOf(ed25519.NewKeyFromSeed(seed(213)))),
				VRFKey: genesis.Key(accountOf(ed25519.NewKeyFromSeed(seed(214)))), Stake: 20_000 * uint64(amount.FRM), Delegate: true},
			{Node: key.Node(accountOf(container)), Owner: accountOf(chiefs), Roles: genesis.Roles(economics.RoleContainer), Price: 20_000, RPMilli: 30_000,
				Stake: 20_000 * uint64(amount.FRM), Delegate: true},
		}}
	for _, k := range oracles {
		plan.Oracles = append(plan.Oracles, accountOf(k))
	}
	doc, err := genesis.Build(plan)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := ledgerstate.Init(records{}, doc, ledgerstate.WithKernel(recompute.New()), ledgerstate.WithMatcher(match.Rules{}))
	if err != nil {
		t.Fatal(err)
	}
	return &bank{doc: doc, m: m, done: map[[32]byte]light.Inclusion{}}
}

// block makes the next block of what waits.
func (b *bank) block() error {
	b.mu.Lock()
	height := b.m.Head().Height + 1
	events, err := b.m.BeginBlock(ledgerstate.Block{Height: height, TimeMS: uint64(time.Now().UnixMilli()), VRF: sha256.Sum256([]byte{byte(height)})})
	for i, raw := range b.pool {
		if err != nil {
			break
		}
		in := light.Inclusion{Height: height, Index: uint32(i), Tx: raw}
		t, bad := tx.Decode(raw)
		if bad == nil {
			var more []ledgerstate.Event
			more, bad = b.m.Apply(t)
			events = append(events, more...)
		}
		if bad != nil {
			in.Code, in.Text = codeOf(bad), bad.Error()
		}
		b.done[sha256.Sum256(raw)] = in
	}
	b.pool = nil
	if err == nil {
		_, err = b.m.EndBlock()
	}
	for _, e := range events {
		if e.Kind == "session_settled" {
			b.settled = append(b.settled, attributes(e))
		}
	}
	if err == nil {
		err = b.m.Flush()
	}
	follows := slices.Clone(b.follows)
	b.mu.Unlock()
	for _, f := range follows {
		f(b.Head())
	}
	return err
}

func attributes(e ledgerstate.Event) map[string]string {
	out := map[string]string{}
	for _, a := range e.Attrs {
		out[a.Key] = a.Value
	}
	return out
}

func text(v uint64) string { return strconv.FormatUint(v, 10) }

func codeOf(err error) uint32 {
	var no *ledgerstate.Error
	if errors.As(err, &no) {
		return no.Code
	}
	return 1
}

func (b *bank) Head() ledgeractor.Head {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.m.Head()
	return ledgeractor.Head{Summary: light.Summary{Height: h.Height, TimeMS: h.TimeMS, Full: true}}
}

func (b *bank) Follow(fn func(ledgeractor.Head)) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.follows = append(b.follows, fn)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.follows = nil
	}
}

func (b *bank) Value(_ context.Context, k []byte) ([]byte, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.m.Reader().Get(k)
	return v, b.m.Head().Height, err
}

func (b *bank) ValueAt(ctx context.Context, k []byte, _ uint64) ([]byte, error) {
	v, _, err := b.Value(ctx, k)
	return v, err
}

func (b *bank) Submit(_ context.Context, raw []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pool = append(b.pool, raw)
	return nil
}

func (b *bank) Tx(_ context.Context, hash [32]byte) (light.Inclusion, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in, ok := b.done[hash]
	if !ok {
		return in, ledgeractor.ErrUnknown
	}
	return in, nil
}

func (*bank) Hint(string, uint64) {}
func (*bank) Hurry()              {}

// account is what somebody has in the bank, base units.
func (b *bank) account(k ed25519.PrivateKey) uint64 {
	v, _, _ := b.Value(context.Background(), ledgerstate.AccountKey(accountOf(k)))
	a, _ := ledgerstate.DecodeAccount(v)
	return a.Balance
}

// counter is the container's way to the bank, as a node makes it.
type counter struct {
	*ledgeractor.Ledger
	key ed25519.PrivateKey
}

var _ Pay = counter{}

func (c counter) PerSecond(_ context.Context, price uint64) (uint64, [][]byte, error) {
	var quotes [][]byte
	for i, k := range oracles {
		q, err := quote.Sign("chain", k, fakeRate[i], uint64(time.Now().UnixMilli()))
		if err != nil {
			return 0, nil, err
		}
		quotes = append(quotes, q.Encode())
	}
	v, err := economics.PricePerSecond(price, fakeRate[0])
	return v, quotes, err
}

func (c counter) Submit(ctx context.Context, raw []byte) error {
	_, err := c.Ledger.Submit(ctx, raw)
	return err
}

func (c counter) Escrow(ctx context.Context, id [16]byte) (Escrow, error) {
	s, ok, err := c.Session(ctx, key.Node(accountOf(c.key)), id)
	if err != nil || !ok {
		return Escrow{}, err
	}
	return Escrow{Player: s.Player, PerSecond: s.PerSecond, Seconds: s.Seconds, OpenedMS: s.OpenedMS, Closing: s.Ending(c.Epoch())}, nil
}

func (c counter) Settle(ctx context.Context, closes []*tx.CloseSession) error {
	for _, one := range closes {
		one.Container = c.key[ed25519.SeedSize:]
	}
	return c.Close(ctx, ledgeractor.Signer{Key: c.key, Account: accountOf(chiefs)}, closes)
}
