package probe

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"sync"

	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/ledger/key"
)

// Bank is what a wallet needs of the ledger.
type Bank interface {
	// Account says what an address has.
	Account(ctx context.Context, a key.Address) (purse.Account, error)
	// Transfer pays from a key's account and returns when that is in a block.
	Transfer(ctx context.Context, from ed25519.PrivateKey, to key.Address, amount uint64) error
}

// Wallet is the money of hidden sessions. One account that paid for all of them would be
// known after the first, and so would accounts that are made for one session each: it keeps a
// few players, each with money for several sessions, who hand on what they have left when
// they stop playing, as people do who change accounts. Only the first of them is paid by the
// purse, and others when that runs dry.
//
// The purse is an account like any other, which the operator fills from wherever he likes:
// what is paid to it from the checker's own account ties all its players to the checker.
type Wallet struct {
	bank Bank
	path string
	need uint64 // base units with which a player can begin a session
	fee  uint64 // of a transfer

	mu   sync.Mutex
	file walletFile
}

// walletFile is the wallet on the disk. Seeds are Ed25519 seeds.
type walletFile struct {
	Purse   []byte   `json:"purse"`
	Players []gamer  `json:"players"`
	Former  [][]byte `json:"former"` // whose rest was not handed on yet
}

type gamer struct {
	Seed []byte `json:"seed"`
	Left int    `json:"left"` // sessions until it stops
}

const (
	players     = 3 // at a time
	mostFormer  = 16
	mostVisits  = 6 // of one player
	maxWallet   = 64 << 10
	handingOver = 2 // transfers' fees that stay with whoever pays
)

// OpenWallet reads the wallet at path, or makes one.
func OpenWallet(path string, bank Bank, need, fee uint64) (*Wallet, error) {
	w := &Wallet{bank: bank, path: path, need: need, fee: fee}
	b, err := record.Read(path, maxWallet)
	switch {
	case record.Missing(err):
		w.file.Purse = newSeed()
		return w, w.save()
	case err != nil:
		return nil, fmt.Errorf("probe: wallet: %w", err)
	}
	if err := json.Unmarshal(b, &w.file); err != nil {
		return nil, fmt.Errorf("probe: wallet %s: %w; move it away, its money can still be reached with it", path, err)
	}
	for _, s := range append(append([][]byte{w.file.Purse}, w.file.Former...), w.seeds()...) {
		if len(s) != ed25519.SeedSize {
			return nil, fmt.Errorf("probe: wallet %s holds a key of %d bytes, want %d; move it away", path, len(s), ed25519.SeedSize)
		}
	}
	return w, nil
}

func newSeed() []byte {
	s := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(s) // never fails
	return s
}

func (w *Wallet) seeds() (out [][]byte) {
	for _, g := range w.file.Players {
		out = append(out, g.Seed)
	}
	return out
}

func (w *Wallet) save() error {
	b, err := json.Marshal(w.file)
	if err != nil {
		return fmt.Errorf("probe: wallet: %w", err)
	}
	if err := record.Write(w.path, b); err != nil {
		return fmt.Errorf("probe: wallet: %w", err)
	}
	return nil
}

// Purse is the account that the operator fills.
func (w *Wallet) Purse() key.Address { return addressOf(w.file.Purse) }

func addressOf(seed []byte) key.Address {
	return key.Address(ed25519.NewKeyFromSeed(seed)[ed25519.SeedSize:])
}

// Take returns a player with money for a session. It wraps ErrMoney when there is none.
func (w *Wallet) Take(ctx context.Context) (ed25519.PrivateKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range mrand.Perm(len(w.file.Players)) {
		g := &w.file.Players[i]
		a, err := w.bank.Account(ctx, addressOf(g.Seed))
		if err != nil {
			return nil, fmt.Errorf("probe: wallet: %w", err)
		}
		if a.Balance < w.need {
			continue
		}
		k := ed25519.NewKeyFromSeed(g.Seed)
		if g.Left--; g.Left <= 0 {
			w.file.Former = append(w.file.Former, g.Seed)
			w.file.Players = append(w.file.Players[:i], w.file.Players[i+1:]...)
		}
		return k, w.save()
	}
	return nil, fmt.Errorf("%w: %s", ErrMoney, w.Purse())
}

// Refill sees to it that there are players with money for the sessions to come: a new one is
// paid by one that has stopped, else by the purse. It is called well before money is needed,
// so that no payment comes just before a session.
func (w *Wallet) Refill(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.file.Players) < players {
		w.file.Players = append(w.file.Players, gamer{Seed: newSeed(), Left: 1 + mrand.IntN(mostVisits)})
		if err := w.save(); err != nil { // before money goes there
			return err
		}
	}
	for _, g := range w.file.Players {
		a, err := w.bank.Account(ctx, addressOf(g.Seed))
		if err != nil {
			return fmt.Errorf("probe: wallet: %w", err)
		}
		if a.Balance >= w.need {
			continue
		}
		if err := w.pay(ctx, addressOf(g.Seed)); err != nil {
			return err
		}
	}
	if n := len(w.file.Former); n > mostFormer {
		w.file.Former = w.file.Former[n-mostFormer:]
		return w.save()
	}
	return nil
}

// pay gives a player all that a former one has left, or a sum from the purse as people pay
// in: between one and three times what a session needs.
func (w *Wallet) pay(ctx context.Context, to key.Address) error {
	for i, seed := range w.file.Former {
		a, err := w.bank.Account(ctx, addressOf(seed))
		if err != nil {
			return fmt.Errorf("probe: wallet: %w", err)
		}
		if a.Balance < w.need+handingOver*w.fee {
			continue // its session is not settled yet, or nothing is left
		}
		if err := w.bank.Transfer(ctx, ed25519.NewKeyFromSeed(seed), to, a.Balance-handingOver*w.fee); err != nil {
			return fmt.Errorf("probe: wallet: %w", err)
		}
		w.file.Former = append(w.file.Former[:i], w.file.Former[i+1:]...)
		return w.save()
	}
	a, err := w.bank.Account(ctx, w.Purse())
	if err != nil {
		return fmt.Errorf("probe: wallet: %w", err)
	}
	if a.Balance < w.need+handingOver*w.fee {
		return fmt.Errorf("%w: %s", ErrMoney, w.Purse())
	}
	sum := min(w.need+mrand.Uint64N(2*w.need), a.Balance-handingOver*w.fee)
	if err := w.bank.Transfer(ctx, ed25519.NewKeyFromSeed(w.file.Purse), to, sum); err != nil {
		return fmt.Errorf("probe: wallet: %w", err)
	}
	return nil
}
