package purse

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	indexermatch "github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/whep"
)

// Sizes in bytes that are read of strangers.
const (
	maxProof       = 4 << 10
	maxCertificate = indexermatch.MaxCertificateBytes
)

// match is which indexer led to the session; empty when that is not known.
type match struct{ indexer, sum []byte }

// Terms implements player.Payer: it reads what the container asks for in the proof of its
// answer. It wraps ErrTerms.
func (p *Purse) Terms(h http.Header) (paid bool, err error) {
	sealed, err := base64.StdEncoding.DecodeString(h.Get(whep.HeaderProof))
	if err != nil {
		return false, fmt.Errorf("%w: the proof is not base64", ErrTerms)
	}
	var proof wire.AnswerProof
	from, err := seal.Open(p.o.Network, seal.TypeAnswer, sealed, maxProof, &proof)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrTerms, err)
	}
	w := proof.GetTerms()
	if !w.GetPaid() {
		return false, nil
	}
	v := voucher.Terms{Chain: p.o.Chain, PerSecond: w.GetPerSecond(), Seconds: p.o.Planned, Player: p.Address()}
	if v.Container, err = key.NodeOf(from); err != nil {
		return false, fmt.Errorf("%w: %w", ErrTerms, err)
	}
	id, err := hex.DecodeString(h.Get(whep.HeaderSession))
	if err != nil || !bytes.Equal(id, proof.GetSessionId()) || len(id) != tx.SessionSize {
		return false, fmt.Errorf("%w: they are of another session", ErrTerms)
	}
	copy(v.Session[:], id)
	if err := p.check(w); err != nil {
		return false, fmt.Errorf("%w: %w", ErrTerms, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terms, p.wire, p.match = v, w, p.matched(h.Get(whep.HeaderCertificate))
	p.r.PerSecond, p.r.Price = w.GetPerSecond(), w.GetPriceMicroUsdPerHour()
	return true, nil
}

// check says what is wrong with terms: whether a second costs what the quotes give.
// Whether these are oracles of this ledger is checked there: it locks nothing otherwise.
func (p *Purse) check(w *wire.PayTerms) error {
	switch {
	case w.GetChain() != p.o.Chain:
		return fmt.Errorf("they are for the ledger %q, not %q", w.GetChain(), p.o.Chain)
	case p.o.Ceiling > 0 && w.GetPriceMicroUsdPerHour() > p.o.Ceiling:
		return fmt.Errorf("%d µUSD an hour, the limit is %d", w.GetPriceMicroUsdPerHour(), p.o.Ceiling)
	case len(w.GetQuotes()) == 0 || len(w.GetQuotes()) > tx.MaxQuotes:
		return fmt.Errorf("%d quotes, 1 to %d", len(w.GetQuotes()), tx.MaxQuotes)
	}
	rates := make([]uint64, 0, len(w.GetQuotes()))
	seen := map[key.Address]bool{}
	for _, raw := range w.GetQuotes() {
		q, err := quote.Decode(raw)
		if err == nil {
			err = q.Verify(p.o.Chain)
		}
		if err != nil {
			return err
		}
		if seen[q.Oracle] {
			return fmt.Errorf("two quotes of %s", q.Oracle)
		}
		seen[q.Oracle] = true
		rates = append(rates, q.PerUSD)
	}
	slices.Sort(rates)
	want, err := economics.PricePerSecond(w.GetPriceMicroUsdPerHour(), rates[(len(rates)-1)/2])
	if err != nil {
		return err
	}
	if want == 0 || want != w.GetPerSecond() {
		return fmt.Errorf("%d base units a second, the quotes give %d", w.GetPerSecond(), want)
	}
	return nil
}

// matched reads who signed the match that led here.
func (p *Purse) matched(header string) match {
	sealed, err := base64.StdEncoding.DecodeString(header)
	if err != nil || len(sealed) == 0 {
		return match{}
	}
	from, _, err := seal.OpenPayload(p.o.Network, seal.TypeMatch, sealed, maxCertificate)
	if err != nil {
		return match{}
	}
	return matchOf(from, sealed)
}

func matchOf(from peer.ID, sealed []byte) match {
	node, err := key.NodeOf(from)
	if err != nil {
		return match{}
	}
	sum := sha256.Sum256(sealed)
	return match{indexer: node[:], sum: sum[:]}
}
