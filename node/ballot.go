package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/blob"
	"github.com/framemesh/framemesh/p2p/check"
	"github.com/framemesh/framemesh/p2p/rpc"
)

// ErrNoBallot: nobody who was asked has the votes behind a result, as it was attested.
var ErrNoBallot = errors.New("node: none of the checkers that judged the batch gives its votes away")

const (
	maxBallot  = 4 << 20          // bytes of a ballot: 43 votes on 32 containers are a tenth of it
	ballotTime = 10 * time.Second // for one checker to be found and to answer
)

// Ballot asks checkers, one after the other, for the votes behind a result that the ledger
// names by its SHA-256, and returns the first file that comes to that result when it is judged
// again. It wraps ErrNoBallot, or is ctx's error.
func (d *LedgerDial) Ballot(ctx context.Context, from []peer.ID, result [32]byte) ([]byte, error) {
	calls := rpc.NewClient(d.node.Host(), d.node.Network())
	var causes []error
	for _, id := range from {
		b, err := d.ballotOf(ctx, calls, id, result)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("node: votes on a batch: %w", ctx.Err())
		}
		causes = append(causes, fmt.Errorf("%s: %w", id, err))
	}
	return nil, errors.Join(append([]error{ErrNoBallot}, causes...)...)
}

func (d *LedgerDial) ballotOf(ctx context.Context, calls *rpc.Client, id peer.ID, result [32]byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, ballotTime)
	defer cancel()
	if err := d.node.Host().Connect(ctx, peer.AddrInfo{ID: id}); err != nil {
		return nil, err
	}
	b, err := blob.Read(ctx, calls.Reading(blob.MaxChunk+blob.MaxManifest+1024), check.EvidenceName, id, result, maxBallot)
	if err != nil {
		return nil, err
	}
	return b, checkBallot(b, d.Genesis.ChainID, result)
}

// checkBallot says whether a file is the ballot of a result.
func checkBallot(b []byte, chain string, result [32]byte) error {
	f, err := proof.ParseFile(b)
	switch {
	case err != nil:
		return err
	case f.GetBallot() == nil || f.GetChain() != chain:
		return fmt.Errorf("%w: it is no ballot of this network", blob.ErrWrongData)
	case sha256.Sum256(f.GetBallot().GetResult()) != result:
		return fmt.Errorf("%w: the ballot is of another result", blob.ErrWrongData)
	}
	_, err = judge.Recount(f)
	return err
}
