package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/framemesh/framemesh/ledger/proof"
)

// Proofs is what the page shows of Proof of Render as it happens. What it returns is JSON;
// anything longer than maxProofs bytes is not sent.
type Proofs interface {
	// Board is the newest state: the clock of the epoch, the containers with their verdicts,
	// and what has happened.
	Board(ctx context.Context) (any, error)
	// Evidence is what a proof says; nil when there is none of that name: 64 hex digits, or the
	// 40 of a certificate.
	Evidence(ctx context.Context, id string) (any, error)
}

// maxProofs bounds an answer about proofs, in bytes.
const maxProofs = 128 << 10

func noProofs(w http.ResponseWriter) {
	invalid(w, http.StatusNotFound, "no-proofs", "This gateway shows no proofs.", "Ask the ledger: framemesh proof list.")
}

// getProofs tells what the rounds came to so far. It is the same for everybody, so pages ask
// with the ETag of what they have and mostly get nothing.
func (s *Server) getProofs(w http.ResponseWriter, r *http.Request) {
	if s.opt.Proofs == nil {
		noProofs(w)
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	b, err := s.opt.Proofs.Board(ctx)
	s.sendProofs(w, r, b, err)
}

// getEvidence tells what a proof says, by its hash.
func (s *Server) getEvidence(w http.ResponseWriter, r *http.Request) {
	if s.opt.Proofs == nil {
		noProofs(w)
		return
	}
	id, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(id) != sha256.Size && len(id) != len(proof.Name{}) {
		invalid(w, http.StatusBadRequest, "invalid", "That is no proof.", "Write its name as 64 hex digits, or the 40 of a certificate.")
		return
	}
	if !s.limits.look(r.RemoteAddr) {
		s.met.refused.WithLabelValues("rate").Inc()
		w.Header().Set("Retry-After", "1")
		invalid(w, http.StatusTooManyRequests, "rate", "Too many proofs are asked for just now.", "Wait a second and try again.")
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	x, err := s.opt.Proofs.Evidence(ctx, hex.EncodeToString(id))
	if err == nil && x == nil {
		invalid(w, http.StatusNotFound, "no-proof", "There is no such proof.", "See /api/proofs.")
		return
	}
	s.sendProofs(w, r, x, err)
}

func (s *Server) sendProofs(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		s.failLedger(w, r, "proofs", err)
		return
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil || len(b) > maxProofs {
		s.log.Warn("gateway: the proofs cannot be shown", "bytes", len(b), "err", err)
		invalid(w, http.StatusServiceUnavailable, "proofs", "There is more to show than a page may get.", "Ask the ledger: framemesh proof list.")
		return
	}
	sum := sha256.Sum256(b)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(append(b, '\n')))
}
