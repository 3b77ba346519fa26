package witness

import (
	"crypto/ed25519"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// KindTaken is the kind of a Taken, as it stands in the domain.
const KindTaken = "taken"

// takenSlackMS is by how much the moment in a Taken may differ from the ledger's: as much as an
// order may take to come into a block, so that a page can judge it by its own order.
const takenSlackMS = 5 * 60 * 1000

// Taken is a container's word that it has found a player's escrow and plays for it. Anybody can
// open a session on the ledger with any container; from one that it did not take it cannot go.
type Taken struct {
	PerSecond uint64 // base units
	OpenedMS  uint64 // block time of the escrow, unix ms
	Signature [ed25519.SignatureSize]byte
}

// Payload is what is signed: a marshalled proof.Taken.
func (t *Taken) Payload(s Session) []byte {
	return marshal(&proof.Taken{Session: s.ID[:], Player: s.Player[:], PerSecond: t.PerSecond, OpenedMs: t.OpenedMS})
}

// SignTaken puts the container's signature to it.
func (s Session) SignTaken(k ed25519.PrivateKey, t *Taken) {
	t.Signature = [ed25519.SignatureSize]byte(key.Sign(k, s.Chain, KindTaken, t.Payload(s)))
}

// Verify checks the container's signature: ErrForged.
func (t *Taken) Verify(s Session) error {
	if !key.Verify(s.Container[:], s.Chain, KindTaken, t.Payload(s), t.Signature[:]) {
		return ErrForged
	}
	return nil
}

// Means says whether it speaks of the session that the ledger holds for this price, opened then:
// one that was settled long ago is not taken again by what was signed for it.
func (t *Taken) Means(perSecond, openedMS uint64) bool {
	return t.PerSecond == perSecond && max(t.OpenedMS, openedMS)-min(t.OpenedMS, openedMS) <= takenSlackMS
}
