package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/actors/gateway/complain"
	"github.com/framemesh/framemesh/actors/gateway/refund"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/wire"
)

const (
	gone     = `^The machine that ran your game stopped answering.*Play on the next machine \(`
	reported = `It was reported`
)

// watchmen is the ledger that a gateway's desk reads, with the paid sessions of a test's
// containers, and the ten checkers who are drawn for each of them.
type watchmen struct {
	mu    sync.Mutex
	tills []*fakeTill
	told  map[[16]byte][]peer.ID // by session: who was brought a complaint
	words []*wire.Gone

	closed  map[[16]byte]*tx.Tx // by session: what its player closed it with
	order   []string            // gone, close and their sessions, as they came
	settled map[[16]byte]bool
}

func (w *watchmen) Chain() string                  { return "testnet" }
func (w *watchmen) EpochAt(uint64) uint64          { return 3 }
func (w *watchmen) EpochStart(epoch uint64) uint64 { return epoch << 50 } // this one lasts

// Roll has one batch with all containers.
func (w *watchmen) Roll(_ context.Context, epoch uint64) (*ledgeractor.Roll, error) {
	candidate := func(n key.Node) judge.Candidate { return judge.Candidate{Node: n, Stake: 1, Owner: key.Address(n)} }
	var containers, checkers []judge.Candidate
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.tills {
		n, err := key.NodeOf(f.c.id)
		if err != nil {
			return nil, err
		}
		containers = append(containers, candidate(n))
	}
	for i := range 10 {
		checkers = append(checkers, candidate(sha256.Sum256(fmt.Append(nil, "checker ", i))))
	}
	p := judge.From(economics.DefaultParams())
	return &ledgeractor.Roll{Epoch: epoch, Params: p, Times: judge.Times{OpeningsBy: 4 << 50, VoteBy: 4 << 50},
		Assignment: judge.Assign("testnet", [32]byte{1}, epoch, containers, checkers, p)}, nil
}

// Session is as the containers' tills have it.
func (w *watchmen) Session(_ context.Context, container key.Node, id [16]byte) (state.Session, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.tills {
		f.mu.Lock()
		terms, seconds, openedMS := f.terms, f.seconds, f.openedMS
		f.mu.Unlock()
		if terms.Container == container && terms.Session == id && !w.settled[id] {
			s := state.Session{Player: terms.Player, PerSecond: terms.PerSecond, Seconds: seconds, Escrow: terms.Owed(seconds),
				Phase: state.PhaseOpen, OpenedMS: openedMS}
			if x := w.closed[id]; x != nil {
				s.Phase, s.Closes, s.ClosingMS, s.Paid = state.PhaseClosing, 6, s.OpenedMS, x.Body.GetClose().GetVoucher().GetPaid()
			}
			return s, seconds > 0, nil
		}
	}
	return state.Session{}, false, nil
}

// backAt is when the window of a close ends.
var backAt = time.Now().Add(40 * time.Minute)

// held is the same for the page.
func (w *watchmen) held(container key.Node, id [16]byte) (x LedgerSession) {
	s, ok, _ := w.Session(context.Background(), container, id)
	if !ok {
		return x
	}
	x = LedgerSession{Phase: "open", Escrow: s.Escrow, Paid: s.Paid, ExpiresMS: uint64(backAt.Add(24 * time.Hour).UnixMilli())}
	if s.Phase == state.PhaseClosing {
		x.Phase, x.ClosesMS = "closing", uint64(backAt.UnixMilli())
	}
	return x
}

