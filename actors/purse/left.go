package purse

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// What a page does when its machine went, with its times.
const (
	silent     = 1500 * time.Millisecond // without a packet or a word
	looks      = 250 * time.Millisecond
	aliveFor   = 1500 * time.Millisecond // for its gateway's answer
	sure       = 2                       // questions to its gateway that all say so
	tells      = 3                       // of the player's word
	tellEvery  = 2 * time.Second
	closeTries = 20 // looks at the ledger
	closeEvery = 1500 * time.Millisecond
	closeLost  = 8 // looks without it in a block, until it is signed anew
)

// Hearing is what a player hears of its container; *player.Player is the real one.
type Hearing interface {
	Report() player.Report
	Header() http.Header
}

var _ Hearing = (*player.Player)(nil)

// Left is what came of a session whose container went.
type Left struct {
	Told     bool   `json:"told"`                // a gateway took the player's word to the checkers
	Closing  bool   `json:"closing"`             // the ledger has the player's closing
	Settled  bool   `json:"settled"`             // the container was back and settled it
	Back     uint64 `json:"back,string"`         // base units that come back at the latest when the window ends
	ClosesMS uint64 `json:"closes_ms,omitempty"` // when that is, unix ms
}

// Missed waits until nothing comes of the container any more and its gateway has no answer of it
// either, twice: what is closed then cannot be played on. It returns false when ctx ends before or
// the container says that it ends, and at once in a free session.
func (p *Purse) Missed(ctx context.Context, h Hearing, g *Gateway) bool {
	p.mu.Lock()
	paid := p.terms.PerSecond > 0
	p.mu.Unlock()
	if !paid {
		return false
	}
	tick := time.NewTicker(looks)
	defer tick.Stop()
	var heard uint64
	last, asked, no := time.Now(), time.Time{}, 0
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		r, now := h.Report(), time.Now()
		if r.Bye != nil {
			return false
		}
		if n := r.VideoPackets + r.AudioPackets + r.Frames + r.Pongs; n != heard || r.Connections == 0 {
			heard, last, no = n, now, 0
		}
		if now.Sub(last) < silent || now.Sub(asked) < silent {
			continue
		}
		if no++; !g.gone(ctx, h.Header().Get(whep.HeaderSession), h.Header().Get(whep.HeaderOwnerToken)) {
			no = 0
		}
		if asked = time.Now(); no == sure {
			return ctx.Err() == nil
		}
	}
}

// Leave does what a page does when its machine went: it gives the player's word to the gateway,
// for the checkers, and closes the session on the ledger with the newest voucher, so that the rest
// is back when the challenge window ends (docs/spec/payments.md). It returns when the ledger has
// that, when nothing is to be done, or when it has tried for half a minute.
func (p *Purse) Leave(ctx context.Context, g *Gateway) (left Left) {
	left.Told = p.complain(ctx, g)
	p.mu.Lock()
	s, ordered, locked, until, paid := p.session(), p.most > 0, p.locked, p.until, p.r.Paid
	p.mu.Unlock()
	if !ordered {
		return left
	}
	container, name := hex.EncodeToString(s.Container[:]), hex.EncodeToString(s.ID[:])
	sent := -closeLost - 1
	for n := range closeTries {
		if n > 0 && !pause(ctx, closeEvery) {
			return left
		}
		now, err := g.session(ctx, container, name)
		switch {
		case err != nil:
			continue
		case now.Phase == "closing":
			left.Closing, left.Back, left.ClosesMS = true, now.Escrow-now.Paid, now.ClosesMS
			return left
		case now.Phase != "open" && (locked || now.TimeMS > until):
			left.Settled = locked
			return left
		case now.Phase != "open" || n-sent <= closeLost:
			continue // the order is on its way, or the closing is
		case now.Escrow-min(paid, now.Escrow) <= p.o.TxFee:
			return left // it would cost what it brings
		}
		switch p.close(ctx, g, name) {
		case http.StatusAccepted:
			sent = n
		case http.StatusBadRequest, http.StatusForbidden, http.StatusPaymentRequired:
			return left
		}
	}
	return left
}

// complain brings the player's word to the gateway.
func (p *Purse) complain(ctx context.Context, g *Gateway) bool {
	session, body, ok := p.Gone(time.Now())
	for n := 0; ok && n < tells; n++ {
		if n > 0 && !pause(ctx, tellEvery) {
			return false
		}
		switch status := g.post(ctx, "api/sessions/"+session+"/gone", body); {
		case status == http.StatusAccepted:
			return true
		case status != 0 && status != http.StatusTooManyRequests && status < 500:
			return false
		}
	}
	return false
}

// close posts the player's closing and returns the status: 402 where the account cannot pay for
// it, 0 where no answer came.
func (p *Purse) close(ctx context.Context, g *Gateway, session string) int {
	a, err := p.o.Account(ctx)
	if err != nil {
		return 0
	}
	if a.Balance < p.o.TxFee {
		return http.StatusPaymentRequired
	}
	p.mu.Lock()
	op := &tx.CloseSession{Container: p.terms.Container[:], Session: p.terms.Session[:]}
	if p.newest.Seq > 0 {
		op.Voucher = p.newest.ForTx()
	}
	p.mu.Unlock()
	body := &tx.Body{Nonce: a.Nonce, Op: &tx.Body_Close{Close: op}}
	if a.TimeMS > 0 {
		body.ValidUntilMs = a.TimeMS + uint64(validFor.Milliseconds())
	}
	raw, err := tx.Sign(p.o.Chain, p.o.Key, body)
	if err != nil {
		return http.StatusBadRequest
	}
	b, err := json.Marshal(map[string]string{"tx": base64.StdEncoding.EncodeToString(raw)})
	if err != nil {
		return http.StatusBadRequest
	}
	return g.post(ctx, "api/sessions/"+session+"/close", b)
}
