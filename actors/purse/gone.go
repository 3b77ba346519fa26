package purse

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/framemesh/framemesh/ledger/witness"
)

// Gone is what a page posts to its gateway when the machine of a paid session went
// (docs/spec/work.md section 7), and the session's name. ok is false while nothing was paid.
func (p *Purse) Gone(now time.Time) (session string, body []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.locked || p.r.Seconds == 0 {
		return "", nil, false
	}
	s := witness.Session{Chain: p.o.Chain, Container: p.terms.Container, ID: p.terms.Session, Player: [32]byte(p.Address())}
	g := witness.Gone{Seconds: p.r.Seconds, AtMS: uint64(now.UnixMilli())}
	s.SignGone(p.o.Key, &g)
	body, err := json.Marshal(map[string]any{"container": hex.EncodeToString(s.Container[:]), "player": p.PlayerKey(),
		"seconds": g.Seconds, "at_ms": g.AtMS, "sig": hex.EncodeToString(g.Signature[:])})
	return hex.EncodeToString(s.ID[:]), body, err == nil
}
