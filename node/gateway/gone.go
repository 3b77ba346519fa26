package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/framemesh/framemesh/actors/gateway/complain"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Complaints take a player's word that its machine went in the middle of a paid game;
// *complain.Desk is the real one.
type Complaints interface {
	Take(ctx context.Context, g *wire.Gone) error
}

const (
	maxGone  = 1 << 10 // bytes of a complaint
	typeJSON = "application/json"
)

var errGone = errors.New("the complaint is not one")

// decodeGone reads a complaint about a session as a page sends it. Its lengths are right then;
// whether it is signed is for others.
func decodeGone(session string, body []byte) (*wire.Gone, error) {
	var m struct {
		Container string `json:"container"`
		Player    string `json:"player"`
		Seconds   uint32 `json:"seconds"`
		AtMS      uint64 `json:"at_ms"`
		Sig       string `json:"sig"`
		PerSecond string `json:"per_second"` // decimal: numbers of pages end at 2⁵³
		OpenedMS  uint64 `json:"opened_ms"`
		Taken     string `json:"taken"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows it", errGone)
	}
	perSecond, err := strconv.ParseUint(m.PerSecond, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: per_second is %q, must be a whole number", errGone, clip(m.PerSecond, 40))
	}
	g := &wire.Gone{Seconds: m.Seconds, AtMs: m.AtMS, PerSecond: perSecond, OpenedMs: m.OpenedMS}
	for _, f := range []struct {
		name, text string
		size       int
		to         *[]byte
	}{{"session", session, 16, &g.Session}, {"container", m.Container, 32, &g.Container}, {"player", m.Player, 32, &g.Player}, {"sig", m.Sig, 64, &g.Signature}, {"taken", m.Taken, 64, &g.Taken}} {
		b, err := hex.DecodeString(f.text)
		if err != nil || len(b) != f.size {
			return nil, fmt.Errorf("%w: %s has %d characters, must be %d hex digits", errGone, f.name, len(f.text), 2*f.size)
		}
		*f.to = b
	}
	return g, nil
}

// postGone takes a complaint. It is brought to the checkers after the answer.
func (s *Server) postGone(w http.ResponseWriter, r *http.Request) {
	if s.opt.Complaints == nil {
		noLedger(w)
		return
	}
	body, ok := s.body(w, r, typeJSON, maxGone)
	if !ok {
		return
	}
	g, err := decodeGone(r.PathValue("session"), []byte(body))
	if err != nil {
		invalid(w, http.StatusBadRequest, "invalid", "That is no complaint: "+clip(err.Error(), 200)+".", "Reload the page.")
		return
	}
	if !s.mayLook(w, r) { // each asks the ledger
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	switch err := s.opt.Complaints.Take(ctx, g); {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, complain.ErrForged):
		invalid(w, http.StatusForbidden, "unauthorised", "The player of that session did not sign this.", "Reload the page.")
	case errors.Is(err, complain.ErrClock):
		invalid(w, http.StatusConflict, "clock", "The clock of your computer is wrong.", "Set it; until then the page signs for the time of this answer.")
	case errors.Is(err, complain.ErrNoSession):
		invalid(w, http.StatusNotFound, "no-session", "No paid session of yours runs on that machine.", "Nothing is to be done: what was not played comes back.")
	default:
		s.failLedger(w, r, "gone", err)
	}
}
