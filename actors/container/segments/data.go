package segments

import (
	"bytes"
	"context"
	"fmt"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
)

// late is how many seconds of play before and after a window the players' words for it
// may have come: a word follows the inputs that it covers.
const late = 4

// Data answers an audit: the signed AuditData for at most proof.MaxWindow seconds from
// from on, or from the newest state before it. It wraps ErrGone or segment.ErrGone when
// they are not kept (any more, or yet).
func (s *Store) Data(ctx context.Context, session [16]byte, from, seconds uint32) (*proof.Opened, error) {
	return s.Linked(ctx, session, from, seconds, 0)
}

// Linked is Data with all commitments that lead from there to the second named, which is
// the one that a container has named before it knew what it would be asked for; 0 = none.
// It is at most proof.MaxAfter seconds after the last one asked for. Where a commitment in
// between is not kept, nothing is signed: an answer with a hole would speak against its
// container.
func (s *Store) Linked(ctx context.Context, session [16]byte, from, seconds, named uint32) (*proof.Opened, error) {
	if seconds < 1 || seconds > proof.MaxWindow {
		return nil, fmt.Errorf("%w: %d seconds, 1 to %d", ErrOptions, seconds, proof.MaxWindow)
	}
	if named > 0 && (named < from || named-from >= proof.MaxAfter) {
		return nil, fmt.Errorf("%w: second %d does not come within %d after second %d", ErrOptions, named, proof.MaxAfter, from)
	}
	w, err := s.window(ctx, session, from, seconds)
	if err != nil {
		return nil, err
	}
	w.Seconds = w.Seconds[:min(len(w.Seconds), proof.MaxWindow)]
	first, last := w.Seconds[0].Number, w.Seconds[len(w.Seconds)-1].Number
	a := &proof.AuditData{Session: session[:], From: first}
	if err := s.gather(a, session, first, last, named); err != nil {
		return nil, err
	}
	newest, err := proof.OpenSigned(s.o.Chain, a.GetSegments()[len(a.GetSegments())-1])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	s.o.Double.window(&w, newest.Statement.GetSegment().GetApp())
	a.Window = w.Append(nil)
	return proof.Sign(s.o.Chain, s.o.Key, &proof.Statement{Says: &proof.Statement_Audit{Audit: a}})
}

// Latest is the commitment of the newest second of a session that runs; nil while there is
// none, and for one that does not run.
func (s *Store) Latest(session [16]byte) *proof.Opened {
	if l := s.running(session); l != nil {
		return l.newest.Load()
	}
	return nil
}

// Newest is the audit of the newest ten seconds that can be audited: those after the
// newest state but one.
func (s *Store) Newest(ctx context.Context, session [16]byte) (*proof.Opened, error) {
	at, ok := s.newest(session)
	if !ok {
		return nil, fmt.Errorf("%w: session %x", ErrGone, session)
	}
	// The second itself may not be in the Keeper yet, and the player's word for it is
	// still to come.
	last := at - min(at, late)
	from := last - min(last, proof.MaxWindow-1)
	from -= from % segment.StateEvery
	return s.Data(ctx, session, from, min(last-from+1, proof.MaxWindow))
}

// newest is the number of the newest second that was signed.
func (s *Store) newest(session [16]byte) (n uint32, ok bool) {
	minutes := s.minutes(session)
	for i := len(minutes) - 1; i >= 0 && !ok; i-- {
		b, err := s.read(session, minutes[i])
		if err != nil {
			continue
		}
		_ = eachFrame(b, func(kind byte, body []byte) error {
			if kind == kindSegment {
				if o, err := proof.Decode(bytes.Clone(body)); err == nil {
					n, ok = o.Statement.GetSegment().GetSecond(), true
				}
			}
			return nil
		})
	}
	return n, ok
}

// gather adds the commitments of the seconds, the one before them, those that lead to the
// second named, and what the players signed around that time.
func (s *Store) gather(a *proof.AuditData, session [16]byte, first, last, named uint32) error {
	var before *proof.Signed
	var newest *proof.Opened // of those from the window's last on
	at, found := int64(-1), 0
	for _, m := range s.minutes(session) {
		if lo, hi := first-min(first, late+1), max(last+late, named); m < lo/minute || m > hi/minute {
			continue
		}
		b, err := s.read(session, m)
		if err != nil {
			return err
		}
		err = eachFrame(b, func(kind byte, body []byte) error {
			switch kind {
			case kindSegment:
				o, err := proof.Decode(bytes.Clone(body))
				if err != nil {
					return fmt.Errorf("%w: %w", ErrBroken, err)
				}
				n := o.Statement.GetSegment().GetSecond()
				at = int64(n)
				switch {
				case n < first:
					before = o.Signed
				case n <= last:
					a.Segments, newest = append(a.Segments, o.Signed), o
					found++
				case n <= named:
					if newest == nil || !bytes.Equal(o.Statement.GetSegment().GetPrevious(), newest.Digest[:]) {
						return fmt.Errorf("%w: what comes before second %d", ErrGone, n)
					}
					a.After, newest = append(a.After, o.Signed), o
				}
			case kindInputs:
				if at >= int64(first)-late && at <= int64(last)+late && len(a.Inputs) < maxInputs {
					a.Inputs = append(a.Inputs, bytes.Clone(body))
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if found != int(last-first)+1 || first > 0 && before == nil {
		return fmt.Errorf("%w: %d of the %d commitments of seconds %d to %d", ErrGone, found, last-first+1, first, last)
	}
	if newest.Statement.GetSegment().GetSecond() < named {
		return fmt.Errorf("%w: second %d", ErrGone, named)
	}
	if before != nil {
		a.Segments = append([]*proof.Signed{before}, a.Segments...)
	}
	return nil
}

// maxInputs is the most of the players' words in one answer.
const maxInputs = 8 * proof.MaxWindow
