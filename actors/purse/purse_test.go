package purse

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/control"
)

func seeded(b byte) ed25519.PrivateKey {
	s := make([]byte, ed25519.SeedSize)
	s[0] = b
	return ed25519.NewKeyFromSeed(s)
}

func rate(t *testing.T, b byte, chain string, perUSD uint64) []byte {
	t.Helper()
	q, err := quote.Sign(chain, seeded(b), perUSD, 1_700_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return q.Encode()
}

// headers are what comes with a container's answer; change may spoil the proof.
func headers(t *testing.T, change func(*wire.AnswerProof)) http.Header {
	t.Helper()
	k, err := crypto.UnmarshalEd25519PrivateKey(seeded(99))
	if err != nil {
		t.Fatal(err)
	}
	session := make([]byte, 16)
	session[0] = 5
	p := &wire.AnswerProof{SessionId: session, Terms: &wire.PayTerms{Chain: "chain", PriceMicroUsdPerHour: 360_000, PerSecond: 20_000, CreditSeconds: 3, Paid: true,
		Quotes: [][]byte{rate(t, 1, "chain", 100_000_000), rate(t, 2, "chain", 300_000_000), rate(t, 3, "chain", 200_000_000)}}}
	if change != nil {
		change(p)
	}
	sealed, err := seal.Seal("net", seal.TypeAnswer, p, k)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("Framemesh-Proof", base64.StdEncoding.EncodeToString(sealed))
	h.Set("Framemesh-Session", hex.EncodeToString(session))
	return h
}

// locked is what the container says of an escrow that it plays for.
func locked(p *Purse, openedMS uint64, total string, seconds uint32) control.Escrow {
	w := witness.Taken{PerSecond: p.terms.PerSecond, OpenedMS: openedMS}
	p.session().SignTaken(seeded(99), &w)
	return control.Escrow{State: control.EscrowLocked, Total: total, Seconds: seconds, Taken: hex.EncodeToString(w.Signature[:]), OpenedMS: openedMS}
}

func purse(t *testing.T, change func(*Options)) *Purse {
	t.Helper()
	o := Options{Key: seeded(7), Network: "net", Chain: "chain", TxFee: 1000,
		Account: func(context.Context) (Account, error) { return Account{Balance: 1 << 40, Nonce: 4}, nil }}
	if change != nil {
		change(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTermsHoldOrAreRefused(t *testing.T) {
	p := purse(t, func(o *Options) { o.Ceiling = 360_000 })
	if paid, err := p.Terms(headers(t, nil)); !paid || err != nil {
		t.Fatal(paid, err)
	}
	if r := p.Report(); r.PerSecond != 20_000 || r.Price != 360_000 {
		t.Errorf("%+v", r)
	}
	for _, free := range []func(*wire.AnswerProof){func(a *wire.AnswerProof) { a.Terms = nil }, func(a *wire.AnswerProof) { a.Terms.Paid = false }} {
		if paid, err := p.Terms(headers(t, free)); paid || err != nil {
			t.Error("free:", paid, err)
		}
	}
	for what, change := range map[string]func(*wire.AnswerProof){
		"another session": func(a *wire.AnswerProof) { a.SessionId = make([]byte, 16) },
		"another chain":   func(a *wire.AnswerProof) { a.Terms.Chain = "main" },
		"over the limit":  func(a *wire.AnswerProof) { a.Terms.PriceMicroUsdPerHour, a.Terms.PerSecond = 720_000, 40_000 },
		"dearer":          func(a *wire.AnswerProof) { a.Terms.PerSecond++ },
		"no quotes":       func(a *wire.AnswerProof) { a.Terms.Quotes = nil },
		"twice":           func(a *wire.AnswerProof) { a.Terms.Quotes[1] = a.Terms.Quotes[2] },
		"cut":             func(a *wire.AnswerProof) { a.Terms.Quotes[1] = a.Terms.Quotes[1][1:] },
		"forged":          func(a *wire.AnswerProof) { a.Terms.Quotes[1][111] ^= 1 },
		"foreign quotes":  func(a *wire.AnswerProof) { a.Terms.Quotes[0] = rate(t, 1, "main", 100_000_000) },
	} {
		if paid, err := p.Terms(headers(t, change)); paid || !errors.Is(err, ErrTerms) {
			t.Errorf("%s: %v, %v", what, paid, err)
		}
	}
	for _, junk := range []string{"", "*", "AAAA"} {
		h := headers(t, nil)
		h.Set("Framemesh-Proof", junk)
		if _, err := p.Terms(h); !errors.Is(err, ErrTerms) {
			t.Errorf("a proof of %q: %v", junk, err)
		}
	}
	if _, err := New(Options{}); !errors.Is(err, ErrOptions) {
		t.Error(err)
	}
}

// container is what the purse talks to.
type container struct {
	mu   sync.Mutex
	said []control.Message
}

func (c *container) say(m control.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, m)
}

func (c *container) vouchers() (out []control.Voucher) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.said {
		if v, ok := m.(control.Voucher); ok {
			out = append(out, v)
		}
	}
	return out
}

// last is the newest transaction and what it says.
func (c *container) last(t *testing.T) *tx.Tx {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.said) - 1; i >= 0; i-- {
		text := ""
		switch m := c.said[i].(type) {
		case control.Open:
			text = m.Tx
		case control.TopUp:
			text = m.Tx
		default:
			continue
		}
		raw, err := control.DecodeTx(text)
		if err != nil {
			t.Fatal(err)
		}
		x, err := tx.Decode(raw)
		if err == nil {
			err = x.Verify("chain")
		}
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	return nil
}

func TestPaysASecondAhead(t *testing.T) {
	h := headers(t, nil)
	synctest.Test(t, func(t *testing.T) {
		p, c := purse(t, nil), &container{}
		if _, err := p.Terms(h); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go p.Run(ctx, c.say)
		x := c.last(t)
		if op := x.Body.GetOpen(); op.GetSeconds() != 600 || op.GetPerSecond() != 20_000 || x.Body.GetNonce() != 4 || x.Signer != p.Address() {
			t.Fatalf("%+v", x.Body)
		}
		p.Second()
		if v := c.vouchers(); len(v) != 0 {
			t.Errorf("promised before the lock: %v", v)
		}
		p.Heard(control.Escrow{State: control.EscrowSent, Total: "12000000", Seconds: 600})
		unsigned, forged := locked(p, 1, "99", 99_999), locked(p, 1, "99", 99_999)
		unsigned.Taken, forged.OpenedMS = "", 2
		for _, bad := range []control.Escrow{unsigned, forged} {
			if p.Heard(bad); len(c.vouchers()) != 0 || p.Report().Failed == "" {
				t.Errorf("promised to a container that does not sign for it: %+v", p.Report())
			}
		}
		p.Heard(locked(p, 1_780_000_000_500, "99", 99_999)) // says more than was signed for
		for range 9 {
			p.Second()
		}
		v := c.vouchers()
		if len(v) != 10 || v[0].Seconds != 2 || v[9].Seconds != 11 || v[9].Seq != 10 || v[9].Paid != "220000" || p.Report().Escrow != 600 {
			t.Errorf("%v; %+v", v, p.Report())
		}
		paid, sig, err := v[9].Values()
		if err != nil || voucher.Verify(p.terms, voucher.Voucher{Seq: 10, Seconds: 11, Paid: paid, Signature: sig}) != nil {
			t.Errorf("the signature: %v", err)
		}
		// Seconds that were served and not seen: two of them, when the game waits for money.
		p.Heard(control.Pay{State: control.PayOK, Served: 500, Paid: "0"})
		p.Heard(control.Pay{State: control.PayUnpaid, Served: 500, Paid: "0"})
		p.Heard(control.Pay{State: control.PayUnpaid, Served: 501, Paid: "0"})
		if v := c.vouchers(); len(v) != 11 || v[10].Seconds != 13 {
			t.Errorf("hidden seconds: %v", v[10:])
		}
	})
}

func TestTopsUpBeforeTheEnd(t *testing.T) {
	h := headers(t, nil)
	synctest.Test(t, func(t *testing.T) {
		p, c := purse(t, func(o *Options) { o.Planned = 200 }), &container{}
		if _, err := p.Terms(h); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go p.Run(ctx, c.say)
		synctest.Wait()
		p.Heard(locked(p, 1_780_000_000_500, "0", 200))
		synctest.Wait()
		for range 138 {
			p.Second()
		}
		if c.last(t).Body.GetTopUp() != nil {
			t.Error("topped up early")
		}
		p.Second()
		p.Second()
		if op := c.last(t).Body.GetTopUp(); op.GetSeconds() != 200 {
			t.Fatalf("a minute before the end: %+v", op)
		}
		p.Heard(locked(p, 1_780_000_000_500, "0", 400))
		synctest.Wait()
		if r := p.Report(); r.Escrow != 400 || r.Failed != "" {
			t.Errorf("%+v", r)
		}
	})
}

func TestPoorRefusedOrOffline(t *testing.T) {
	h := headers(t, nil)
	for what, c := range map[string]struct {
		change func(*Options)
		want   string
		opens  int
	}{
		"poor": {change: func(o *Options) {
			o.Account = func(context.Context) (Account, error) { return Account{Balance: 20_000 * 29}, nil }
		}, want: "send money"},
		"the faucet is dry": {change: func(o *Options) {
			o.Faucet, o.Account = true, func(context.Context) (Account, error) { return Account{}, nil }
		}, want: "send money"},
		"offline": {change: func(o *Options) {
			o.Account = func(context.Context) (Account, error) { return Account{}, errors.New("away") }
		}, want: "does not answer"},
		"refused": {want: "no such account", opens: tries},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, out := purse(t, c.change), &container{}
			if _, err := p.Terms(h); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan struct{})
			go func() { p.Run(ctx, out.say); close(done) }()
			for range c.opens {
				synctest.Wait()
				p.Heard(control.Escrow{State: control.EscrowRefused, Text: "no such account", Total: "0"})
				time.Sleep(time.Second)
			}
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatal(what, "it tries for ever")
			}
			if r := p.Report(); !strings.Contains(r.Failed, c.want) || len(out.said) != c.opens {
				t.Errorf("%s: %+v; said %v", what, r, out.said)
			}
		})
	}
}

