package match

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Version names the rules by which matches are made and checked. They are rules of
// consensus, too: an indexer loses stake by them. Whoever changes what Verify takes or
// refuses gives them another name, and lets a network change over at a height.
const Version = "match-1"

// Rules are the rules of this package as the ledger asks for them.
type Rules struct{}

var _ proof.Matcher = Rules{}

// Version implements proof.Matcher.
func (Rules) Version() string { return Version }

// Open implements proof.Matcher.
func (Rules) Open(chain string, sealed []byte) (*proof.Match, error) {
	m, _, _, err := read(chain, sealed)
	return m, err
}

// Recompute implements proof.Matcher.
func (Rules) Recompute(chain string, sealed []byte) (m *proof.Match, wrong error, err error) {
	m, c, signer, err := read(chain, sealed)
	if err != nil {
		return nil, nil, err
	}
	for i := range m.Choices {
		look(c, c.GetTop()[i], chain, &m.Choices[i])
	}
	return m, verify(c, signer, chain), nil
}

// read opens a certificate and takes from it what the ledger is asked about. One that names
// another indexer than its signer is the signer's.
func read(chain string, sealed []byte) (*proof.Match, *wire.Certificate, peer.ID, error) {
	var c wire.Certificate
	signer, err := seal.Open(chain, seal.TypeMatch, sealed, MaxCertificateBytes, &c)
	switch {
	case errors.Is(err, seal.ErrSignature):
		return nil, nil, "", fmt.Errorf("%w: %w", proof.ErrSignature, err)
	case err != nil:
		return nil, nil, "", fmt.Errorf("%w: %w", proof.ErrMalformed, err)
	}
	m := new(proof.Match)
	if m.Indexer, err = key.NodeOf(signer); err != nil {
		return nil, nil, "", fmt.Errorf("%w: %w", proof.ErrMalformed, err)
	}
	if len(c.GetBeacon()) == len(m.Beacon) {
		m.Beacon = [32]byte(c.GetBeacon())
	}
	for _, raw := range c.GetDrawn()[:min(len(c.GetDrawn()), MaxDrawn)] {
		n, err := key.NodeOf(peer.ID(raw))
		if err != nil {
			m.Strange = true
			continue
		}
		m.Drawn = append(m.Drawn, n)
	}
	// Of more choices than there may be none is looked at: that alone is wrong.
	if len(c.GetTop()) <= MaxTop {
		for _, choice := range c.GetTop() {
			var one proof.MatchChoice
			if f := measuredOf(choice.GetMeasured()); f != nil {
				one.Figures = &proof.MatchFigures{Height: f.Height, Epoch: f.Epoch, Figures: proof.Figures{
					RPMilli: f.RPMilli, QualityPPM: f.QualityPPM, PriorityPPM: f.PriorityPPM, ProvenUntil: f.ProvenUntil}}
			}
			m.Choices = append(m.Choices, one)
		}
	}
	return m, &c, signer, nil
}

// look says what stands under the root for a choice, whatever else is wrong with it.
func look(c *wire.Certificate, choice *wire.Choice, chain string, out *proof.MatchChoice) {
	if len(c.GetCandidateRoot()) == len(hash{}) {
		leaf := leafOf(choice.GetAd(), measuredOf(choice.GetMeasured()))
		out.Held = holdsLeaf(hash(c.GetCandidateRoot()), leaf, choice.GetLeaf(), c.GetCandidates(), choice.GetPath())
	}
	var ad wire.Ad
	id, err := seal.Open(chain, seal.TypeAd, choice.GetAd(), MaxAdBytes, &ad)
	if err == nil {
		out.Container, err = key.NodeOf(id)
	}
	out.Forged = err != nil
}
