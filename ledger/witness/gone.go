package witness

import (
	"crypto/ed25519"
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// KindGone is the kind of a Gone, as it stands in the domain.
const KindGone = "gone"

// maxGoneMS bounds a moment, unix ms: the year 2200.
const maxGoneMS = 7_258_118_400_000

// goneSkewMS is by how much a player's clock may be off.
const goneSkewMS = 10 * 60_000

// Gone is a player's word that its container went in the middle of a paid session and does not
// answer. By itself it is worth nothing: it lets checkers look (docs/spec/work.md).
type Gone struct {
	Seconds   uint32 // of play that the player had promised to pay for, at least 1
	AtMS      uint64 // when it said so, unix ms by the player's clock
	Signature [ed25519.SignatureSize]byte
	Taken     Taken // the container's word that it played for this player
}

// Payload is what is signed: a marshalled proof.Gone.
func (g *Gone) Payload(s Session) []byte {
	return marshal(&proof.Gone{Container: s.Container[:], Session: s.ID[:], Seconds: g.Seconds, AtMs: g.AtMS})
}

// Timely says whether it was said at a moment that counts at now: at most an epoch ago, whose
// length it takes in ms, by a clock that is off by at most ten minutes.
func (g *Gone) Timely(now, epochMS uint64) bool {
	return g.AtMS <= maxGoneMS && now <= g.AtMS+epochMS+goneSkewMS && g.AtMS <= now+goneSkewMS
}

// SignGone puts the player's signature to it.
func (s Session) SignGone(k ed25519.PrivateKey, g *Gone) {
	g.Signature = [ed25519.SignatureSize]byte(key.Sign(k, s.Chain, KindGone, g.Payload(s)))
}

// Verify checks figures and both signatures: ErrMalformed, ErrForged.
func (g *Gone) Verify(s Session) error {
	if g.Seconds == 0 || g.AtMS == 0 || g.AtMS > maxGoneMS {
		return fmt.Errorf("%w: gone after %d seconds of play, at %d ms; there was no play, or no such moment", ErrMalformed, g.Seconds, g.AtMS)
	}
	if !key.Verify(s.Player[:], s.Chain, KindGone, g.Payload(s), g.Signature[:]) {
		return ErrForged
	}
	return g.Taken.Verify(s)
}
