package audit

import (
	"bytes"
	"fmt"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/witness"
)

// batch is a player's record with what it is signed for.
type batch struct {
	witness.Batch
	of     witness.Session
	digest [32]byte
	raw    []byte
}

// records opens what the answer shows of the players' words.
func (s *shown) records(all [][]byte) ([]batch, error) {
	out := make([]batch, 0, len(all))
	for _, raw := range all {
		b, err := openBatch(s.t, raw)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func openBatch(t Terms, raw []byte) (batch, error) {
	x, err := witness.ParseBatch(raw)
	if err != nil {
		return batch{}, err
	}
	b := batch{Batch: x, of: witness.Session{Chain: t.Chain, Container: t.Container, ID: t.Session, Player: x.Player}, raw: raw}
	if err := x.Verify(b.of); err != nil {
		return batch{}, err
	}
	b.digest = x.Digest(b.of)
	return b, nil
}

// withheld says which record a commitment names that the answer does not show, or
// nothing. The container had it when it signed, so it can only be holding it back.
func (s *shown) withheld() string {
	for _, o := range s.segments {
		c := o.Statement.GetSegment()
		if len(c.GetPlayerInputs()) > 0 && s.named(c.GetPlayerInputs()) == nil {
			return fmt.Sprintf("Second %d names a record of the player that the answer leaves out.", c.GetSecond())
		}
	}
	return ""
}

func (s *shown) named(digest []byte) *batch {
	for i := range s.batches {
		if bytes.Equal(s.batches[i].digest[:], digest) {
			return &s.batches[i]
		}
	}
	return nil
}

// owns says whether a record may speak for a seat: the owner's page has the first one.
func (s *shown) owns(b *batch, seat uint8) bool {
	return s.t.Owner == ([32]byte{}) || seat != 0 || b.Player == s.t.Owner
}

// players checks that every message that reached the game was sent by a player.
func (s *shown) players(f Finding) (Finding, *proof.File, error) {
	var newest [witness.Pads]struct {
		any         bool
		player      [32]byte
		second, seq uint32
	}
	for k := range s.w.Seconds {
		sec := &s.w.Seconds[k]
		for i := range sec.Events {
			e := &sec.Events[i]
			if e.Kind != segment.EventState {
				continue
			}
			f.Inputs.Applied++
			if empty(e.State[:]) {
				f.Inputs.Released++
				continue
			}
			b, seq, invented := s.sender(e)
			if b == nil {
				if invented {
					return s.invented(f, k, "A message reached the game that is not among those its player signed.")
				}
				continue
			}
			f.Inputs.Proven++
			if b.Player != s.t.Owner && s.t.Owner != ([32]byte{}) {
				f.Inputs.Guests++
			}
			// Records rise with the player's clock, and messages within one by their
			// numbers: nothing that was sent once can be applied again.
			n := &newest[e.Seat]
			if n.any && n.player == b.Player && (b.Second < n.second || b.Second == n.second && int32(seq-n.seq) <= 0) {
				return s.invented(f, k, "A message reached the game a second time.")
			}
			n.any, n.player, n.second, n.seq = true, b.Player, b.Second, seq
		}
	}
	if f.Inputs.Proven+f.Inputs.Released < f.Inputs.Applied {
		f.Outcome = Unproven
		f.Text = fmt.Sprintf("Every second is what the container signed; of %d of %d inputs nobody signed that they were sent.",
			f.Inputs.Applied-f.Inputs.Proven-f.Inputs.Released, f.Inputs.Applied)
	}
	return f, nil, nil
}

// empty says whether a message holds nothing at all: what a container applies for a page
// that went. Whoever invents one has only let go of a key, as a lost connection does.
func empty(m []byte) bool {
	for i, v := range m {
		if v != 0 && i != 0 && i != 1 && (i < 4 || i > 7) {
			return false
		}
	}
	return true
}

// sender finds the record that covers a message. invented says that one speaks about
// this number and of another message.
func (s *shown) sender(e *segment.Event) (b *batch, seq uint32, invented bool) {
	for i := range s.batches {
		b := &s.batches[i]
		if !s.owns(b, e.Seat) {
			continue
		}
		if seq, ok := b.Sent(b.of, e.Seat, e.State[:]); ok {
			return b, seq, false
		}
		if b.Speaks(e.Seat, e.State[:]) {
			invented = true
		}
	}
	return nil, 0, invented
}

// invented makes the finding of an input that nobody sent. It is proven by a record that
// the container itself has named, in the same second as such an input or the one after it.
func (s *shown) invented(f Finding, k int, text string) (Finding, *proof.File, error) {
	f.Outcome, f.Reason, f.FirstBad, f.Field, f.Text = Wrong, proof.ReasonSegment, s.w.Seconds[k].Number, FieldPlayer, text
	for ; k+1 < len(s.segments); k++ {
		sec := s.w.Seconds[k]
		for _, o := range s.segments[k : k+2] {
			named := s.named(o.Statement.GetSegment().GetPlayerInputs())
			if named == nil || !contradictsAny(named, &sec) {
				continue
			}
			sec.Roots = s.claimed()[k]
			w := segment.Window{Params: s.w.Params, Seconds: []segment.Second{sec}}
			return f, s.file(&proof.Second{Subject: s.t.Container[:], Inputs: [][]byte{named.raw},
				Segments: []*proof.Signed{s.segments[k].Signed, s.segments[k+1].Signed}, Proof: w.Append(nil)}), nil
		}
	}
	return f, nil, nil
}

// contradictsAny says whether a record speaks of a number that a message of the second
// has, and of another message.
func contradictsAny(b *batch, sec *segment.Second) bool {
	for i := range sec.Events {
		e := &sec.Events[i]
		if e.Kind != segment.EventState || empty(e.State[:]) || !b.Speaks(e.Seat, e.State[:]) {
			continue
		}
		if _, ok := b.Sent(b.of, e.Seat, e.State[:]); !ok {
			return true
		}
	}
	return false
}
