package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/framemesh/framemesh/actors/gateway/refund"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// Refunds take a player's own closing of a session whose machine went; *refund.Desk is the real
// one.
type Refunds interface {
	Take(ctx context.Context, session [16]byte, raw []byte) error
}

// LedgerSession is a session as the ledger holds it; the zero value is one that it does not, any
// more or yet.
type LedgerSession struct {
	Phase     string // open or closing
	Escrow    uint64 // base units set aside
	Paid      uint64 // base units of the voucher that its player has presented
	ClosesMS  uint64 // when the rest is back, of one that is closing; else 0
	ExpiresMS uint64 // when all is back of one that nobody settles
}

const maxClose = 1 << 10 // bytes of the body

var errClose = errors.New("the closing is not one")

// decodeClose reads the body of a page that closes a session: a transaction in base64. What is
// in it is for others.
func decodeClose(session string, body []byte) (id [16]byte, raw []byte, err error) {
	name, err := hex.DecodeString(session)
	if err != nil || len(name) != len(id) {
		return id, nil, fmt.Errorf("%w: a session has 32 hex digits", errClose)
	}
	var m struct {
		Tx string `json:"tx"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return id, nil, fmt.Errorf("%w: %w", errClose, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return id, nil, fmt.Errorf("%w: something follows it", errClose)
	}
	raw, err = base64.StdEncoding.Strict().DecodeString(m.Tx)
	if err != nil || len(raw) == 0 || len(raw) > refund.MaxTx {
		return id, nil, fmt.Errorf("%w: tx is 1 to %d bytes in base64", errClose, refund.MaxTx)
	}
	return [16]byte(name), raw, nil
}

// postClose hands a player's own closing to the ledger. It answers when the pool has it; the
// page looks for it in a block with getLedgerSession.
func (s *Server) postClose(w http.ResponseWriter, r *http.Request) {
	if s.opt.Refunds == nil {
		noLedger(w)
		return
	}
	body, ok := s.body(w, r, typeJSON, maxClose)
	if !ok {
		return
	}
	id, raw, err := decodeClose(r.PathValue("session"), []byte(body))
	if err != nil {
		invalid(w, http.StatusBadRequest, "invalid", "That closes no session: "+clip(err.Error(), 200)+".", "Reload the page.")
		return
	}
	if !s.mayLook(w, r) {
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	err = s.opt.Refunds.Take(ctx, id, raw)
	var no *ledgeractor.Refused
	switch {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, refund.ErrForm):
		invalid(w, http.StatusBadRequest, "invalid", "That closes no session: "+clip(err.Error(), 200)+".", "Reload the page.")
	case errors.Is(err, refund.ErrForged):
		invalid(w, http.StatusForbidden, "unauthorised", "The player of that session did not sign this.", "Reload the page.")
	case errors.Is(err, refund.ErrNoSession):
		invalid(w, http.StatusNotFound, "no-session", "The ledger holds no such session.", "Nothing is to be done: what was not played is back.")
	case errors.Is(err, state.ErrNonce):
		invalid(w, http.StatusConflict, "nonce", "Another transaction of the account was first.", "Read its number again and sign anew.")
	case errors.Is(err, state.ErrFee):
		invalid(w, http.StatusPaymentRequired, "payment", "The account cannot pay the ledger's fee.", "Send it some money, or wait until the session expires.")
	case errors.As(err, &no):
		invalid(w, http.StatusConflict, "refused", "The ledger does not take this: "+clip(no.Text, 200)+".", "Reload the page.")
	case errors.Is(err, ledgeractor.ErrBusy):
		w.Header().Set("Retry-After", "3")
		invalid(w, http.StatusServiceUnavailable, "busy", "The ledger has much to do just now.", "Try again in a few seconds.")
	default:
		s.failLedger(w, r, "close", err)
	}
}

// mayLook takes one question to the ledger from the client's budget and the gateway's, or
// answers that there is none left.
func (s *Server) mayLook(w http.ResponseWriter, r *http.Request) bool {
	if s.limits.look(r.RemoteAddr) && s.accounts.spare.Allow() {
		return true
	}
	s.met.refused.WithLabelValues("rate").Inc()
	w.Header().Set("Retry-After", "1")
	invalid(w, http.StatusTooManyRequests, "rate", "The ledger is asked too much just now.", "Wait a second and try again.")
	return false
}

// getLedgerSession says what the ledger holds of a session, and when that goes back.
func (s *Server) getLedgerSession(w http.ResponseWriter, r *http.Request) {
	if s.opt.Ledger == nil {
		noLedger(w)
		return
	}
	container, err := hex.DecodeString(r.PathValue("container"))
	id, err2 := hex.DecodeString(r.PathValue("session"))
	if err != nil || err2 != nil || len(container) != key.Size || len(id) != 16 {
		invalid(w, http.StatusBadRequest, "invalid", "That is no session.", "Write the container's key as 64 hex digits and the session as 32.")
		return
	}
	if !s.mayLook(w, r) {
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	st, err := s.opt.Ledger.Status(ctx)
	var x LedgerSession
	if err == nil {
		x, err = s.opt.Ledger.Session(ctx, key.Node(container), [16]byte(id))
	}
	if err != nil {
		s.failLedger(w, r, "session", err)
		return
	}
	if x.Phase == "" {
		x.Phase = "none"
	}
	writeJSON(w, struct {
		Phase     string `json:"phase"`
		Escrow    string `json:"escrow"`
		Paid      string `json:"paid"`
		ClosesMS  uint64 `json:"closes_ms"`
		ExpiresMS uint64 `json:"expires_ms"`
		TimeMS    uint64 `json:"time_ms"`
	}{x.Phase, decimal(x.Escrow), decimal(x.Paid), x.ClosesMS, x.ExpiresMS, st.TimeMS})
}
