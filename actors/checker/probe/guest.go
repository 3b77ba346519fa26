package probe

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/gpu/cell"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// GuestOptions are what a guest needs. Those marked with * are needed.
type GuestOptions struct {
	Network, Chain string          // *
	Gateways       func() []string // * URLs of public gateways, as a browser would open them
	TxFee          uint64          // base units
	Ceiling        uint64          // µUSD an hour; dearer containers are not matched
	Limit          uint64          // base units that one session may cost; 0 = no bound
	Wallet         *Wallet         // nil: only where the gateway gives players money
	Watch          []string        // command of the process that reads pictures; empty = this binary's
	App            string          // to play; "" = a random one
	Log            *slog.Logger
}

// Guest plays as a customer does: through a public gateway, matched by indexers, paying by
// the second.
type Guest struct {
	o GuestOptions
}

var _ Visitor = (*Guest)(nil)

// NewGuest checks the options.
func NewGuest(o GuestOptions) (*Guest, error) {
	if o.Network == "" || o.Chain == "" || o.Gateways == nil {
		return nil, fmt.Errorf("%w: Network, Chain and Gateways are needed", ErrOptions)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Guest{o}, nil
}

const (
	firstWait = 20 * time.Second
	leaveWait = 5 * time.Second
	maxLooks  = 128 // pictures that wait to be read
)

// Visit implements Visitor. An error means that nothing was measured; a container that
// answered and showed nothing was.
func (g *Guest) Visit(ctx context.Context, plan Plan) (*Visit, error) {
	all := g.o.Gateways()
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no gateway is known", ErrOptions)
	}
	base, err := url.Parse(all[mrand.IntN(len(all))])
	if err != nil {
		return nil, fmt.Errorf("probe: gateway: %w", err)
	}
	c := &http.Client{Transport: browser{http.DefaultTransport}}
	gateway := purse.NewGateway(base, c)
	app, err := g.choose(ctx, gateway)
	if err != nil {
		return nil, err
	}
	money, k, err := g.money(ctx, gateway)
	if err != nil {
		return nil, err
	}
	witness, err := purse.NewWitness(g.o.Network, k)
	if err != nil {
		return nil, err
	}
	v := &purse.Verifier{Network: g.o.Network}
	t := &Trace{App: app.sha}
	eyes := g.open(t)
	u := base.JoinPath("whep", app.ID)
	q := url.Values{}
	for _, n := range plan.Avoid {
		if id, err := n.Peer(); err == nil {
			q.Add("exclude", id.String())
		}
	}
	if g.o.Ceiling > 0 {
		q.Set("price", strconv.FormatUint(g.o.Ceiling, 10))
	}
	u.RawQuery = q.Encode()
	var mu sync.Mutex // of the trace's lists, which the player's goroutines fill
	o := player.Options{URL: u.String(), HTTPClient: c, Log: g.o.Log, Verify: v.Verify, Discreet: true, Seed: mrand.Uint64(), Key: money.PlayerKey(),
		Payer: money, Witness: witness, FirstCell: plan.FirstCell, OnPicture: eyes.picture,
		OnInput: func(at time.Time) { mu.Lock(); t.Inputs = append(t.Inputs, at); mu.Unlock() }}
	type asked struct {
		nonce [8]byte
		at    time.Time
	}
	var cells []asked
	o.OnCell = func(nonce [8]byte, at time.Time) { mu.Lock(); cells = append(cells, asked{nonce, at}); mu.Unlock() }

	p, err := player.Play(ctx, o)
	if err != nil {
		eyes.close()
		return nil, err
	}
	first, cancel := context.WithTimeout(ctx, firstWait)
	seen := p.FirstFrame(first)
	cancel()
	if seen == nil {
		length := plan.Length
		if per := money.Report().PerSecond; g.o.Limit > 0 && per > 0 {
			length = min(length, time.Duration(g.o.Limit/per)*time.Second)
		}
		watch, done := context.WithTimeout(ctx, length)
		if money.Missed(watch, p, gateway) {
			left := money.Leave(ctx, gateway) // as customers do
			g.o.Log.Info("a container went from a measured session", "told", left.Told, "closing", left.Closing)
		}
		<-watch.Done()
		done()
	}
	owner, _ := hex.DecodeString(p.Header().Get(whep.HeaderOwnerToken)) // a wrong one shows no strip
	t.Report = p.Report()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWait)
	defer cancel()
	if err := p.Stop(leave); err != nil {
		g.o.Log.Debug("a measured session did not end well", "err", err)
	}
	eyes.close()
	if ctx.Err() != nil {
		return nil, ctx.Err() // cut short by this node: not the container's doing
	}
	for _, a := range cells {
		t.Cells = append(t.Cells, Asked{a.at, cell.Code(owner, a.nonce)})
	}
	if t.Report.Decodable == 0 && !t.Report.Connected {
		return nil, fmt.Errorf("probe: no connection came about, for which either end may be the cause: %w", seen)
	}
	n, err := key.NodeOf(v.Container)
	if err != nil {
		return nil, err
	}
	return &Visit{Container: n, Sample: Sample(t), Paid: money.Report().Paid}, nil
}

