package purse

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// desk is a gateway and a ledger behind it, without a network between.
type desk struct {
	t *testing.T

	mu       sync.Mutex
	dead     bool               // the gateway does not answer
	status   func() int         // of the session's container; 0 = no answer in time
	phase    string             // on the ledger
	refuse   []int              // statuses of the next closings
	lost     int                // closings that never come into a block
	told     int                // complaints
	asked    int                // questions for the container
	closings []*tx.Tx           // that the gateway was given
	timeMS   uint64             // of the newest block
	gone     func() (int, bool) // status of the next complaint; false takes it
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	say := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	body, _ := io.ReadAll(r.Body)
	switch path := r.URL.Path; {
	case d.dead:
		return nil, errors.New("no route to host")
	case path == "/at/api/ledger":
		return say(200, `{"gift":"7","faucet":true}`)
	case strings.HasPrefix(path, "/at/api/ledger/session/"):
		return say(200, fmt.Sprintf(`{"phase":%q,"escrow":"12000000","paid":"0","closes_ms":99,"time_ms":%d}`, d.phase, d.timeMS))
	case strings.HasSuffix(path, "/gone"):
		if d.gone != nil {
			if status, no := d.gone(); no {
				return say(status, "")
			}
		}
		d.told++
		return say(202, "")
	case strings.HasSuffix(path, "/close"):
		var m struct{ Tx []byte }
		if err := json.Unmarshal(body, &m); err != nil {
			d.t.Error(err)
		}
		x, err := tx.Decode(m.Tx)
		if err != nil || x.Verify("chain") != nil {
			d.t.Errorf("%v: %s", err, base64.StdEncoding.EncodeToString(m.Tx))
		}
		d.closings = append(d.closings, x)
		if len(d.refuse) > 0 {
			status := d.refuse[0]
			d.refuse = d.refuse[1:]
			return say(status, "")
		}
		if d.lost--; d.lost < 0 && d.phase == "open" {
			d.phase = "closing"
		}
		return say(202, "")
	case path == "/at/api/sessions/05" && r.URL.Query().Get("token") == "06":
		d.asked++
		switch status := d.status(); status {
		case 0:
			return nil, context.DeadlineExceeded
		case 200:
			return say(200, `{"phase":"playing"}`)
		default:
			return say(status, "")
		}
	}
	d.t.Errorf("asked for %s", r.URL)
	return say(404, "")
}

// listening is what a player hears.
type listening struct {
	mu sync.Mutex
	r  player.Report
}

func (l *listening) Header() http.Header {
	return http.Header{whep.HeaderSession: {"05"}, whep.HeaderOwnerToken: {"06"}}
}
func (l *listening) Report() player.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r
}
func (l *listening) hear(change func(*player.Report)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.r)
}

// paid is a purse that has promised a few seconds, and its gateway.
func paid(t *testing.T, play bool) (*Purse, *desk, *Gateway) {
	t.Helper()
	p := purse(t, func(o *Options) { o.Planned = 600 })
	d := &desk{t: t, phase: "open", status: func() int { return 502 }, timeMS: 1}
	base, _ := url.Parse("http://gateway/at")
	if _, err := p.Terms(headers(t, nil)); err != nil {
		t.Fatal(err)
	}
	p.most = 600 // an order is on its way
	if play {
		p.Heard(locked(p, 1, "12000000", 600))
		for range 3 {
			p.Second()
		}
	}
	return p, d, NewGateway(base, &http.Client{Transport: d})
}

// TestAContainerIsMissed when nothing comes of it and its gateway has no answer either, and never
// else: what is closed cannot be played on.
func TestAContainerIsMissed(t *testing.T) {
	for name, c := range map[string]struct {
		story  func(d *desk, l *listening) // 10 s of play are over
		missed bool
	}{
		"it goes":                          {func(*desk, *listening) {}, true},
		"it goes, and nobody refuses":      {func(d *desk, _ *listening) { d.status = func() int { return 0 } }, true},
		"it is there":                      {func(d *desk, _ *listening) { d.status = func() int { return 200 } }, false},
		"it does not know the player":      {func(d *desk, _ *listening) { d.status = func() int { return 401 } }, false},
		"the gateway has too much to do":   {func(d *desk, _ *listening) { d.status = func() int { return 429 } }, false},
		"the player's own network is gone": {func(d *desk, _ *listening) { d.dead = true }, false},
		"it answers every other question":  {func(d *desk, _ *listening) { d.status = func() int { return 200 + 302*(d.asked%2) } }, false},
		"it says that the game is over":    {func(_ *desk, l *listening) { l.hear(func(r *player.Report) { r.Bye = &control.Bye{} }) }, false},
		"pictures stay away, sound goes on": {func(_ *desk, l *listening) {
			go each(30, func() { l.hear(func(r *player.Report) { r.AudioPackets++ }) })
		}, false},
		"it answers pings alone": {func(_ *desk, l *listening) { go each(30, func() { l.hear(func(r *player.Report) { r.Pongs++ }) }) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, d, g := paid(t, true)
				l := &listening{}
				go func() {
					l.hear(func(r *player.Report) { r.Connections = 1 })
					each(10, func() { l.hear(func(r *player.Report) { r.VideoPackets++ }) })
					d.mu.Lock()
					defer d.mu.Unlock()
					c.story(d, l)
				}()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				began := time.Now()
				if got := p.Missed(ctx, l, g); got != c.missed {
					t.Errorf("missed: %v", got)
				}
				if after := time.Since(began); c.missed && (after < 12*time.Second || after > 16*time.Second) {
					t.Errorf("after %v", after)
				}
				time.Sleep(time.Minute)
			})
		})
	}
	free := purse(t, nil)
	if free.Missed(t.Context(), &listening{}, nil) {
		t.Error("a free session is missed")
	}
}

