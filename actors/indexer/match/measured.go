package match

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Errors of figures, wrapped with whose they are.
var (
	// ErrFigures: a certificate's figures are not those of the ledger, or missing, or old.
	ErrFigures = errors.New("match: the certificate's figures are not what the ledger says")
	// ErrNoFigures: the ledger cannot be asked about them now.
	ErrNoFigures = errors.New("match: what the ledger measured cannot be read; try again in a few seconds")
)

// Measured is what the ledger says of a container after a block. A container of which it
// says nothing has zero in all fields but the first two.
type Measured struct {
	Height      uint64 // of the block
	Epoch       uint64 // of the block
	RPMilli     uint64 // median of what its rounds counted, milli-RP
	QualityPPM  uint32 // 0 to 1,000,000
	PriorityPPM uint32 // 0 to 1,000,000; its score is multiplied by it
	ProvenUntil uint64 // last epoch in which it may stand by; 0 = none
}

// Proven says whether the container might stand by in the epoch of the figures.
func (m Measured) Proven() bool {
	return m.RPMilli > 0 && m.ProvenUntil > 0 && m.Epoch <= m.ProvenUntil
}

// check says whether the figures are in their ranges.
func (m Measured) check() error {
	switch {
	case m.Height == 0:
		return errors.New("figures of no block")
	case m.QualityPPM > million:
		return fmt.Errorf("a measured quality of %d ppm, at most %d", m.QualityPPM, million)
	case m.PriorityPPM > million:
		return fmt.Errorf("a priority of %d ppm, at most %d", m.PriorityPPM, million)
	}
	return nil
}

// wire is the message that a choice carries.
func (m Measured) wire() *wire.Measured {
	return &wire.Measured{Height: m.Height, Epoch: m.Epoch, RpMilli: m.RPMilli, QualityPpm: m.QualityPPM,
		PriorityPpm: m.PriorityPPM, ProvenUntil: m.ProvenUntil}
}

// measuredOf reads the message; it is nil where a choice carries none.
func measuredOf(w *wire.Measured) *Measured {
	if w == nil {
		return nil
	}
	return &Measured{Height: w.GetHeight(), Epoch: w.GetEpoch(), RPMilli: w.GetRpMilli(), QualityPPM: w.GetQualityPpm(),
		PriorityPPM: w.GetPriorityPpm(), ProvenUntil: w.GetProvenUntil()}
}

// leafOf is the leaf of a candidate: of its ad alone where nothing is measured, else of the
// figures, 40 bytes big-endian, and the ad.
func leafOf(sealed []byte, m *Measured) hash {
	if m == nil {
		return leafHash(sealed)
	}
	figures := m.bytes()
	h := sha256.New()
	h.Write([]byte{measuredPrefix})
	h.Write(figures[:])
	h.Write(sealed)
	return hash(h.Sum(nil))
}

// bytes are the figures as they stand in a leaf: big-endian, in the order of the fields.
func (m Measured) bytes() (b [40]byte) {
	binary.BigEndian.PutUint64(b[0:], m.Height)
	binary.BigEndian.PutUint64(b[8:], m.Epoch)
	binary.BigEndian.PutUint64(b[16:], m.RPMilli)
	binary.BigEndian.PutUint32(b[24:], m.QualityPPM)
	binary.BigEndian.PutUint32(b[28:], m.PriorityPPM)
	binary.BigEndian.PutUint64(b[32:], m.ProvenUntil)
	return b
}

// standing is where the figures of a candidate come from, and whether it may be matched.
type standing uint8

const (
	claimed  standing = iota // no ledger measures: the ad is believed
	unread                   // a ledger does, and was not asked yet, or too long ago
	unproven                 // it says that the container may not stand by
	proven                   // it may
)

// measure replaces the claims of an ad by what was measured. m is nil when that was not
// read yet.
func (f *facts) measure(m *Measured) {
	if m == nil {
		f.standing = unread
		return
	}
	f.read = m
	f.score = uint32(min(m.RPMilli, math.MaxUint32)) // what a request can ask for ends there
	f.qualityPart = weightQuality * int64(min(m.QualityPPM, million))
	f.priority = int64(min(m.PriorityPPM, million))
	f.standing = unproven
	if m.Proven() {
		f.standing = proven
	}
}

