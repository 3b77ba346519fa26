package prove

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Answer opens tiles for one checker. Run may be called from any goroutine.
type Answer struct {
	chain  string
	key    ed25519.PrivateKey
	epoch  uint64
	asker  key.Node
	commit [32]byte
	roots  [][32]byte
	work   Rendering
	Picks  []proof.Pick
}

// Ask takes the question of a checker: these tiles of the commitment with this digest. A
// checker asks one question in an epoch; the same one again is answered a few times, for
// answers get lost. It returns ErrAsker, ErrNoCommit, ErrQuestion or ErrAsked.
func (p *Prover) Ask(now uint64, from key.Node, commit [32]byte, picks []proof.Pick) (*Answer, error) {
	c := p.checker(from)
	if c == nil {
		return nil, fmt.Errorf("%w: %s is neither in the committee nor in the reserve of epoch %d", ErrAsker, from, p.s.Epoch)
	}
	if p.commit == nil || p.work == nil || p.theirs(now) > p.s.Close {
		return nil, fmt.Errorf("%w: epoch %d", ErrNoCommit, p.s.Epoch)
	}
	if commit != p.commit.Digest {
		return nil, fmt.Errorf("%w: commitment %x is not the one of epoch %d, %x", ErrQuestion, commit[:8], p.s.Epoch, p.commit.Digest[:8])
	}
	if len(picks) == 0 || len(picks) > p.s.Picks {
		return nil, fmt.Errorf("%w: %d tiles, 1 to %d may be", ErrQuestion, len(picks), p.s.Picks)
	}
	tiles, _, _ := p.s.Kernel.Shape(p.size)
	h := sha256.New()
	for _, k := range picks {
		if int(k.Frame) >= len(p.roots) || k.Tile >= tiles {
			return nil, fmt.Errorf("%w: frame %d of %d, tile %d of %d", ErrQuestion, k.Frame, len(p.roots), k.Tile, tiles)
		}
		h.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, k.Frame), k.Tile))
	}
	question := [32]byte(h.Sum(nil))
	if c.answers > 0 && c.asked != question {
		return nil, fmt.Errorf("%w: by %s, other tiles", ErrAsked, from)
	}
	if c.answers >= answers {
		return nil, fmt.Errorf("%w: %d times by %s", ErrAsked, c.answers, from)
	}
	c.asked = question
	c.answers++
	// Whoever asks has the commitment.
	c.told = true
	return &Answer{p.s.Chain, p.s.Key, p.s.Epoch, from, p.commit.Digest, p.roots, p.work, picks}, nil
}

// Run opens the tiles and signs what it shows.
func (a *Answer) Run(ctx context.Context) (*proof.Opened, error) {
	items, err := a.work.Open(ctx, a.Picks)
	if err != nil {
		return nil, fmt.Errorf("prove: open %d tiles for %s: %w", len(a.Picks), a.asker, err)
	}
	o := &proof.Openings{Epoch: a.epoch, Checker: a.asker[:], Commit: a.commit[:], Items: items}
	for i := range a.roots {
		o.Roots = append(o.Roots, a.roots[i][:])
	}
	return proof.Sign(a.chain, a.key, &proof.Statement{Says: &proof.Statement_Openings{Openings: o}})
}
