package container

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"time"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

// FakeLedger is a ledger of one machine in memory: it locks what it is told to after
// Block, and settles what the vouchers say, or says why not.
type FakeLedger struct {
	Block   time.Duration // until something is in a block
	Stale   bool          // no fresh price
	Refuse  error         // of Submit
	Down    bool          // Settle fails
	mu      sync.Mutex
	node    key.Node
	escrows map[[16]byte]Escrow
	paid    map[[16]byte]uint64 // by settled session
	settles int
	lost    bool // orders that were taken in come into no block
	bell    chan struct{}
}

var _ Pay = (*FakeLedger)(nil)

var (
	errDown  = errors.New("the ledger is down")
	oracles  = []ed25519.PrivateKey{ed25519.NewKeyFromSeed(seed(201)), ed25519.NewKeyFromSeed(seed(202)), ed25519.NewKeyFromSeed(seed(203))}
	fakeRate = []uint64{100_000_000_000, 90_000_000_000, 110_000_000_000}
)

func seed(b byte) []byte {
	s := make([]byte, ed25519.SeedSize)
	for i := range s {
		s[i] = b
	}
	return s
}

func (f *FakeLedger) Chain() string { return "chain" }

func (f *FakeLedger) NextBlock() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bell == nil {
		f.bell = make(chan struct{})
	}
	return f.bell
}

func (f *FakeLedger) BlockTimeMS() uint64 { return uint64(time.Now().UnixMilli()) }

func (f *FakeLedger) PerSecond(_ context.Context, price uint64) (uint64, [][]byte, error) {
	if f.Stale {
		return 0, nil, quote.ErrStale
	}
	var quotes [][]byte
	for i, k := range oracles {
		q, err := quote.Sign(f.Chain(), k, fakeRate[i], uint64(time.Now().UnixMilli()))
		if err != nil {
			return 0, nil, err
		}
		quotes = append(quotes, q.Encode())
	}
	v, err := economics.PricePerSecond(price, fakeRate[0])
	return v, quotes, err
}

func (f *FakeLedger) Submit(_ context.Context, raw []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Refuse != nil {
		return f.Refuse
	}
	x, err := tx.Decode(raw)
	if err != nil {
		return err
	}
	if err := x.Verify(f.Chain()); err != nil {
		return err
	}
	time.AfterFunc(f.Block, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.bell != nil {
			close(f.bell)
			f.bell = nil
		}
		if f.lost {
			return
		}
		if f.escrows == nil {
			f.escrows = map[[16]byte]Escrow{}
		}
		if op := x.Body.GetOpen(); op != nil {
			f.node = key.Node(op.GetContainer())
			f.escrows[[16]byte(op.GetSession())] = Escrow{Player: x.Signer, PerSecond: op.GetPerSecond(), Seconds: op.GetSeconds(), OpenedMS: uint64(time.Now().UnixMilli())}
		}
		if op := x.Body.GetTopUp(); op != nil {
			e := f.escrows[[16]byte(op.GetSession())]
			e.Seconds += op.GetSeconds()
			f.escrows[[16]byte(op.GetSession())] = e
		}
	})
	return nil
}

func (f *FakeLedger) Escrow(_ context.Context, session [16]byte) (Escrow, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.escrows[session], nil
}

func (f *FakeLedger) Settle(_ context.Context, closes []*tx.CloseSession) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settles++
	if f.Down {
		return errDown
	}
	if f.paid == nil {
		f.paid = map[[16]byte]uint64{}
	}
	for _, c := range closes {
		id := [16]byte(c.GetSession())
		e, ok := f.escrows[id]
		if !ok {
			continue // nothing left to close
		}
		var paid uint64
		if c.GetVoucher() != nil {
			v, err := voucher.FromTx(c.GetVoucher())
			if err == nil {
				err = voucher.Verify(voucher.Terms{Chain: f.Chain(), Container: f.node, Session: id, Player: e.Player, PerSecond: e.PerSecond, Seconds: e.Seconds}, v)
			}
			if err != nil {
				return err
			}
			paid = v.Paid
		}
		f.paid[id] = paid
		delete(f.escrows, id)
	}
	return nil
}

// Settled returns what was paid for a session, and whether it is settled.
func (f *FakeLedger) Settled(session [16]byte) (uint64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.paid[session]
	return v, ok
}

// Settles counts the attempts to settle.
func (f *FakeLedger) Settles() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settles
}

// Set changes the ledger while it is in use.
func (f *FakeLedger) Set(change func(*FakeLedger)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}