// each does something now and once a second.
func each(times int, do func()) {
	for range times {
		do()
		time.Sleep(time.Second)
	}
}

// TestAPlayerWhoseContainerWentComplainsAndCloses with its newest voucher, whatever its first tries
// come to.
func TestAPlayerWhoseContainerWentComplainsAndCloses(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(p *Purse, d *desk)
		want    Left
		closing int // transactions
	}{
		"it works":              {func(*Purse, *desk) {}, Left{Told: true, Closing: true, Back: 12_000_000, ClosesMS: 99}, 1},
		"another was first":     {func(_ *Purse, d *desk) { d.refuse = []int{409, 503} }, Left{Told: true, Closing: true, Back: 12_000_000, ClosesMS: 99}, 3},
		"the pools lose it":     {func(_ *Purse, d *desk) { d.lost = 1 }, Left{Told: true, Closing: true, Back: 12_000_000, ClosesMS: 99}, 2},
		"no pool ever takes it": {func(_ *Purse, d *desk) { d.lost = 99 }, Left{Told: true}, 3},
		"the gateway is strict": {func(_ *Purse, d *desk) { d.refuse = []int{403} }, Left{Told: true}, 1},
		"no money for the fee": {func(p *Purse, _ *desk) {
			p.o.Account = func(context.Context) (Account, error) { return Account{Balance: 999}, nil }
		}, Left{Told: true}, 0},
		"it settled":             {func(_ *Purse, d *desk) { d.phase = "none" }, Left{Told: true, Settled: true}, 0},
		"it is being closed":     {func(_ *Purse, d *desk) { d.phase = "closing" }, Left{Told: true, Closing: true, Back: 12_000_000, ClosesMS: 99}, 0},
		"what is left is no fee": {func(p *Purse, _ *desk) { p.o.TxFee = 12_000_000 }, Left{Told: true}, 0},
		"nobody hears complaints": {func(_ *Purse, d *desk) { d.gone = func() (int, bool) { return 404, true } },
			Left{Closing: true, Back: 12_000_000, ClosesMS: 99}, 1},
		"a complaint is heard at last": {func(_ *Purse, d *desk) {
			busy := 2
			d.gone = func() (int, bool) { busy--; return 503, busy >= 0 }
		}, Left{Told: true, Closing: true, Back: 12_000_000, ClosesMS: 99}, 1},
		"the gateway is gone, too": {func(_ *Purse, d *desk) { d.dead = true }, Left{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, d, g := paid(t, true)
				c.change(p, d)
				if got := p.Leave(t.Context(), g); got != c.want || len(d.closings) != c.closing {
					t.Errorf("%+v after %d closings", got, len(d.closings))
				}
				for _, x := range d.closings {
					v := x.Body.GetClose().GetVoucher()
					if r := p.Report(); v.GetSeq() != r.Vouchers || v.GetSeconds() != r.Seconds || v.GetPaid() != r.Paid || r.Seconds != 4 {
						t.Errorf("closed with %v", v)
					}
				}
			})
		})
	}
}

// TestAnOrderThatComesAfterTheContainerWentIsClosed too, without a voucher or a complaint: nothing
// was promised.
func TestAnOrderThatComesAfterTheContainerWentIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d, g := paid(t, false)
		d.phase, p.until = "none", 50
		go func() {
			time.Sleep(4 * time.Second)
			d.mu.Lock()
			defer d.mu.Unlock()
			d.phase, d.timeMS = "open", 60
		}()
		if got := p.Leave(t.Context(), g); got.Told || !got.Closing || len(d.closings) != 1 || d.closings[0].Body.GetClose().GetVoucher() != nil {
			t.Errorf("%+v, %d closings", got, len(d.closings))
		}
		d.phase = "none" // and it is in no block any more
		if got := p.Leave(t.Context(), g); got != (Left{}) || len(d.closings) != 1 {
			t.Errorf("%+v", got)
		}
		p.most = 0 // or never was ordered
		d.phase = "open"
		if got := p.Leave(t.Context(), g); got != (Left{}) || len(d.closings) != 1 {
			t.Errorf("%+v", got)
		}
	})
}
