package purse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
)

// ErrGateway is wrapped by what a gateway does not answer.
var ErrGateway = errors.New("purse: gateway")

const (
	maxAnswer = 256 << 10 // bytes of a gateway's answer
	askFor    = 10 * time.Second
)

// Gateway is a player's only way to the ledger: the gateway that it plays through, asked as its
// page asks it.
type Gateway struct {
	base   *url.URL
	client *http.Client
}

// NewGateway is the gateway at a URL, asked through client; nil is the default one.
func NewGateway(base *url.URL, client *http.Client) *Gateway {
	if client == nil {
		client = http.DefaultClient
	}
	return &Gateway{base, client}
}

// Ask reads the JSON at a path. It wraps ErrGateway, and answers other than 200 are errors.
func (g *Gateway) Ask(ctx context.Context, path string, answer any) error {
	u := g.base.JoinPath(path)
	b, status, err := g.do(ctx, http.MethodGet, u, nil)
	if err == nil && status != http.StatusOK {
		err = errors.New(http.StatusText(status))
	}
	if err == nil {
		err = json.Unmarshal(b, answer)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrGateway, u.Path, err)
	}
	return nil
}

func (g *Gateway) do(ctx context.Context, method string, u *url.URL, body []byte) (answer []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.client.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return answer, resp.StatusCode, err
}

// post sends a body and returns the status, 0 where no answer came.
func (g *Gateway) post(ctx context.Context, path string, body []byte) int {
	_, status, err := g.do(ctx, http.MethodPost, g.base.JoinPath(path), body)
	if err != nil {
		return 0
	}
	return status
}

// Faucet says whether new players are given money here, and how much, in base units.
func (g *Gateway) Faucet(ctx context.Context) (gives bool, gift uint64, err error) {
	var l struct {
		Gift   uint64 `json:"gift,string"`
		Faucet bool   `json:"faucet"`
	}
	err = g.Ask(ctx, "api/ledger", &l)
	return l.Faucet, l.Gift, err
}

// Account is what the ledger says of an account.
func (g *Gateway) Account(ctx context.Context, a key.Address) (Account, error) {
	var got struct {
		Balance uint64 `json:"balance,string"`
		Nonce   uint64 `json:"nonce,string"`
		TimeMS  uint64 `json:"time_ms"`
	}
	err := g.Ask(ctx, "api/ledger/account/"+a.String(), &got)
	return Account{Balance: got.Balance, Nonce: got.Nonce, TimeMS: got.TimeMS}, err
}

// held is what the ledger holds of a session, as a gateway says it.
type held struct {
	Phase    string `json:"phase"` // none, open or closing
	Escrow   uint64 `json:"escrow,string"`
	Paid     uint64 `json:"paid,string"` // base units of the voucher that its player has presented
	ClosesMS uint64 `json:"closes_ms"`
	TimeMS   uint64 `json:"time_ms"` // of the newest block
}

func (g *Gateway) session(ctx context.Context, container, session string) (h held, err error) {
	err = g.Ask(ctx, "api/ledger/session/"+container+"/"+session, &h)
	if err == nil && h.Paid > h.Escrow {
		err = fmt.Errorf("%w: no session has paid %d of %d", ErrGateway, h.Paid, h.Escrow)
	}
	return h, err
}

// gone says whether the gateway, which is there itself, has no answer of a session's container, or
// one that the session is over.
func (g *Gateway) gone(ctx context.Context, session, token string) bool {
	u := g.base.JoinPath("api/sessions", session)
	u.RawQuery = url.Values{"token": {token}}.Encode()
	soon, cancel := context.WithTimeout(ctx, aliveFor)
	defer cancel()
	b, status, err := g.do(soon, http.MethodGet, u, nil)
	switch {
	case err != nil:
		_, _, err = g.Faucet(ctx)
		return err == nil
	case status == http.StatusTooManyRequests || status == http.StatusUnauthorized || status == http.StatusForbidden:
		return false
	case status != http.StatusOK:
		return true
	}
	var s struct {
		Phase string `json:"phase"`
	}
	return json.Unmarshal(b, &s) == nil && s.Phase == "ending"
}
