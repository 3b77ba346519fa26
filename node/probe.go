package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker/probe"
	"github.com/framemesh/framemesh/actors/gpu"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	spending "github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// refillEvery is how often the purse of hidden sessions is looked at, in epochs.
const refillEvery = 2

// bank shows the ledger to a wallet of hidden players.
type bank struct{ *ledgeractor.Ledger }

var _ probe.Bank = bank{}

// Account implements probe.Bank.
func (b bank) Account(ctx context.Context, a key.Address) (spending.Account, error) {
	acct, err := b.Ledger.Account(ctx, a)
	return spending.Account{Balance: acct.Balance, Nonce: acct.Nonce}, err
}

// Transfer implements probe.Bank.
func (b bank) Transfer(ctx context.Context, from ed25519.PrivateKey, to key.Address, sum uint64) error {
	_, err := b.Send(ctx, ledgeractor.Signer{Key: from}, &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to[:], Amount: sum}}})
	return err
}

// gatewaysToPlay are those that hidden sessions go through.
func (n *Node) gatewaysToPlay() []string {
	if n.o.Gateways != nil {
		return n.o.Gateways()
	}
	return n.cfg.Proof.PlayGateways
}

// startProbe lets a checker play now and then as a customer, when it is told through which
// gateways.
func (n *Node) startProbe(ctx context.Context) (func(context.Context) error, error) {
	c := &n.cfg.Proof
	if !n.rounds() || c.PlayEvery == 0 || len(c.PlayGateways) == 0 && n.o.Gateways == nil {
		return nil, nil
	}
	l, rounds := n.Ledger(), n.Rounds()
	limit, err := amount.Parse(c.PlayLimit)
	if err != nil {
		return nil, fmt.Errorf("proof.play_limit: %w", err)
	}
	fee := l.Params().TxFee
	wallet, err := probe.OpenWallet(filepath.Join(n.dir, "probe", "wallet.json"), bank{l}, uint64(limit)+2*fee, fee)
	if err != nil {
		return nil, err
	}
	guest, err := probe.NewGuest(probe.GuestOptions{Network: n.cfg.Network, Chain: l.Chain(), Gateways: n.gatewaysToPlay, TxFee: fee,
		Ceiling: c.PlayCeiling, Limit: uint64(limit), Wallet: wallet, Log: n.log})
	if err != nil {
		return nil, err
	}
	p, err := probe.New(probe.Options{Visitor: guest, Deliver: rounds.Measured, EpochStart: l.EpochStart, Every: uint64(c.PlayEvery),
		Duties: func(ctx context.Context) (probe.Duty, error) {
			d, err := rounds.Duties(ctx)
			return probe.Duty{Epoch: d.Epoch, Containers: d.Containers, VoteMS: d.VoteMS}, err
		},
		Now: n.o.Now, Log: n.log, Registerer: n.reg})
	if err != nil {
		return nil, err
	}
	n.log.Info("this checker plays now and then to measure containers; fill its purse from an account of its own", "purse", wallet.Purse(), "gateways", c.PlayGateways)
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	refill, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.refill(refill, wallet)
	}()
	return func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
		case <-ctx.Done():
		}
		return p.Stop(ctx)
	}, nil
}

// refill keeps money with the hidden players; an empty purse is said once.
func (n *Node) refill(ctx context.Context, w *probe.Wallet) {
	l, empty := n.Ledger(), false
	for {
		err := w.Refill(ctx)
		switch {
		case errors.Is(err, probe.ErrMoney) && !empty:
			n.log.Info("hidden sessions have no money of their own; they are played only where a gateway gives players some", "err", err)
		case err != nil && !errors.Is(err, probe.ErrMoney) && ctx.Err() == nil:
			n.log.Debug("the purse of hidden sessions", "err", err)
		}
		empty = errors.Is(err, probe.ErrMoney)
		at := l.EpochStart(l.Epoch() + refillEvery)
		if !sleepUntil(ctx, n.o.Now, at) {
			return
		}
	}
}

// checkPlay says what is wrong with the settings of hidden sessions.
func (c *ProofConfig) checkPlay() (where, try string) {
	switch {
	case c.PlayEvery < 0 || c.PlayEvery > 10_000:
		return "proof.play_every", "use 0 (never) to 10000 epochs"
	case len(c.PlayGateways) > 64:
		return "proof.play_gateways", "use at most 64"
	}
	for _, g := range c.PlayGateways {
		if u, err := url.Parse(g); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return "proof.play_gateways", fmt.Sprintf("%.80q is no address of a gateway; write it as a browser opens it, such as https://play.example", g)
		}
	}
	if _, err := amount.Parse(c.PlayLimit); err != nil {
		return "proof.play_limit", `use an amount of FRM, such as "20"`
	}
	return "", ""
}

// startWorkers is how this node starts the workers of its sessions: one that cheats leaves
// out pictures.
func (n *Node) startWorkers() gpu.StartFunc {
	c := n.o.Cheat
	if c == nil || c.Who != cheat.Session || c.Name != "drop" {
		return gpu.StartWorker
	}
	return func(spec worker.Spec, sink worker.Sink) (gpu.Process, error) {
		spec.Thin = thinned
		return gpu.StartWorker(spec, sink)
	}
}

// thinned is how many ticks a container that drops pictures makes one of.
const thinned = 4

// sleepUntil waits for a moment in ms of unix time, at least a second; false when ctx ends.
func sleepUntil(ctx context.Context, now func() time.Time, ms uint64) bool {
	t := time.NewTimer(max(time.UnixMilli(int64(ms)).Sub(now()), time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
