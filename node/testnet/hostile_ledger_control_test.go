package testnet

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pay "github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// told collects what a container says on a control channel.
type told struct {
	mu  sync.Mutex
	all []control.Message
}

func (s *told) hear(m control.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all = append(s.all, m); len(s.all) > 1000 {
		s.all = s.all[500:]
	}
}

// money are the words about money among them.
func (s *told) money() (out []control.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.all {
		switch m.(type) {
		case control.Escrow, control.Pay:
			out = append(out, m)
		}
	}
	return out
}

// refusals are the words with which transactions were refused.
func (s *told) refusals() (out []string) {
	for _, m := range s.money() {
		if e, ok := m.(control.Escrow); ok && e.State == control.EscrowRefused {
			out = append(out, e.Text)
		}
	}
	return out
}

// join comes to a session with one of its tokens.
func join(t *testing.T, n *Net, owner *player.Player, token string, o player.Options) (*player.Player, *told) {
	t.Helper()
	ears := &told{}
	h := owner.Header()
	o.OnMessage = ears.hear
	o.URL = n.URL() + "whep/" + game + "?session=" + h.Get("Framemesh-Session") + "&token=" + h.Get(token)
	return launched(t, o), ears
}

// orders are transactions that a page may not have the container hand on for a session.
func orders(t *testing.T, n *Net, k ed25519.PrivateKey, container []byte, session [16]byte, perSecond, price uint64) map[string][]byte {
	t.Helper()
	chain := n.Genesis().ChainID
	sign := func(chain string, k ed25519.PrivateKey, b *tx.Body) []byte {
		raw, err := tx.Sign(chain, k, b)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	open := func(change func(*tx.OpenSession)) *tx.Body {
		o := &tx.OpenSession{Container: container, Session: session[:], PriceMicroUsdPerHour: price, PerSecond: perSecond, Seconds: 600, Quotes: n.Find("gateway-1").Ledger().Quotes()}
		if change != nil {
			change(o)
		}
		return &tx.Body{Nonce: account(t, n, addressOf(k)).Nonce, Op: &tx.Body_Open{Open: o}}
	}
	topUp := func(id [16]byte) *tx.Body {
		return &tx.Body{Nonce: account(t, n, addressOf(k)).Nonce, Op: &tx.Body_TopUp{TopUp: &tx.TopUp{Container: container, Session: id[:], Seconds: 60}}}
	}
	stranger := newKey(t)
	return map[string][]byte{
		"noise":                random(300),
		"another's signature":  sign(chain, stranger, open(nil)),
		"another chain":        sign("another", k, open(nil)),
		"another machine":      sign(chain, k, open(func(o *tx.OpenSession) { o.Container = random(32) })),
		"another session":      sign(chain, k, open(func(o *tx.OpenSession) { o.Session = random(16) })),
		"a lower price":        sign(chain, k, open(func(o *tx.OpenSession) { o.PerSecond-- })),
		"a transfer":           transfer(t, n, k, 0, 1, 0),
		"another's addition":   sign(chain, stranger, topUp(session)),
		"an addition to other": sign(chain, k, topUp([16]byte(random(16)))),
	}
}

// hostilePages is what a page may say about money, said by those who may not, and said
// wrongly by the one who may: it moves nothing, and the game that is paid for goes on.
func hostilePages(t *testing.T, n *Net, honest *player.Player, money *pay.Purse, mine ed25519.PrivateKey, own *told, goesOn func(string)) {
	victim := n.Find("container-1")
	id := sessionID(t, honest)
	terms := termsOf(t, honest, money)
	before := figure(t, victim, "framemesh_stream_messages_refused_total")

	// a watcher pays for the owner
	k := newKey(t)
	p, ears := join(t, n, honest, whep.HeaderWatchToken, player.Options{Key: hex.EncodeToString(k[ed25519.SeedSize:])})
	said := 0
	for _, raw := range orders(t, n, k, terms.Container[:], id, terms.PerSecond, money.Report().Price) {
		p.Say(control.Open{Tx: control.EncodeTx(raw)})
		p.Say(control.TopUp{Tx: control.EncodeTx(raw)})
		p.Say(pay.Message(voucher.Sign(terms, k, 1<<40, 3000)))
		said += 3
	}
	until(t, "a watcher's words about money are refused and counted", patience, func() bool {
		return figure(t, victim, "framemesh_stream_messages_refused_total")-before >= float64(said)
	})
	goesOn("a watcher who pays")
	if got := ears.money(); len(got) > 0 {
		t.Errorf("who is not the owner hears of its money: %v", got)
	}
	stop(t, p)
	if s, _ := served(t, n, id); s.BadVouchers > 0 {
		t.Errorf("%d vouchers of others held against the owner", s.BadVouchers)
	}

	// the owner's own page goes mad: too much at once, far too long and no base64 at all,
	// which the channel itself refuses
	before = figure(t, victim, "framemesh_stream_messages_refused_total")
	for i := range each {
		honest.Say(control.Open{Tx: strings.Repeat("A", 1+i*19)})
		honest.Say(control.TopUp{Tx: string(random(50))})
		honest.Say(control.Escrow{State: control.EscrowLocked, Total: "1", Seconds: 1 << 30})
		honest.Say(control.Pay{State: control.PayOK, Paid: "99999999999"})
	}
	until(t, "a flood is refused", patience, func() bool {
		return figure(t, victim, "framemesh_stream_messages_refused_total")-before >= 3*each
	})
	goesOn("a flood of junk about money")
	var wanted int
	for what, raw := range orders(t, n, mine, terms.Container[:], id, terms.PerSecond, money.Report().Price) {
		for _, m := range []control.Message{control.Open{Tx: control.EncodeTx(raw)}, control.TopUp{Tx: control.EncodeTx(raw)}} {
			had := len(own.refusals())
			var last time.Time
			until(t, what+" is refused in words", patience, func() bool {
				if time.Since(last) > 500*time.Millisecond { // one that came too soon after the flood is not read
					last = time.Now()
					honest.Say(m)
				}
				return len(own.refusals()) > had
			})
			wanted++
		}
	}
	goesOn("orders that are none")
	if r := money.Report(); r.Escrow != 600 {
		t.Errorf("the escrow is of %d s", r.Escrow)
	}
	t.Logf("%d orders refused: %q", wanted, slices.Compact(slices.Sorted(slices.Values(own.refusals()))))
}

func stop(t *testing.T, p *player.Player) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// hostileVouchers do not hold and cover nothing: the game stops after the credit, and after many
// of them it ends. What settles is the last one that held.
func hostileVouchers(t *testing.T, n *Net) {
	var mu sync.Mutex
	var first *control.Voucher // of the player who replays
	type spoiler func(v control.Voucher, terms voucher.Terms, k ed25519.PrivateKey) []control.Message
	kinds := map[string]spoiler{
		"false": func(v control.Voucher, terms voucher.Terms, k ed25519.PrivateKey) []control.Message {
			forged, foreign := v, terms
			forged.Sig = strings.Repeat("0", 128)
			foreign.Chain = "another"
			return []control.Message{forged, pay.Message(voucher.Sign(terms, k, v.Seq, 100_000)),
				pay.Message(voucher.Sign(foreign, k, v.Seq, v.Seconds)), pay.Message(voucher.Sign(terms, newKey(t), v.Seq, v.Seconds))}
		},
		"old": func(v control.Voucher, terms voucher.Terms, k ed25519.PrivateKey) []control.Message {
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = &v
			}
			older := pay.Message(voucher.Sign(terms, k, 1<<40, first.Seconds-1)) // a newer number for fewer seconds
			return []control.Message{*first, *first, older}
		},
	}
	players, began := map[string]*pay.Purse{}, n.Chain().Head().Height
	for what, spoil := range kinds {
		var terms voucher.Terms // once they are known; no voucher goes out before
		k := newKey(t)
		p, m := payer(t, n, func(o *pay.Options) {
			o.Key = k
			o.Alter = func(m control.Message) []control.Message {
				mu.Lock()
				now := terms
				mu.Unlock()
				v, ok := m.(control.Voucher)
				switch {
				case !ok:
					return []control.Message{m}
				case now.Chain == "":
					return nil
				}
				return spoil(v, now, k)
			}
		}, nil)
		known, id := termsOf(t, p, m), sessionID(t, p)
		mu.Lock()
		terms, players[what] = known, m
		mu.Unlock()
		until(t, what+" vouchers stop the game", patience, func() bool {
			covered := uint32(0)
			mu.Lock()
			if what == "old" && first != nil {
				covered = first.Seconds
			}
			mu.Unlock()
			s, ok := served(t, n, id)
			if !ok || s.Covered > covered || s.Served > s.Covered+voucher.Credit {
				t.Fatalf("%s vouchers: %+v", what, s)
			}
			return s.Covered == covered && s.BadVouchers > 0 && slices.ContainsFunc(p.Report().Notices, func(x control.Notice) bool {
				return x.Code == control.NoticeUnpaid && strings.Contains(x.Text, "not being paid")
			})
		})
		if what == "old" {
			stop(t, p)
			continue
		}
		until(t, "who sends nothing but false vouchers is put out", patience, func() bool {
			p.Say(control.Voucher{Seq: 1 << 50, Seconds: 1, Paid: "1", Sig: strings.Repeat("2", 128)})
			b := p.Report().Bye
			return b != nil && b.Code == control.ByeUnpaid
		})
	}
	var done map[string]map[string]uint64
	until(t, "both are settled", patience, func() bool { done = settlements(t, n, began); return len(done) == 2 })
	liar, old := players["false"], players["old"]
	if got := done[liar.Address().String()]; got["gross"] != 0 || got["refund"] != 600*liar.Report().PerSecond {
		t.Errorf("false vouchers settled for %v", got)
	}
	if got := done[old.Address().String()]; got["gross"] != uint64(first.Seconds)*old.Report().PerSecond {
		t.Errorf("old vouchers settled for %v, the first was %+v", got, first)
	}
}