// Submit is a ledger's pool and the next block at once: it takes the account's next transaction.
func (w *watchmen) Submit(_ context.Context, raw []byte) ([32]byte, error) {
	hash := sha256.Sum256(raw)
	x, err := tx.Decode(raw)
	if err != nil {
		return hash, err
	}
	next := false
	w.tills[0].ledger.set(func(l *fakeLedger) {
		a := l.accounts[x.Signer]
		if next = x.Body.GetNonce() == a.Nonce; next {
			a.Nonce++
			l.accounts[x.Signer] = a
		}
	})
	if !next {
		return hash, &ledgeractor.Refused{Code: state.ErrNonce.Code, Text: "another number is next"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id := [16]byte(x.Body.GetClose().GetSession())
	w.closed[id], w.order = x, append(w.order, fmt.Sprintf("close %x", id))
	return hash, nil
}

// closing is with what a till's session was closed by its player; nil for one that was not.
func (w *watchmen) closing(f *fakeTill) *tx.Tx {
	f.mu.Lock()
	id := f.terms.Session
	f.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed[id]
}

// status is what a gateway says of a session whose container may be gone.
func (w *watchmen) status(_ context.Context, session, _ string) (mesh.SessionStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.tills {
		if f.c.session == session && f.c.isFrozen() {
			return mesh.SessionStatus{}, &mesh.Refused{Code: "container-gone", Text: "It is gone.", Try: "Start again."}
		}
	}
	return mesh.SessionStatus{Session: session, Phase: "playing"}, nil
}

func (w *watchmen) Gone(_ context.Context, to peer.ID, g *wire.Gone) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := [16]byte(g.GetSession())
	if len(w.told[id]) == 0 {
		w.order = append(w.order, fmt.Sprintf("gone %x", id))
	}
	w.told[id] = append(w.told[id], to)
	w.words = append(w.words, g)
	return nil
}

// heard are the checkers who were brought a complaint about a till's session.
func (w *watchmen) heard(f *fakeTill) []peer.ID {
	f.mu.Lock()
	id := f.terms.Session
	f.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told[id])
}

// sessions is about how many of them complaints were brought.
func (w *watchmen) sessions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.told)
}

