package gateway

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/ledger/key"
)

// fakeLedger answers from memory, and gives money to whom it is asked to.
type fakeLedger struct {
	mu       sync.Mutex
	status   LedgerStatus
	accounts map[key.Address]LedgerAccount
	err      error
	funded   []key.Address
	give     uint64
	slow     bool                                                     // what is given is in no block yet
	asked    int                                                      // for accounts
	held     func(container key.Node, session [16]byte) LedgerSession // nil = nothing
}

var (
	_ Ledger = (*fakeLedger)(nil)
	_ Funder = (*fakeLedger)(nil)
)

func (f *fakeLedger) Status(context.Context) (LedgerStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, f.err
}

func (f *fakeLedger) Account(_ context.Context, a key.Address) (LedgerAccount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.accounts[a], f.err
}

func (f *fakeLedger) Session(_ context.Context, container key.Node, s [16]byte) (LedgerSession, error) {
	f.mu.Lock()
	held, err := f.held, f.err
	f.mu.Unlock()
	if held == nil {
		return LedgerSession{}, err
	}
	return held(container, s), err
}

func (f *fakeLedger) Fund(_ context.Context, a key.Address) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.funded = append(f.funded, a)
	if f.accounts == nil {
		f.accounts = map[key.Address]LedgerAccount{}
	}
	if f.slow {
		return f.err
	}
	acct := f.accounts[a]
	acct.Balance += f.give
	f.accounts[a] = acct
	return f.err
}

func (f *fakeLedger) set(change func(*fakeLedger)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func TestLedgerIsToldAsItIs(t *testing.T) {
	who := key.Address{7}
	l := &fakeLedger{status: LedgerStatus{Chain: "net", Symbol: "FRM", Height: 42, Epoch: 3, PerUSD: 100_000_000_000, TxFee: 1000},
		accounts: map[key.Address]LedgerAccount{who: {Balance: 18_446_744_073_709_551_615, Nonce: 5}}}
	s := newServer(t, &fakeMesh{}, func(o *Options) { o.Ledger = l })
	r := do(s, "GET", "/api/ledger", "")
	var got map[string]any
	if err := json.Unmarshal([]byte(text(t, r)), &got); err != nil || r.StatusCode != 200 {
		t.Fatal(r.StatusCode, err)
	}
	for k, want := range map[string]any{"chain": "net", "symbol": "FRM", "height": 42.0, "epoch": 3.0, "per_usd": "100000000000", "tx_fee": "1000", "faucet": false, "gift": "0", "catching_up": false} {
		if got[k] != want {
			t.Errorf("%s is %v, want %v", k, got[k], want)
		}
	}
	for _, name := range []string{hex.EncodeToString(who[:]), strings.ToUpper(hex.EncodeToString(who[:])), who.String()} {
		r := do(s, "GET", "/api/ledger/account/"+name, "")
		if b := text(t, r); r.StatusCode != 200 || !strings.Contains(b, `"balance":"18446744073709551615","nonce":"5"`) || !strings.Contains(b, who.String()) {
			t.Errorf("%s: %d %s", name, r.StatusCode, b)
		}
	}
	if b := text(t, do(s, "GET", "/api/ledger/account/"+key.Address{8}.String(), "")); !strings.Contains(b, `"balance":"0","nonce":"0"`) {
		t.Errorf("an account without a past: %s", b)
	}
	for _, bad := range []string{"x", "frm1qqqq", hex.EncodeToString(who[1:]), strings.Repeat("z", 64), who.String() + "q", "%00"} {
		wantProblem(t, do(s, "GET", "/api/ledger/account/"+bad, ""), 400, "invalid")
	}
	for _, path := range []string{"/api/ledger", "/api/ledger/account/" + who.String()} {
		if r := do(s, "POST", path, ""); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, r.StatusCode)
		}
	}
	l.set(func(f *fakeLedger) { f.err = errors.New("away") })
	wantProblem(t, do(s, "GET", "/api/ledger", ""), 503, "ledger")
	wantProblem(t, do(s, "GET", "/api/ledger/account/"+who.String(), ""), 503, "ledger")
}

