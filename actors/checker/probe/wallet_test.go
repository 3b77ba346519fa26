package probe

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/ledger/key"
)

// ledger is money and who paid whom.
type ledger struct {
	balance map[key.Address]uint64
	paid    map[key.Address]key.Address // by receiver: the first to pay it
}

func (l *ledger) Account(_ context.Context, a key.Address) (purse.Account, error) {
	return purse.Account{Balance: l.balance[a]}, nil
}

func (l *ledger) Transfer(_ context.Context, from ed25519.PrivateKey, to key.Address, sum uint64) error {
	a := key.Address(from[ed25519.SeedSize:])
	if l.balance[a] < sum+fee {
		return errors.New("not enough")
	}
	l.balance[a] -= sum + fee
	l.balance[to] += sum
	if _, ok := l.paid[to]; !ok {
		l.paid[to] = a
	}
	return nil
}

const need, fee = 1000, 3

// A hundred sessions are played by many accounts, each of a few sessions, most of them paid
// by other players and not by the purse.
func TestMoneyOfHiddenSessions(t *testing.T) {
	bank := &ledger{map[key.Address]uint64{}, map[key.Address]key.Address{}}
	path := filepath.Join(t.TempDir(), "probe", "wallet.json")
	w, err := OpenWallet(path, bank, need, fee)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Take(t.Context()); !errors.Is(err, ErrMoney) {
		t.Errorf("an empty wallet pays: %v", err)
	}
	if err := w.Refill(t.Context()); !errors.Is(err, ErrMoney) {
		t.Errorf("an empty purse fills: %v", err)
	}
	bank.balance[w.Purse()] = 100_000
	sessions := map[key.Address]int{}
	for range 100 {
		if err := w.Refill(t.Context()); err != nil {
			t.Fatal(err)
		}
		k, err := w.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a := key.Address(k[ed25519.SeedSize:])
		if a == w.Purse() {
			t.Fatal("the purse plays itself")
		}
		sessions[a]++
		bank.balance[a] -= 20
		if w, err = OpenWallet(path, bank, need, fee); err != nil { // as after a restart
			t.Fatal(err)
		}
	}
	byPurse := 0
	for a, n := range sessions {
		if n > mostVisits {
			t.Errorf("%d sessions of one account", n)
		}
		if bank.paid[a] == w.Purse() {
			byPurse++
		}
	}
	if len(sessions) < 100/mostVisits || byPurse*2 > len(sessions) {
		t.Errorf("%d accounts, %d of them paid by the purse", len(sessions), byPurse)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("keys are in a file of mode %v (%v)", fi.Mode(), err)
	}
}

func TestABrokenWalletIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wallet.json")
	for _, text := range []string{"{", `{"purse":"AAAA"}`, `{"purse":null,"players":[{"seed":"AA=="}]}`} {
		if err := record.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenWallet(path, &ledger{}, need, fee); err == nil {
			t.Errorf("%s opens", text)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Errorf("%s became %s", text, b)
		}
	}
}

func FuzzWallet(f *testing.F) {
	f.Add([]byte(`{"purse":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","players":[],"former":[]}`))
	f.Add([]byte(`{"players":[{"left":-1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "w")
		if err := record.Write(path, b); err != nil {
			t.Fatal(err)
		}
		bank := &ledger{map[key.Address]uint64{}, map[key.Address]key.Address{}}
		w, err := OpenWallet(path, bank, need, fee)
		if err != nil {
			return
		}
		bank.balance[w.Purse()] = 1 << 40
		if err := w.Refill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