// newWatchedRoom is a paid room whose gateway has a real desk, and knows no more of containers
// that are frozen.
func newWatchedRoom(t *testing.T) (*room, *fakeTill, *watchmen) {
	t.Helper()
	w := &watchmen{told: map[[16]byte][]peer.ID{}, closed: map[[16]byte]*tx.Tx{}, settled: map[[16]byte]bool{}}
	r, f, _ := newPaidRoom(t, func(r *room, f *fakeTill, l *fakeLedger) { r.status = w.status })
	d, err := complain.New(complain.Options{Book: w, Calls: w, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := d.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	back, err := refund.New(w)
	if err != nil {
		t.Fatal(err)
	}
	r.srv.opt.Complaints, r.srv.opt.Refunds = d, back
	w.tills = append(w.tills, f)
	f.ledger.set(func(l *fakeLedger) { l.held = w.held })
	return r, f, w
}

// moves lets the next game run on another container, which costs the same.
func (r *room) moves(t *testing.T, w *watchmen, seed byte, l *fakeLedger) *fakeTill {
	t.Helper()
	c := newContainer(t, seed)
	f := newTill(t, c, l, 250_000)
	c.till = f
	w.mu.Lock()
	w.tills = append(w.tills, f)
	w.mu.Unlock()
	r.c = c
	r.launch = func(_ context.Context, q mesh.LaunchRequest) (*mesh.Launched, error) {
		f.begin(q.Player)
		return c.answer(mesh.RoleOwner, q.Offer, q.Player, q.App)
	}
	return f
}

func paidFor(t *testing.T, f *fakeTill, seconds int) {
	t.Helper()
	waitFor(t, fmt.Sprint(seconds, " vouchers"), func() bool { _, v, _ := f.seen(); return len(v) >= seconds })
}

// A machine goes in the middle of a paid game: its player is offered the next one, and its page
// tells the gateway, which brings the player's signed word to all who are drawn for the machine.
// Then it closes the session without the machine.
func TestPageReportsAMachineThatGoes(t *testing.T) {
	r, f, w := newWatchedRoom(t)
	r.play()
	paidFor(t, f, 2)
	next := r.moves(t, w, 40, f.ledger)
	r.goes(f.c)
	said := r.tab.Said(gone)
	r.calm()
	r.tab.Screenshot("gone-reported")
	r.tab.Said(reported)
	played := wantAmounts(t, f, said, `It gets ([\d.]+) FRM at most, for the (\d+) seconds you played\. This page asks the ledger for the other ([\d.]+) FRM\.`)
	waitFor(t, "ten checkers to be told", func() bool { return len(w.heard(f)) == 10 })
	told := w.heard(f)
	slices.Sort(told)
	if len(slices.Compact(told)) != 10 {
		t.Errorf("told were %v", told)
	}
	_, vouchers, bad := f.seen()
	// The connection may have ended before the newest voucher was on its way.
	if g := w.words[0]; g.GetSeconds() != played || played < vouchers[len(vouchers)-1].Seconds || key.Address(g.GetPlayer()) != f.terms.Player || len(bad) != 0 {
		t.Errorf("the page says %v of %d seconds, and has promised %+v; %v", g, played, vouchers[len(vouchers)-1], bad)
	}
	back := r.tab.Said(saysBack)
	r.tab.Screenshot("refund-said")
	r.wantBack(t, f, w, back)
	r.tab.Wait(stageIsUp, 15*time.Second) // the offer is taken when nobody says otherwise
	paidFor(t, next, 2)
	if q := r.lastLaunch(); len(q.Exclude) != 1 || q.Exclude[0] != f.c.id.String() {
		t.Errorf("the next launch excludes %v", q.Exclude)
	}
	if w.sessions() != 1 {
		t.Errorf("%d sessions were complained about", w.sessions())
	}
	r.comesHome(t, f, next, played, w)
	r.tab.NoExceptions()
}

// Nobody complains where it was not the machine that went: the player stops, or leaves the
// page, and the machine is switched off after that; or the connection breaks, and the gateway
// still hears the machine. The same page then complains about one that does go, so that it
// would have been heard before.
func TestPageReportsNobodyWhenItsPlayerLeaves(t *testing.T) {
	r, stopped, w := newWatchedRoom(t)
	r.play()
	paidFor(t, stopped, 2)
	r.tab.Eval(`document.querySelector('[data-tool=stop]').click()`, nil)
	r.tab.Wait(`document.getElementById('stage').hidden`, 3*time.Second)
	stopped.c.freeze()

	left := r.moves(t, w, 40, stopped.ledger)
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(stageIsUp, 15*time.Second)
	paidFor(t, left, 2)
	r.tab.Eval(`location.hash = '', sessionStorage.clear()`, nil) // comes back to the catalogue
	r.tab.Goto("about:blank")
	left.c.freeze()

	cut := r.moves(t, w, 50, stopped.ledger)
	r.join = func(_ context.Context, q mesh.JoinRequest) (*mesh.Launched, error) {
		if q.Session != cut.c.session || q.Token != cut.c.token() {
			return nil, &mesh.Refused{Code: "no-session", Text: "That session has ended.", Try: "Start a new one."}
		}
		cut.c.thaw()
		return cut.c.answer(mesh.RoleOwner, q.Offer, nil, "")
	}
	r.status = func(_ context.Context, session, _ string) (mesh.SessionStatus, error) {
		return mesh.SessionStatus{Session: session, Phase: "playing"}, nil
	}
	r.play()
	paidFor(t, cut, 2)
	r.goes(cut.c)
	r.tab.Said(`Going back to your game`)
	r.calm()
	r.tab.Wait(stageIsUp, 15*time.Second)
	_, before, _ := cut.seen()
	paidFor(t, cut, len(before)+2)
	if w.sessions() != 0 {
		t.Fatalf("complaints about %d machines that were left", w.sessions())
	}

	r.status = w.status
	r.goes(cut.c)
	if s := r.tab.Said(gone); !strings.Contains(s, "Another machine can take over") {
		t.Errorf("the page offers %q", s)
	}
	r.calm()
	waitFor(t, "the complaint about the one that went", func() bool { return len(w.heard(cut)) == 10 })
	if w.sessions() != 1 {
		t.Errorf("%d sessions were complained about", w.sessions())
	}
	r.tab.NoExceptions()
}
