package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/framemesh/framemesh/actors/gateway/refund"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// fakeRefunds takes what it is given, or says why not.
type fakeRefunds struct {
	session [16]byte
	raw     []byte
	err     error
}

func (f *fakeRefunds) Take(_ context.Context, session [16]byte, raw []byte) error {
	f.session, f.raw = session, raw
	return f.err
}

func closeOf(raw string) string {
	return `{"tx":"` + base64.StdEncoding.EncodeToString([]byte(raw)) + `"}`
}

// TestClosesGoToTheDesk, and each of its refusals has words of its own.
func TestClosesGoToTheDesk(t *testing.T) {
	synctest.Test(t, closesGoToTheDesk) // no time passes, so that limits stay used up
}

func closesGoToTheDesk(t *testing.T) {
	d := &fakeRefunds{}
	s := newServer(t, &fakeMesh{}, func(o *Options) { o.Refunds = d })
	path := "/api/sessions/" + missedSession + "/close"
	send := func(body string, header ...string) *http.Response {
		return do(s, "POST", path, body, append([]string{"Content-Type", typeJSON}, header...)...)
	}
	if r := send(closeOf("a close")); r.StatusCode != http.StatusAccepted || string(d.raw) != "a close" || d.session[15] != 15 {
		t.Fatal(r.StatusCode, d)
	}
	d.raw = nil
	wantProblem(t, send(`{"tx":""}`), http.StatusBadRequest, "invalid")
	wantProblem(t, send(`{"tx":"!"}`), http.StatusBadRequest, "invalid")
	wantProblem(t, send(closeOf("a close")+"{}"), http.StatusBadRequest, "invalid")
	wantProblem(t, send(closeOf(strings.Repeat("x", refund.MaxTx+1))), http.StatusBadRequest, "invalid")
	wantProblem(t, send(strings.Repeat(" ", maxClose+1)), http.StatusRequestEntityTooLarge, "size")
	wantProblem(t, send(closeOf("a close"), "Origin", "https://elsewhere.example"), http.StatusForbidden, "origin")
	wantProblem(t, do(s, "POST", path, closeOf("a close"), "Content-Type", "text/plain"), http.StatusUnsupportedMediaType, "content-type")
	wantProblem(t, do(s, "GET", path, ""), http.StatusMethodNotAllowed, "method")
	if d.raw != nil {
		t.Errorf("passed on %q", d.raw)
	}
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{refund.ErrForm, http.StatusBadRequest, "invalid"},
		{refund.ErrForged, http.StatusForbidden, "unauthorised"},
		{refund.ErrNoSession, http.StatusNotFound, "no-session"},
		{&ledgeractor.Refused{Code: state.ErrNonce.Code}, http.StatusConflict, "nonce"},
		{&ledgeractor.Refused{Code: state.ErrFee.Code}, http.StatusPaymentRequired, "payment"},
		{&ledgeractor.Refused{Code: state.ErrOver.Code, Text: "its time has passed"}, http.StatusConflict, "refused"},
		{ledgeractor.ErrBusy, http.StatusServiceUnavailable, "busy"},
		{errors.New("no peer answers"), http.StatusServiceUnavailable, "ledger"},
	} {
		d.err = c.err
		wantProblem(t, send(closeOf("a close")), c.status, c.code)
	}
	d.err = nil
	limited := 0
	for range 2 * lookBurst {
		if send(closeOf("a close")).StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("closes are not limited, and each asks the ledger")
	}
	wantProblem(t, do(newServer(t, &fakeMesh{}, nil), "POST", path, closeOf("a close"), "Content-Type", typeJSON), http.StatusNotFound, "no-ledger")
}

// TestSessionsAreToldAsTheLedgerHasThem.
func TestSessionsAreToldAsTheLedgerHasThem(t *testing.T) {
	x := LedgerSession{Phase: "closing", Escrow: 18_446_744_073_709_551_615, Paid: 7, ClosesMS: 5, ExpiresMS: 6}
	l := &fakeLedger{status: LedgerStatus{TimeMS: 4}, held: func(container key.Node, session [16]byte) LedgerSession {
		if container != (key.Node{0xc1}) || session[15] != 15 {
			return LedgerSession{}
		}
		return x
	}}
	s := newServer(t, &fakeMesh{}, func(o *Options) { o.Ledger = l })
	at := func(container, session string) *http.Response {
		return do(s, "GET", "/api/ledger/session/"+container+"/"+session, "")
	}
	c := "c1" + strings.Repeat("00", 31)
	if b := text(t, at(c, missedSession)); b != `{"phase":"closing","escrow":"18446744073709551615","paid":"7","closes_ms":5,"expires_ms":6,"time_ms":4}`+"\n" {
		t.Error(b)
	}
	if b := text(t, at(c, strings.Repeat("00", 16))); !strings.Contains(b, `"phase":"none","escrow":"0"`) {
		t.Error(b)
	}
	wantProblem(t, at("c1", missedSession), http.StatusBadRequest, "invalid")
	wantProblem(t, at(c, "00"), http.StatusBadRequest, "invalid")
	l.set(func(l *fakeLedger) { l.err = errors.New("no peer answers") })
	wantProblem(t, at(c, missedSession), http.StatusServiceUnavailable, "ledger")
	wantProblem(t, do(newServer(t, &fakeMesh{}, nil), "GET", "/api/ledger/session/"+c+"/"+missedSession, ""), http.StatusNotFound, "no-ledger")
}

// FuzzClose: no body crashes the decoder, and what it takes has its lengths.
func FuzzClose(f *testing.F) {
	f.Add(missedSession, []byte(closeOf("a close")))
	f.Add("", []byte("{}"))
	f.Add(missedSession, []byte(`{"tx":"`+strings.Repeat("A", 2000)+`"}`))
	f.Add(missedSession, []byte(closeOf("a close")+"{}"))
	f.Fuzz(func(t *testing.T, session string, body []byte) {
		_, raw, err := decodeClose(session, body)
		if err != nil {
			if !errors.Is(err, errClose) || raw != nil {
				t.Fatal(raw, err)
			}
			return
		}
		if len(raw) == 0 || len(raw) > refund.MaxTx || len(session) != 32 {
			t.Fatal(session, raw)
		}
	})
}
