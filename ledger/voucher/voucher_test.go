package voucher_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

const chain = "testnet"

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

var (
	player    = testKey(2)
	container = testKey(3)
)

// terms are 10 seconds at 7 base units.
func terms() voucher.Terms {
	return voucher.Terms{
		Chain: chain, Container: key.Node(container[32:]), Session: [16]byte{1, 2, 3},
		Player: key.Address(player[32:]), PerSecond: 7, Seconds: 10,
	}
}

func TestVoucherIsForOneSessionOfOneContainerOnOneChain(t *testing.T) {
	tm := terms()
	v := voucher.Sign(tm, player, 1, 4)
	if v.Paid != 28 {
		t.Errorf("4 seconds at 7 are %d", v.Paid)
	}
	if err := voucher.Verify(tm, v); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*voucher.Terms, *voucher.Voucher){
		"chain":     func(t *voucher.Terms, _ *voucher.Voucher) { t.Chain = "othernet" },
		"container": func(t *voucher.Terms, _ *voucher.Voucher) { t.Container[31]++ },
		"session":   func(t *voucher.Terms, _ *voucher.Voucher) { t.Session[0]++ },
		"player":    func(t *voucher.Terms, _ *voucher.Voucher) { t.Player = key.Address(container[32:]) },
		"number":    func(_ *voucher.Terms, v *voucher.Voucher) { v.Seq++ },
		"seconds":   func(_ *voucher.Terms, v *voucher.Voucher) { v.Seconds++ },
		"amount":    func(_ *voucher.Terms, v *voucher.Voucher) { v.Paid++ },
		"signature": func(_ *voucher.Terms, v *voucher.Voucher) { v.Signature[63] ^= 1 },
	} {
		tm, v := tm, v
		change(&tm, &v)
		if err := voucher.Verify(tm, v); !errors.Is(err, voucher.ErrForged) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	// What is signed for one purpose is nothing for another.
	payload := voucher.Payload(tm.Container, tm.Session, v.Seq, v.Seconds, v.Paid)
	v.Signature = [64]byte(key.Sign(player, chain, key.KindTx, payload))
	if err := voucher.Verify(tm, v); !errors.Is(err, voucher.ErrForged) {
		t.Errorf("signed as a transaction: %v", err)
	}
	if len(payload) != voucher.PayloadSize || voucher.PayloadSize != 68 {
		t.Errorf("payload of %d bytes", len(payload))
	}
}

func TestVerifyAllAnswersAsVerifyDoes(t *testing.T) {
	var claims []voucher.Claim
	for i := range 20 {
		tm := terms()
		tm.Session[0] = byte(i)
		v := voucher.Sign(tm, player, 1, 4)
		switch i {
		case 3:
			v.Paid++
		case 7:
			tm.Player = key.Address{} // of small order
		case 11:
			tm.Chain = "othernet"
			v = voucher.Sign(tm, player, 1, 4)
		}
		claims = append(claims, voucher.Claim{Terms: tm, Voucher: v})
	}
	for i, err := range voucher.VerifyAll(claims) {
		want := i != 3 && i != 7 && i != 11
		if (err == nil) != want || (err != nil && !errors.Is(err, voucher.ErrForged)) {
			t.Errorf("number %d: %v", i, err)
		}
		if i != 11 && (voucher.Verify(claims[i].Terms, claims[i].Voucher) == nil) != want {
			t.Errorf("number %d alone", i)
		}
	}
	if errs := voucher.VerifyAll(nil); len(errs) != 0 {
		t.Errorf("of nothing: %v", errs)
	}
}