// With a faucet a new account orders at once: the gift is in the pool before the order, but
// long before anybody can prove it. What is refused for want of money is tried again soon,
// and counts as no try.
func TestNewAccountsOrderAtOnce(t *testing.T) {
	h := headers(t, nil)
	synctest.Test(t, func(t *testing.T) {
		p, c := purse(t, func(o *Options) {
			o.Faucet, o.Gift, o.TxFee = true, 20_000*100+2000, 1000
			o.Account = func(context.Context) (Account, error) { return Account{TimeMS: 1_780_000_000_000}, nil }
		}), &container{}
		if _, err := p.Terms(h); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go p.Run(ctx, c.say)
		x := c.last(t)
		if op := x.Body.GetOpen(); op.GetSeconds() != 100 || x.Body.GetNonce() != 0 || x.Body.GetValidUntilMs() != 1_780_000_120_000 {
			t.Fatalf("%+v", x.Body)
		}
		for n := range 2 * tries {
			p.Heard(control.Escrow{State: control.EscrowRefused, Code: control.CodeMoney, Text: "the account does not have that much", Total: "0"})
			synctest.Wait()
			time.Sleep(moneyEvery)
			synctest.Wait()
			c.mu.Lock()
			said := len(c.said)
			c.mu.Unlock()
			if said != n+2 {
				t.Fatalf("%d orders after %d refusals", said, n+1)
			}
		}
		p.Heard(locked(p, 1_780_000_000_500, "0", 100))
		synctest.Wait()
		if r := p.Report(); r.Escrow != 100 || r.Locked.IsZero() || r.Failed != "" {
			t.Errorf("%+v", r)
		}
	})
}

// The gift never comes: after a while the player is told.
func TestAGiftThatNeverComes(t *testing.T) {
	h := headers(t, nil)
	synctest.Test(t, func(t *testing.T) {
		p := purse(t, func(o *Options) {
			o.Faucet, o.Gift = true, 1<<40
			o.Account = func(context.Context) (Account, error) { return Account{}, nil }
		})
		if _, err := p.Terms(h); err != nil {
			t.Fatal(err)
		}
		orders := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.Run(t.Context(), func(control.Message) {
				orders++
				p.Heard(control.Escrow{State: control.EscrowRefused, Code: control.CodeMoney, Text: "nothing there", Total: "0"})
			})
		}()
		time.Sleep(moneyFor + tries*retryEvery + time.Second)
		synctest.Wait()
		if r := p.Report(); !strings.Contains(r.Failed, "nothing there") || orders > int(moneyFor/moneyEvery)+tries+1 {
			t.Errorf("%d orders, %+v", orders, r)
		}
	})
}
