package node

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/framemesh/framemesh/actors/accuse"
	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/indexer/match"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// accuseRPC is how a node without an account shows a wrong match to a checker.
const accuseRPC = "check/accuse"

// accuseLimits: a wrong match is rare. What is handed in is looked at one by one.
var accuseLimits = rpc.Limits{MaxRequest: match.MaxCertificateBytes + 256, MaxResponse: 64, ReadTimeout: 2 * time.Second, Timeout: 2 * time.Second,
	PerPeerRate: rate.Limit(0.1), Burst: 3, MaxConcurrent: 4, MaxPerPeer: 1}

// maxAsked is how many checkers are shown a wrong match, and enough how many are to take it.
const (
	maxAsked = 8
	enough   = 2
)

// startAccuser lets this node report wrong matches, or hand them to checkers who can.
func (n *Node) startAccuser(context.Context) (func(context.Context) error, error) {
	l := n.Ledger()
	if l == nil {
		return nil, nil
	}
	b, k, err := n.book()
	if err != nil {
		return nil, err
	}
	a, err := accuse.New(accuse.Options{Chain: l.Chain(), Matcher: match.Rules{}, Ledger: tribunal{b, k},
		HandOver: n.handOver, Keep: n.keepMatch, Log: n.log})
	if err != nil {
		return nil, err
	}
	if n.cfg.Has(RoleChecker) {
		rpc.Handle(n.server, accuseRPC, accuseLimits, func(_ context.Context, _ peer.ID, req *wire.AccuseRequest) (*wire.AccuseResponse, error) {
			if !a.Take(req.GetCertificate()) {
				return nil, rpc.Errorf(wire.Code_BUSY, "this checker has it already, or has too many to look at; show it to another")
			}
			return new(wire.AccuseResponse), nil
		})
	}
	n.accuser.Store(a)
	return func(ctx context.Context) error {
		n.accuser.Store(nil)
		return a.Stop(ctx)
	}, nil
}

// accuse takes a certificate that somebody here does not believe.
func (n *Node) accuse(sealed []byte) {
	if a := n.accuser.Load(); a != nil {
		a.Take(sealed)
	}
}

// handOver shows a certificate to checkers of this node's region.
func (n *Node) handOver(ctx context.Context, sealed []byte) error {
	checkers, err := n.p2p.Discovery().Find(ctx, string(RoleChecker), n.cfg.Region, maxAsked)
	if err != nil {
		return fmt.Errorf("node: no checker is found: %w", err)
	}
	taken := 0
	var last error = errors.New("node: no checker is found; try again in a minute")
	for _, c := range checkers {
		n.remember(c)
		if err := n.client.Call(ctx, c.ID, accuseRPC, &wire.AccuseRequest{Certificate: sealed}, new(wire.AccuseResponse)); err != nil {
			last = err
			continue
		}
		if taken++; taken == enough {
			break
		}
	}
	if taken == 0 {
		return last
	}
	return nil
}

func (n *Node) remember(p peer.AddrInfo) { hostNetwork{n.p2p.Host()}.Remember(p) }

// keepMatch writes a proof where `framemesh proof list` finds it.
func (n *Node) keepMatch(f *tx.FraudProof, seed [32]byte) error {
	b, err := proof.EncodeFile(proof.FraudFile(n.Ledger().Chain(), f.GetEpoch(), seed, f))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	return record.Write(filepath.Join(ProofsDir(n.dir), hex.EncodeToString(sum[:])+checker.ProofSuffix), b)
}

// tribunal shows the ledger to who accuses.
type tribunal struct {
	book
	key ed25519.PrivateKey
}

var _ accuse.Ledger = tribunal{}

// Judge implements accuse.Ledger.
func (t tribunal) Judge(ctx context.Context, sealed []byte) (*tx.FraudProof, proof.Conviction, error) {
	return state.JudgeMatch(t.Records(ctx), t.Chain(), match.Rules{}, sealed)
}

// Height implements accuse.Ledger.
func (t tribunal) Height() uint64 { return t.Status().Head.Height }

// Report implements accuse.Ledger: the node key signs for the account that owns the node.
func (t tribunal) Report(ctx context.Context, f *tx.FraudProof) error {
	e, ok, err := t.Node(ctx, t.self)
	if err != nil {
		return err
	}
	if !ok {
		return accuse.ErrNoAccount
	}
	_, err = t.Ledger.Send(ctx, ledgeractor.Signer{Key: t.key, Account: e.Owner}, &tx.Body{Op: &tx.Body_Fraud{Fraud: f}})
	switch {
	case errors.Is(err, state.ErrReported), errors.Is(err, state.ErrPunished):
		return fmt.Errorf("%w: %w", accuse.ErrSettled, err)
	case errors.Is(err, state.ErrDelegation), errors.Is(err, state.ErrFee), errors.Is(err, state.ErrFunds):
		return fmt.Errorf("%w: %w", accuse.ErrNoAccount, err)
	}
	return err
}
