package demo

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node/testnet"
)

// Ledger is what the session did to the ledger, to the base unit, as a node that keeps the
// chain sees it. Amounts are strings: JSON numbers end at 2^53.
type Ledger struct {
	Height     uint64 `json:"height"`
	AppHash    string `json:"app_hash"` // root of the state after the block of that height
	Validators int    `json:"validators"`
	Epoch      uint64 `json:"epoch"`
	// SupplyOK says that every purse of the state, visited one by one, and all that was
	// burned add up to the supply of the genesis.
	SupplyOK bool `json:"supply_ok"`

	LockedMS  float64 `json:"locked_ms"`                // from the first picture until the escrow was locked
	Escrow    uint64  `json:"escrow,string"`            // set aside for the session
	Seconds   uint64  `json:"seconds"`                  // of play that were paid
	PerSecond uint64  `json:"per_second,string"`        //
	Gross     uint64  `json:"gross,string"`             // Seconds · PerSecond
	Container uint64  `json:"paid_to_container,string"` // Gross less Fee
	Fee       uint64  `json:"fee,string"`               // DAO + Burned + Indexers
	DAO       uint64  `json:"fee_dao,string"`           //
	Indexers  uint64  `json:"fee_indexers,string"`      //
	Burned    uint64  `json:"burned,string"`            // of the fee
	Refund    uint64  `json:"refund,string"`            // Escrow less Gross
}

const (
	settleTimeout = time.Minute
	settlePoll    = 100 * time.Millisecond
)

// newPurse is a player's money with a key of its own, what the demo's faucet gives, the witness
// that signs its inputs with that key, and the gateway that it asks.
func newPurse(ctx context.Context, n *testnet.Net) (*purse.Purse, *purse.Witness, *purse.Gateway, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	base, err := url.Parse(n.URL())
	if err != nil {
		return nil, nil, nil, err
	}
	gateway := purse.NewGateway(base, nil)
	_, gift, err := gateway.Faucet(ctx)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("demo: %w", err)
	}
	g := n.Genesis()
	money, err := purse.New(purse.Options{Key: k, Network: n.Network(), Chain: g.ChainID, TxFee: g.Params.TxFee, Faucet: true, Gift: gift,
		Account: func(ctx context.Context) (purse.Account, error) {
			return gateway.Account(ctx, key.Address(k[ed25519.SeedSize:]))
		}})
	if err != nil {
		return nil, nil, nil, err
	}
	witness, err := purse.NewWitness(n.Network(), k)
	return money, witness, gateway, err
}

// settlement waits until the session of a player is settled in a block after from.
func settlement(ctx context.Context, n *testnet.Net, player key.Address, from uint64) (*Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	c := n.Chain()
	if c == nil {
		return nil, errors.New("demo: no peer keeps the ledger's chain")
	}
	for h := from + 1; ; {
		for ; h <= c.Head().Height; h++ {
			results, err := c.Results(h)
			if errors.Is(err, chain.ErrNotFound) {
				break // committed, and not written down yet
			}
			if err != nil {
				return nil, err
			}
			if l := settled(results, player); l != nil {
				return l, l.look(c, n.Genesis().Supply)
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("demo: the session was not settled within %v: %w", settleTimeout, ctx.Err())
		case <-time.After(settlePoll):
		}
	}
}

// settled finds a player's settlement among the results of a block.
func settled(results []*abci.ExecTxResult, player key.Address) *Ledger {
	for _, r := range results {
		for _, e := range r.Events {
			if e.Type != "session_settled" {
				continue
			}
			at := map[string]string{}
			for _, a := range e.Attributes {
				at[a.Key] = a.Value
			}
			if at["player"] != player.String() {
				continue
			}
			num := func(k string) uint64 {
				v, _ := strconv.ParseUint(at[k], 10, 64) // a missing one fails the sums
				return v
			}
			return &Ledger{Seconds: num("seconds"), Gross: num("gross"), Container: num("host"), Fee: num("fee"),
				DAO: num("dao"), Indexers: num("indexers"), Burned: num("burned"), Refund: num("refund")}
		}
	}
	return nil
}

// look adds where the chain stands and whether all money is still there.
func (l *Ledger) look(c *chain.Chain, supply uint64) error {
	h := c.Head()
	l.Height, l.AppHash, l.Validators, l.Epoch = h.Height, hex.EncodeToString(h.AppHash[:]), h.Validators, h.Epoch
	return c.View(func(r state.Reader) error {
		t, err := state.Walk(r)
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
		sum, ok := t.Sum()
		l.SupplyOK = ok && sum == supply && t == running
		return nil
	})
}

// judge says what does not add up.
func (l *Ledger) judge(p purse.Report, firstFrame time.Time) (wrong []string) {
	l.LockedMS = max(float64(p.Locked.Sub(firstFrame).Microseconds())/1000, 0)
	l.PerSecond, l.Escrow = p.PerSecond, p.PerSecond*uint64(p.Escrow)
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{!l.SupplyOK, "the ledger's purses do not add up to the supply"},
		{l.Seconds == 0, "no second of play was paid"},
		{l.Gross != l.Seconds*l.PerSecond, "the container was not paid by the second"},
		{l.Gross > p.Paid || l.Gross < p.Paid && p.Taken >= p.Vouchers, "what was settled is not what the player promised last"},
		{l.Container+l.Fee != l.Gross, "the container's part and the fee are not the price"},
		{l.DAO+l.Indexers+l.Burned != l.Fee, "the parts of the fee are not the fee"},
		{l.Gross+l.Refund != l.Escrow, "price and refund are not the escrow"},
	} {
		if c.bad {
			wrong = append(wrong, c.what)
		}
	}
	return wrong
}
