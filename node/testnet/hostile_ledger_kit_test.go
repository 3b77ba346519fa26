package testnet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	pay "github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// startPaid is a network with a ledger whose only validator also listens for others.
func startPaid(t *testing.T, o Options, change ...func(*Money)) *Net {
	t.Helper()
	o.Checkers, o.Money = max(o.Checkers, 1), &Money{EpochSeconds: 5, BlockMS: 250}
	for _, ch := range change {
		ch(o.Money)
	}
	o.Edit = func(name string, c *node.Config) {
		if name == "checker-1" {
			c.Ledger.Listen = "127.0.0.1:0"
		}
	}
	return start(t, o)
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func addressOf(k ed25519.PrivateKey) key.Address { return key.Address(k[ed25519.SeedSize:]) }

// account is what the chain says of an account.
func account(t *testing.T, n *Net, a key.Address) (out state.Account) {
	t.Helper()
	err := n.Chain().View(func(r state.Reader) error {
		b, err := r.Get(state.AccountKey(a))
		if err != nil || b == nil {
			return err
		}
		out, err = state.DecodeAccount(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// payer plays and pays with an account of its own that the faucet fills; change spoils it.
func payer(t *testing.T, n *Net, change func(*pay.Options), hear func(control.Message)) (*player.Player, *pay.Purse) {
	t.Helper()
	g := n.Genesis()
	k := newKey(t)
	o := pay.Options{Key: k, Network: n.Network(), Chain: g.ChainID, TxFee: g.Params.TxFee, Faucet: true,
		Account: func(ctx context.Context) (pay.Account, error) {
			a, err := n.Find("gateway-1").Ledger().Account(ctx, addressOf(k))
			return pay.Account{Balance: a.Balance, Nonce: a.Nonce}, err
		}}
	if change != nil {
		change(&o)
		k = o.Key
	}
	money, err := pay.New(o)
	if err != nil {
		t.Fatal(err)
	}
	witness, err := pay.NewWitness(n.Network(), k)
	if err != nil {
		t.Fatal(err)
	}
	p := launched(t, player.Options{URL: n.URL() + "whep/" + game, Payer: money, Witness: witness, Key: money.PlayerKey(), RandomInput: true, Seed: 1, OnMessage: hear})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = p.Leave(ctx)
	})
	return p, money
}

// honestPayer plays and pays; goesOn checks that pictures, vouchers and blocks still come.
func honestPayer(t *testing.T, n *Net, change func(*pay.Options), hear func(control.Message)) (p *player.Player, money *pay.Purse, goesOn func(after string)) {
	t.Helper()
	p, money = payer(t, n, change, hear)
	for limit := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if m := money.Report(); m.Seconds > 0 && (m.State == control.PayOK || m.State == control.PayEndingSoon) {
			break
		}
		if time.Now().After(limit) {
			r := p.Report()
			t.Fatalf("no escrow is paid from: %+v, %+v, %+v, bye %+v; %+v; %v", money.Report(), r.Escrow, r.Payment, r.Bye, account(t, n, money.Address()), r.Notices)
		}
	}
	return p, money, func(after string) {
		t.Helper()
		seen, paid, height := p.Report().Decodable, money.Report().Seconds, n.Chain().Head().Height
		for limit := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			pictures, seconds, blocks := p.Report().Decodable-seen, money.Report().Seconds-paid, n.Chain().Head().Height-height
			if pictures >= 10 && seconds > 0 && blocks >= 2 && !heldUp(p) {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("%v after %s: %d pictures, %d s paid, %d blocks; %+v, %+v, %v", patience, after, pictures, seconds, blocks, money.Report(), p.Report().Payment, p.Report().Notices)
			}
		}
		r := p.Report()
		if r.Bye != nil {
			t.Fatalf("%s ended the session: %s", after, r.Bye.Text)
		}
		if m := money.Report(); m.Failed != "" {
			t.Fatalf("%s: the player cannot pay: %s", after, m.Failed)
		}
	}
}

// heldUp says whether the game is paused for want of money. A machine that stalls for longer than
// the credit pauses it for a moment; what matters is that it goes on.
func heldUp(p *player.Player) (paused bool) {
	for _, x := range p.Report().Notices {
		switch x.Code {
		case control.NoticeUnpaid:
			paused = true
		case control.NoticeResumed:
			paused = false
		}
	}
	return paused
}

// supplyIsExact visits every purse of the newest state.
func supplyIsExact(t *testing.T, n *Net) {
	t.Helper()
	err := n.Chain().View(func(r state.Reader) error {
		walked, err := state.Walk(r)
		if err != nil {
			return err
		}
		raw, err := r.Get(state.TotalsKey())
		if err != nil {
			return err
		}
		running, err := state.DecodeTotals(raw)
		if err != nil {
			return err
		}
		if sum, ok := walked.Sum(); !ok || sum != n.Genesis().Supply || walked != running {
			t.Errorf("supply %d: visited %+v, kept %+v", n.Genesis().Supply, walked, running)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// settlements are the sessions that blocks after a height have settled, by player.
func settlements(t *testing.T, n *Net, after uint64) map[string]map[string]uint64 {
	t.Helper()
	out := map[string]map[string]uint64{}
	for h := after + 1; h <= n.Chain().Head().Height; h++ {
		results, err := n.Chain().Results(h)
		if errors.Is(err, chain.ErrNotFound) {
			break // committed, and not written down yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			for _, e := range r.Events {
				if e.Type != "session_settled" {
					continue
				}
				figures, who := map[string]uint64{}, ""
				for _, a := range e.Attributes {
					if a.Key == "player" {
						who = a.Value
					} else if v, err := strconv.ParseUint(a.Value, 10, 64); err == nil {
						figures[a.Key] = v
					}
				}
				out[who] = figures
			}
		}
	}
	return out
}

// termsOf are the terms on which a player plays.
func termsOf(t *testing.T, p *player.Player, money *pay.Purse) voucher.Terms {
	t.Helper()
	id, err := peer.Decode(p.Header().Get(whep.HeaderContainer))
	if err != nil {
		t.Fatal(err)
	}
	node, err := key.NodeOf(id)
	if err != nil {
		t.Fatal(err)
	}
	return voucher.Terms{Chain: "demo", Container: node, Session: sessionID(t, p), Player: money.Address(), PerSecond: money.Report().PerSecond, Seconds: money.Report().Escrow}
}

// sessionID is the id of the session that a player plays in.
func sessionID(t *testing.T, p *player.Player) (id [16]byte) {
	t.Helper()
	b, err := hex.DecodeString(p.Header().Get("Framemesh-Session"))
	if err != nil || len(b) != len(id) {
		t.Fatal(p.Header())
	}
	return [16]byte(b)
}

// served is what the container counts for a session now; ok is false when it has none.
func served(t *testing.T, n *Net, id [16]byte) (s session.Summary, ok bool) {
	t.Helper()
	all, _ := sessions(t, n)
	for _, s := range all {
		if s.ID == id {
			return s, true
		}
	}
	return s, false
}

// asker asks the ledger protocol as a light client does.
type asker struct {
	host host.Host
	rpc  *rpc.Client
	to   peer.ID
}

func newAsker(t *testing.T, n *Net, at string) *asker {
	t.Helper()
	h := stranger(t)
	return &asker{host: h, rpc: rpc.NewClient(h, n.Network()), to: knows(t, h, n.Find(at))}
}

func (a *asker) leave() { _ = a.host.Close() }

func (a *asker) ask(ctx context.Context, req *light.Request) (*light.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp := new(light.Response)
	return resp, a.rpc.Call(ctx, a.to, "ledger", req, resp)
}

// submit gives a transaction to the peer; "" means taken, else the refusal.
func (a *asker) submit(ctx context.Context, raw []byte) (code string, err error) {
	resp, err := a.ask(ctx, &light.Request{Ask: &light.Request_Submit{Submit: &light.SubmitAsk{Tx: raw}}})
	if err != nil {
		return "", err
	}
	if r := resp.GetRefusal(); r != nil {
		return r.GetCode(), nil
	}
	if c := resp.GetSubmitted().GetCode(); c != 0 {
		return "code " + strconv.FormatUint(uint64(c), 10), nil
	}
	return "", nil
}

// transfer is a signed transfer of one base unit to nobody in particular.
func transfer(t *testing.T, n *Net, k ed25519.PrivateKey, nonce, amount, until uint64) []byte {
	t.Helper()
	raw, err := tx.Sign(n.Genesis().ChainID, k, &tx.Body{Nonce: nonce, ValidUntilMs: until,
		Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: random(32), Amount: amount}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