func TestTermsAreBounded(t *testing.T) {
	for _, c := range []struct {
		perSecond uint64
		seconds   uint32
		ok        bool
	}{
		{1, 1, true}, {0, 1, false}, {1, 0, false},
		{uint64(amount.Supply), 1, true}, {uint64(amount.Supply) + 1, 1, false}, {uint64(amount.Supply), 2, false},
		{math.MaxUint64, math.MaxUint32, false},
	} {
		tm := terms()
		tm.PerSecond, tm.Seconds = c.perSecond, c.seconds
		if err := tm.Check(); (err == nil) != c.ok || (err != nil && !errors.Is(err, voucher.ErrAmount)) {
			t.Errorf("%d × %d: %v", c.perSecond, c.seconds, err)
		}
		if _, err := voucher.NewMeter(tm, 3); (err == nil) != c.ok {
			t.Errorf("meter of %d × %d: %v", c.perSecond, c.seconds, err)
		}
	}
	tm := terms()
	tm.PerSecond = math.MaxUint64
	if tm.Owed(2) != math.MaxUint64 {
		t.Errorf("beyond 64 bits: %d", tm.Owed(2))
	}
	tm.Player = key.Address{}
	tm.PerSecond = 7
	if _, err := voucher.NewMeter(tm, 3); !errors.Is(err, key.ErrKey) {
		t.Errorf("a player nobody can be: %v", err)
	}
}

func TestVoucherTravels(t *testing.T) {
	v := voucher.Sign(terms(), player, 9, 4)
	got, err := voucher.Decode(v.Encode())
	if err != nil || got != v {
		t.Errorf("by bytes: %v, %v", got, err)
	}
	got, err = voucher.FromTx(v.ForTx())
	if err != nil || got != v {
		t.Errorf("by transaction: %v, %v", got, err)
	}
	for _, b := range [][]byte{nil, v.Encode()[:voucher.Size-1], append(v.Encode(), 0), make([]byte, voucher.Size)} {
		if _, err := voucher.Decode(b); !errors.Is(err, voucher.ErrDecode) {
			t.Errorf("%x: %v", b, err)
		}
	}
	if _, err := voucher.FromTx(&tx.Voucher{Seq: 1, Signature: make([]byte, 63)}); !errors.Is(err, voucher.ErrDecode) {
		t.Errorf("a short signature: %v", err)
	}
	if _, err := voucher.FromTx(nil); !errors.Is(err, voucher.ErrDecode) {
		t.Errorf("none: %v", err)
	}
}

// FuzzVoucher: no bytes make Decode panic, what it takes is written back the same, and a
// meter takes only what the player signed.
func FuzzVoucher(f *testing.F) {
	good := voucher.Sign(terms(), player, 1, 4).Encode()
	f.Add(good)
	f.Add(good[:50])
	f.Add(voucher.Sign(terms(), container, 1, 4).Encode())
	f.Add(voucher.Sign(terms(), player, math.MaxUint64, 10).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := voucher.Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(v.Encode(), b) {
			t.Fatalf("%x became %x", b, v.Encode())
		}
		m, err := voucher.NewMeter(terms(), voucher.Credit)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Add(v); err == nil && voucher.Verify(terms(), v) != nil {
			t.Fatal("a meter took what the player did not sign")
		}
	})
}

func BenchmarkMeter(b *testing.B) {
	tm := terms()
	tm.Seconds = 86_400
	var vs []voucher.Voucher
	for i := range uint32(1_000) {
		vs = append(vs, voucher.Sign(tm, player, uint64(i+1), i+1))
	}
	b.Run("voucher checked", func(b *testing.B) {
		b.ReportAllocs()
		var m *voucher.Meter
		n := 0
		for b.Loop() {
			if n%len(vs) == 0 {
				m, _ = voucher.NewMeter(tm, voucher.Credit)
				m.Escrow(true, tm.Seconds)
			}
			if err := m.Add(vs[n%len(vs)]); err != nil {
				b.Fatal(err)
			}
			n++
		}
	})
	b.Run("voucher signed", func(b *testing.B) {
		for b.Loop() {
			voucher.Sign(tm, player, 1, 1)
		}
	})
}
