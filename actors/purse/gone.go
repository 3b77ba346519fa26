package purse

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/stream/control"
)

// Gone is what a page posts to its gateway when the machine of a paid session went
// (docs/spec/work.md section 7), and the session's name. ok is false while nothing was paid.
func (p *Purse) Gone(now time.Time) (session string, body []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.locked || p.r.Seconds == 0 {
		return "", nil, false
	}
	s := p.session()
	g := witness.Gone{Seconds: p.r.Seconds, AtMS: uint64(now.UnixMilli())}
	s.SignGone(p.o.Key, &g)
	body, err := json.Marshal(map[string]any{"container": hex.EncodeToString(s.Container[:]), "player": p.PlayerKey(),
		"seconds": g.Seconds, "at_ms": g.AtMS, "sig": hex.EncodeToString(g.Signature[:]),
		"per_second": strconv.FormatUint(p.taken.PerSecond, 10), "opened_ms": p.taken.OpenedMS, "taken": hex.EncodeToString(p.taken.Signature[:])})
	return hex.EncodeToString(s.ID[:]), body, err == nil
}

// How far the moment in a container's word may lie outside of those at which the order can have
// come into a block, in ms; checkers allow more.
const takenSlackMS = 60_000

var errNotTaken = errors.New("the container does not sign that it plays for the escrow; it is paid nothing")

func (p *Purse) session() witness.Session {
	return witness.Session{Chain: p.o.Chain, Container: p.terms.Container, ID: p.terms.Session, Player: [32]byte(p.Address())}
}

// take keeps the container's word that it plays for the escrow. Without it nobody can say later
// that it went, and it would be paid for leaving at will.
func (p *Purse) take(m control.Escrow) error {
	sig, err := m.Signature()
	if err != nil {
		return errNotTaken
	}
	w := witness.Taken{PerSecond: p.terms.PerSecond, OpenedMS: m.OpenedMS, Signature: [64]byte(sig)}
	early := w.OpenedMS+uint64(validFor.Milliseconds())+takenSlackMS < p.until
	if w.Verify(p.session()) != nil || p.until > 0 && (early || w.OpenedMS > p.until+takenSlackMS) {
		return errNotTaken
	}
	p.taken = w
	return nil
}