// whyUnproven says why the ledger's figures keep a container from being matched, and what
// its operator can do.
func (f *facts) whyUnproven() string {
	m := f.read
	switch {
	case f.standing == unread || m == nil:
		return "what the ledger measured of it is not read yet; it is being read, ask again in a few seconds"
	case m.RPMilli == 0 || m.ProvenUntil == 0:
		return fmt.Sprintf("no round of checkers has measured it by epoch %d; its operator can see why with `framemesh why`, a newcomer is measured within two epochs", m.Epoch)
	}
	return fmt.Sprintf("it was last proven for epoch %d, the ledger is in epoch %d; its operator can see why with `framemesh why`", m.ProvenUntil, m.Epoch)
}

// Asked is a question for what the ledger says of a container after a block.
type Asked struct {
	Container peer.ID
	Height    uint64
}

// Figures is the ledger, as whoever checks a certificate asks it.
type Figures interface {
	// Measured answers each question, in their order, with proof where the ledger is not
	// kept here. It may wait a moment for a block that is not here yet. Errors wrap
	// ErrNoFigures when that says nothing about the certificate, and ErrFigures when a block
	// is named that there is not.
	Measured(ctx context.Context, asked []Asked) ([]Measured, error)
	// Near says whether a beacon is the seed of an epoch, or of the one before or after it.
	Near(ctx context.Context, beacon [32]byte, epoch uint64) (bool, error)
}

// CheckFigures says whether the figures of a certificate that Verify accepted are those of
// the ledger: each choice's are what stood there after the block that they name, and that
// block is of the epoch of the certificate's beacon, or one away. Where there is no ledger l is nil and
// no choice has figures. The error is ErrFigures, or l's when that does not know.
//
// Together with CheckDraw, which says that the beacon is in force, the figures are at most
// two epochs old. With figures and beacon of the past, it is as good for old certificates.
func CheckFigures(ctx context.Context, l Figures, c *wire.Certificate) error {
	bad := func(i int, format string, args ...any) error {
		return fmt.Errorf("%w: choice %d: %s", ErrFigures, i+1, fmt.Sprintf(format, args...))
	}
	var asked []Asked
	var said []Measured
	for i, choice := range c.GetTop() {
		m := measuredOf(choice.GetMeasured())
		switch {
		case l == nil && m != nil:
			return bad(i, "it has figures, and this network has no ledger")
		case l != nil && m == nil:
			return bad(i, "it rests on what the container claims, not on what was measured")
		case l != nil:
			asked, said = append(asked, Asked{peer.ID(choice.GetContainer()), m.Height}), append(said, *m)
		}
	}
	if l == nil {
		return nil
	}
	if len(c.GetBeacon()) != sha256.Size {
		return fmt.Errorf("%w: a beacon of %d bytes", ErrFigures, len(c.GetBeacon()))
	}
	for i, m := range said {
		near := false
		for j := range i { // mostly all figures are of one epoch
			near = near || said[j].Epoch == m.Epoch
		}
		if near {
			continue
		}
		near, err := l.Near(ctx, [32]byte(c.GetBeacon()), m.Epoch)
		if err != nil {
			return err
		}
		if !near {
			return bad(i, "its figures are of epoch %d, which is not that of the draw nor next to it", m.Epoch)
		}
	}
	have, err := l.Measured(ctx, asked)
	if err != nil {
		return err
	}
	if len(have) != len(said) {
		return fmt.Errorf("%w: %d answers to %d questions", ErrNoFigures, len(have), len(said))
	}
	for i, m := range said {
		if have[i] != m {
			return bad(i, "it says %v, after block %d the ledger says %v", m, m.Height, have[i])
		}
	}
	return nil
}

// String names the figures that count, for an operator's log.
func (m Measured) String() string {
	return fmt.Sprintf("{epoch %d, %d milli-RP, quality %d ppm, priority %d ppm, proven until %d}", m.Epoch, m.RPMilli, m.QualityPPM, m.PriorityPPM, m.ProvenUntil)
}