// game is an app as a gateway's catalogue has it.
type game struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Category string `json:"category"`
	sha      [32]byte
}

// choose picks what to play: one of the games, as people do, not one of the test cards.
func (g *Guest) choose(ctx context.Context, gateway *purse.Gateway) (game, error) {
	var answer struct {
		Apps []game `json:"apps"`
	}
	if err := gateway.Ask(ctx, "api/apps", &answer); err != nil {
		return game{}, fmt.Errorf("probe: %w", err)
	}
	var fit []game
	for _, a := range answer.Apps {
		raw, err := hex.DecodeString(a.ID)
		if err != nil || len(raw) != 32 || g.o.App == "" && a.Category != "game" || g.o.App != "" && a.Name != g.o.App {
			continue
		}
		a.sha = [32]byte(raw)
		fit = append(fit, a)
	}
	if len(fit) == 0 {
		return game{}, ErrNothing
	}
	return fit[mrand.IntN(len(fit))], nil
}

// money is a purse for one session: of a player of the wallet, or where players are given
// money, of a new one like theirs.
func (g *Guest) money(ctx context.Context, gateway *purse.Gateway) (*purse.Purse, ed25519.PrivateKey, error) {
	gives, gift, err := gateway.Faucet(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("probe: %w", err)
	}
	var k ed25519.PrivateKey
	switch {
	case gives:
		_, k, err = ed25519.GenerateKey(rand.Reader)
	case g.o.Wallet != nil:
		k, err = g.o.Wallet.Take(ctx)
	default:
		err = ErrMoney
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := purse.New(purse.Options{Key: k, Network: g.o.Network, Chain: g.o.Chain, TxFee: g.o.TxFee, Ceiling: g.o.Ceiling, Faucet: gives, Gift: gift,
		Account: func(ctx context.Context) (purse.Account, error) {
			return gateway.Account(ctx, key.Address(k[ed25519.SeedSize:]))
		}})
	return p, k, err
}

// browser says in its requests what a common browser says.
type browser struct{ next http.RoundTripper }

func (b browser) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for k, v := range map[string]string{
		"User-Agent":      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Accept-Language": "en-US,en;q=0.9", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"} {
		r.Header.Set(k, v)
	}
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "*/*")
	}
	return b.next.RoundTrip(r)
}

// eyes read pictures beside the player, which they never hold up.
type eyes struct {
	t    *Trace
	in   chan unit
	done chan struct{}
	mu   sync.Mutex
	shut bool
}

type unit struct {
	au []byte
	at time.Time
}

// open starts to read; where there is no decoder, nothing is read.
func (g *Guest) open(t *Trace) *eyes {
	e := &eyes{t: t, in: make(chan unit, maxLooks), done: make(chan struct{})}
	go e.run(g)
	return e
}

func (e *eyes) run(g *Guest) {
	defer close(e.done)
	w, err := worker.Watch(g.o.Watch...)
	if err != nil {
		g.o.Log.Warn("pictures of measured sessions are not looked at", "err", err)
	} else {
		defer func() { _ = w.Close() }()
	}
	for u := range e.in {
		if err != nil {
			e.t.Blind = true
			continue
		}
		var s worker.Seen
		if s, err = w.Look(u.au); err == nil && s.Picture {
			e.t.Looks = append(e.t.Looks, Look{At: u.at, Hash: s.Hash, Strip: s.Strip, Code: s.Code})
		}
	}
}

// picture hands a picture on; one too many ends the reading of the session, since the next
// ones build on it.
func (e *eyes) picture(au []byte, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shut {
		return
	}
	select {
	case e.in <- unit{bytes.Clone(au), at}:
	default:
		e.shut = true
		close(e.in)
	}
}

// close waits until all that came is read.
func (e *eyes) close() {
	e.mu.Lock()
	late := e.shut
	if !e.shut {
		e.shut = true
		close(e.in)
	}
	e.mu.Unlock()
	<-e.done
	e.t.Blind = e.t.Blind || late
}