// However many accounts strangers ask for, the ledger is asked a few times only, and what
// was just heard is not asked again.
func TestAccountsAreAskedForWithinLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLedger{}
		s := newServer(t, &fakeMesh{}, func(o *Options) { o.Ledger = l })
		ask := func(n int, a key.Address) (ok int) {
			for range n {
				a[0]++
				r := do(s, "GET", "/api/ledger/account/"+a.String(), "")
				switch r.StatusCode {
				case http.StatusOK:
					ok++
				case http.StatusTooManyRequests:
					if r.Header.Get("Retry-After") == "" {
						t.Error("nothing says when to try again")
					}
				default:
					t.Errorf("status %d: %s", r.StatusCode, text(t, r))
				}
			}
			return ok
		}
		if ok := ask(100, key.Address{}); ok != lookBurst || l.asked != lookBurst {
			t.Errorf("%d of 100 answered, the ledger was asked %d times, want %d", ok, l.asked, lookBurst)
		}
		for range 50 { // the last one that was answered
			if r := do(s, "GET", "/api/ledger/account/"+key.Address{lookBurst}.String(), ""); r.StatusCode != http.StatusOK {
				t.Fatalf("what was just heard: %d", r.StatusCode)
			}
		}
		if l.asked != lookBurst {
			t.Errorf("the ledger was asked again for what was just heard")
		}
		time.Sleep(accountFresh)
		l.set(func(f *fakeLedger) { f.accounts = map[key.Address]LedgerAccount{{lookBurst}: {Balance: 7}} })
		if b := text(t, do(s, "GET", "/api/ledger/account/"+key.Address{lookBurst}.String(), "")); !strings.Contains(b, `"balance":"7"`) {
			t.Errorf("half a second later: %s", b)
		}
	})
}

func TestWithoutALedgerThereIsNoMoney(t *testing.T) {
	s := newServer(t, &fakeMesh{}, nil)
	wantProblem(t, do(s, "GET", "/api/ledger", ""), 404, "no-ledger")
	wantProblem(t, do(s, "GET", "/api/ledger/account/"+key.Address{}.String(), ""), 404, "no-ledger")
}

// slowFunder never comes to an end by itself.
type slowFunder struct {
	began int
	mu    sync.Mutex
}

func (f *slowFunder) Fund(ctx context.Context, _ key.Address) error {
	f.mu.Lock()
	f.began++
	f.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func TestFundingNeverHoldsUpALaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &slowFunder{}
		s := newServer(t, &fakeMesh{}, func(o *Options) { o.Funder = f })
		player := strings.Repeat("07", 32)
		for range maxFunding + 5 {
			if r := post(s, "/whep/nova", offer, "Framemesh-Player", player); r.StatusCode != 201 {
				t.Fatal(r.StatusCode, text(t, r))
			}
		}
		synctest.Wait()
		if f.began != maxFunding {
			t.Errorf("%d players are given money at once", f.began)
		}
		time.Sleep(fundTimeout) // and then they go without
	})
}

// A gateway that has stopped gives nobody money any more, and takes along what it had begun.
func TestStopEndsFunding(t *testing.T) {
	f := &endedFunder{began: make(chan struct{}, 1)}
	s := newServer(t, &fakeMesh{}, func(o *Options) { o.Funder, o.Listen = f, "127.0.0.1:0" })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	player := strings.Repeat("07", 32)
	if r := post(s, "/whep/nova", offer, "Framemesh-Player", player); r.StatusCode != 201 {
		t.Fatal(r.StatusCode, text(t, r))
	}
	<-f.began
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !f.ended.Load() {
		t.Error("somebody is still being given money")
	}
	if s.fund(make([]byte, key.Size)); len(f.began) != 0 || len(s.funding) != 0 {
		t.Error("somebody is given money after the end")
	}
}

type endedFunder struct {
	began chan struct{}
	ended atomic.Bool
}

func (f *endedFunder) Fund(ctx context.Context, _ key.Address) error {
	f.began <- struct{}{}
	<-ctx.Done()
	f.ended.Store(true)
	return ctx.Err()
}

func TestOnlyLaunchesWithAKeyAreFunded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLedger{give: 5}
		s := newServer(t, &fakeMesh{}, func(o *Options) { o.Funder = l })
		post(s, "/whep/nova", offer)
		post(s, "/whep/nova?session="+testSession+"&token="+testToken, offer, "Framemesh-Player", strings.Repeat("07", 32))
		synctest.Wait()
		if len(l.funded) != 0 {
			t.Errorf("given to %v", l.funded)
		}
		post(s, "/whep/nova", offer, "Framemesh-Player", strings.Repeat("07", 32))
		synctest.Wait()
		if len(l.funded) != 1 || l.funded[0] != (key.Address([]byte(strings.Repeat("\x07", 32)))) {
			t.Errorf("given to %v", l.funded)
		}
		if r := do(newServer(t, &fakeMesh{}, func(o *Options) { o.Funder, o.Ledger = l, l }), "GET", "/api/ledger", ""); !strings.Contains(text(t, r), `"faucet":true`) {
			t.Error("the page is not told of the faucet")
		}
	})
}

func TestPaymentRefusalIs402(t *testing.T) {
	m := &fakeMesh{launch: func(context.Context, mesh.LaunchRequest) (*mesh.Launched, error) {
		return nil, &mesh.Refused{Code: "payment", Text: "No key.", Try: "Use another browser."}
	}}
	wantProblem(t, post(newServer(t, m, nil), "/whep/nova", offer), 402, "payment")
}
