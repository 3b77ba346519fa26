package tx

import (
	"crypto/sha256"

	"github.com/framemesh/framemesh/ledger/key"
)

// Verifier checks signatures for one chain and remembers what it has found right, by the
// transaction's hash, which covers body, signer and signature: a transaction is verified
// when it enters the pool and not again in a proposal and in a block. Methods may be called
// from many goroutines.
//
// It also keeps the keys ready that signed last: whoever signs once signs again.
type Verifier struct {
	chain string
	known *hashes
	keys  keyring
}

// NewVerifier remembers at least the last size transactions, up to some 100 bytes each; a
// size below 1 counts as 1.
func NewVerifier(chain string, size int) *Verifier {
	return &Verifier{chain: chain, known: newHashes(max(size, 1))}
}

// Chain is the chain that the Verifier is for.
func (v *Verifier) Chain() string { return v.chain }

// Verify is t.Verify for this chain, remembered.
func (v *Verifier) Verify(t *Tx) error {
	if v.knows(t) {
		return nil
	}
	if err := t.Verify(v.chain); err != nil {
		return err
	}
	v.remember(t)
	return nil
}

// VerifyAll says of each transaction what Verify says of it, in one batch for those not yet
// known.
func (v *Verifier) VerifyAll(ts []*Tx) []error {
	errs := make([]error, len(ts))
	var entries []key.Signed
	var places []int
	for i, t := range ts {
		if !v.knows(t) {
			if entries == nil { // most often none is known, or all are
				entries, places = make([]key.Signed, 0, len(ts)-i), make([]int, 0, len(ts)-i)
			}
			places = append(places, i)
			entries = append(entries, key.Signed{
				Key: t.Signer[:], Kind: key.KindTx, Payload: t.signed, Signature: t.signature, Expanded: v.ready(t.Signer),
			})
		}
	}
	for n, ok := range key.VerifyAll(v.chain, entries) {
		t := ts[places[n]]
		if !ok {
			errs[places[n]] = badSignature(t, v.chain)
			continue
		}
		v.remember(t)
		if x := entries[n].Expanded; x != nil { // junk displaces nobody
			v.keys.add(t.Signer, x)
		}
	}
	return errs
}

// ready is a key made ready, nil for one that nobody can sign with.
func (v *Verifier) ready(signer key.Address) *key.Expanded {
	if x := v.keys.get(signer); x != nil {
		return x
	}
	x, err := key.Expand(signer[:])
	if err != nil {
		return nil
	}
	return x
}

// VerifyEvidence is t.VerifyEvidence for this chain, remembered: for the same transaction
// decoded again, and in t itself, so that t.VerifyEvidence is free from then on.
func (v *Verifier) VerifyEvidence(t *Tx) error {
	if t.Body.GetTransfer() != nil {
		return nil // has none
	}
	if done, ok := v.known.get(t.Hash); !ok || !done || t.signature == nil {
		if err := t.VerifyEvidence(v.chain); err != nil {
			return err
		}
		if ok { // the signer's signature is right: the hash may be remembered
			v.known.add(t.Hash, true)
		}
	}
	t.evidence.Store(&v.chain)
	return nil
}

// VerifyBy is VoteCertificate.VerifyBy for t and this chain, remembered by the transaction and
// the panel: one certificate is judged when it enters the pool and again in a block, mostly by
// the same panel. A transaction of which the signer's signature is not known to be right is
// not remembered.
func (v *Verifier) VerifyBy(t *Tx, panel []key.Node) error {
	id := attestedBy(t, panel)
	if t.signature != nil {
		if _, ok := v.known.get(id); ok {
			return nil
		}
	}
	if err := t.Body.GetCertificate().VerifyBy(v.chain, panel); err != nil {
		return err
	}
	if v.knows(t) {
		v.known.add(id, true)
	}
	return nil
}

// attestedBy names that a certificate is attested by members of a panel. No transaction has it
// as its hash.
func attestedBy(t *Tx, panel []key.Node) [32]byte {
	h := sha256.New()
	h.Write([]byte("framemesh/attested/1"))
	h.Write(t.Hash[:])
	for _, n := range panel {
		h.Write(n[:])
	}
	return [32]byte(h.Sum(nil))
}

// knows is false for a Tx that did not come from Decode: its Hash may be anybody's.
func (v *Verifier) knows(t *Tx) bool {
	if t.signature == nil {
		return false
	}
	if t.verified.Load() == v {
		return true
	}
	_, ok := v.known.get(t.Hash)
	if ok {
		t.verified.Store(v)
	}
	return ok
}

// remember keeps that the signature is right: in t, and for the same transaction decoded
// again. A Tx that did not come from Decode never gets here: it has no signature.
func (v *Verifier) remember(t *Tx) {
	t.verified.Store(v)
	v.known.add(t.Hash, false)
}
