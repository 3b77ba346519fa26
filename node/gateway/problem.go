package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	mesh "github.com/framemesh/framemesh/actors/gateway"
)

// problem is an answer that says no: RFC 9457 with what to try next, the reasons per
// container and the place in the queue.
type problem struct {
	Type    string        `json:"type"`
	Title   string        `json:"title"`
	Status  int           `json:"status"`
	Detail  string        `json:"detail"`
	Try     string        `json:"try"`
	Code    string        `json:"code"`
	Reasons []mesh.Reason `json:"reasons,omitempty"`
	Queue   *queuePlace   `json:"queue,omitempty"`
}

type queuePlace struct {
	Ticket   string `json:"ticket"`
	Position int    `json:"position"`
}

func writeProblem(w http.ResponseWriter, p problem) {
	p.Type, p.Title = "urn:framemesh:problem:"+p.Code, http.StatusText(p.Status)
	if p.Reasons == nil {
		p.Reasons = []mesh.Reason{}
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that went away is no error of ours
}

// statusOf is the HTTP status of each code a Mesh refuses with.
var statusOf = map[string]int{
	"no-app":         http.StatusNotFound,
	"no-match":       http.StatusConflict,
	"no-slot":        http.StatusServiceUnavailable,
	"no-indexer":     http.StatusServiceUnavailable,
	"no-session":     http.StatusNotFound,
	"unauthorised":   http.StatusUnauthorized,
	"invalid":        http.StatusBadRequest,
	"container-gone": http.StatusGone,
	"busy":           http.StatusServiceUnavailable,
	"payment":        http.StatusPaymentRequired,
}

// fail answers with the mesh's refusal, or says that something of our own broke.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, doing string, err error) {
	var no *mesh.Refused
	if errors.As(err, &no) {
		s.met.mesh.WithLabelValues(codeLabel(no.Code)).Inc()
		status, ok := statusOf[no.Code]
		if !ok {
			status = http.StatusBadGateway
		}
		p := problem{Status: status, Code: no.Code, Detail: no.Text, Try: no.Try, Reasons: no.Reasons}
		if no.Ticket != "" {
			p.Queue = &queuePlace{no.Ticket, no.Position}
		}
		switch {
		case no.RetryAfter > 0:
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(no.RetryAfter.Seconds()))))
		case status == http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", "2")
		}
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		writeProblem(w, p)
		return
	}
	switch {
	case r.Context().Err() != nil && !errors.Is(context.Cause(r.Context()), context.DeadlineExceeded):
		return // the client left or the server stops: nobody reads this
	case errors.Is(err, context.DeadlineExceeded):
		s.met.mesh.WithLabelValues("deadline").Inc()
		writeProblem(w, problem{Status: http.StatusGatewayTimeout, Code: "deadline",
			Detail: "The mesh did not answer in time.", Try: "Try again; `framemesh doctor` shows whether this node has peers."})
	default:
		s.met.mesh.WithLabelValues("internal").Inc()
		s.log.Error("gateway: request failed", "doing", doing, "err", err)
		writeProblem(w, problem{Status: http.StatusBadGateway, Code: "internal",
			Detail: "The gateway could not do that.", Try: "Try again; the node's log has the reason."})
	}
}

// codeLabel keeps what a Mesh says from growing the set of metric labels.
func codeLabel(code string) string {
	if _, ok := statusOf[code]; ok {
		return code
	}
	return "other"
}

// deadline bounds what one request may ask of the mesh.
func deadline(r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), d)
}
