package complain

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

const (
	epochMS   = 20_000
	perSecond = 7
)

func named(name string) (ed25519.PrivateKey, key.Node) {
	seed := sha256.Sum256([]byte(name))
	k := ed25519.NewKeyFromSeed(seed[:])
	return k, key.Node(k[ed25519.SeedSize:])
}

// net is a ledger with one container and ten checkers, who are told here.
type net struct {
	genesis uint64
	session state.Session
	settled bool

	mu   sync.Mutex
	told map[uint64]int // by epoch
	busy int            // answers of BUSY that are left
	err  error
}

func (n *net) Chain() string                  { return "test" }
func (n *net) EpochAt(ms uint64) uint64       { return economics.Epoch(n.genesis, epochMS/1000, ms) }
func (n *net) EpochStart(epoch uint64) uint64 { return n.genesis + epoch*epochMS }

func (n *net) Roll(_ context.Context, epoch uint64) (*ledgeractor.Roll, error) {
	if uint64(time.Now().UnixMilli()) < n.EpochStart(epoch)+1000 {
		return nil, ledgeractor.ErrNoBeacon
	}
	e := economics.DefaultParams()
	e.EpochSeconds = epochMS / 1000
	p := judge.From(e)
	_, c := named("container")
	var checkers []judge.Candidate
	for i := range 10 {
		_, k := named(fmt.Sprint("checker ", i))
		checkers = append(checkers, judge.Candidate{Node: k, Stake: 1, Owner: key.Address(k)})
	}
	return &ledgeractor.Roll{Epoch: epoch, Params: p, Times: judge.Schedule(p, epoch, n.genesis),
		Assignment: judge.Assign("test", [32]byte{byte(epoch)}, epoch, []judge.Candidate{{Node: c, Stake: 1, Owner: key.Address(c)}}, checkers, p)}, nil
}

func (n *net) Session(context.Context, key.Node, [16]byte) (state.Session, bool, error) {
	return n.session, !n.settled, nil
}

func (n *net) Gone(context.Context, peer.ID, *wire.Gone) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.busy > 0 {
		n.busy--
		return &rpc.Error{Code: wire.Code_BUSY, RetryAfter: time.Second}
	}
	if n.err == nil {
		n.told[n.EpochAt(uint64(time.Now().UnixMilli()))]++
	}
	return n.err
}

func word(seconds uint32, session byte) *wire.Gone {
	return wordAt(seconds, session, time.Now())
}

func wordAt(seconds uint32, session byte, at time.Time) *wire.Gone {
	player, address := named("player")
	host, c := named("container")
	s := witness.Session{Chain: "test", Container: c, ID: [16]byte{session}, Player: [32]byte(address)}
	g := witness.Gone{Seconds: seconds, AtMS: uint64(at.UnixMilli())}
	s.SignGone(player, &g)
	g.Taken = witness.Taken{PerSecond: perSecond, OpenedMS: uint64(time.Now().UnixMilli())}
	s.SignTaken(host, &g.Taken)
	return &wire.Gone{PerSecond: perSecond, OpenedMs: g.Taken.OpenedMS, Taken: g.Taken.Signature[:], Container: c[:], Session: s.ID[:], Player: address[:], Seconds: seconds, AtMs: g.AtMS, Signature: g.Signature[:]}
}

func open(t *testing.T) (*net, *Desk) {
	_, player := named("player")
	n := &net{genesis: uint64(time.Now().UnixMilli()), told: map[uint64]int{}, session: state.Session{Player: key.Address(player), Phase: state.PhaseOpen, Seconds: 600, PerSecond: perSecond, OpenedMS: uint64(time.Now().UnixMilli())}}
	d, err := New(Options{Book: n, Calls: n, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return n, d
}

// TestAllWhoAreDrawnAreTold in the epoch that runs where they can look before they vote, and in
// the next one else; once for a session.
func TestAllWhoAreDrawnAreTold(t *testing.T) {
	for at, want := range map[time.Duration]uint64{0: 0, 3 * time.Second: 0, 6 * time.Second: 0, 8 * time.Second: 1, 19 * time.Second: 1} {
		synctest.Test(t, func(t *testing.T) {
			n, d := open(t)
			defer func() { _ = d.Stop(context.Background()) }()
			time.Sleep(at)
			for range 3 {
				if err := d.Take(t.Context(), word(5, 1)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(25 * time.Second)
			synctest.Wait()
			if len(n.told) != 1 || n.told[want] != 10 {
				t.Errorf("%v into the epoch: told %v, want ten in epoch %d", at, n.told, want)
			}
		})
	}
}

// TestAPlayerThatClosesIsHeard all the same: it wants the rest of its money back.
func TestAPlayerThatClosesIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := open(t)
		defer func() { _ = d.Stop(context.Background()) }()
		time.Sleep(3 * time.Second)
		n.session.Phase, n.session.ClosingMS = state.PhaseClosing, uint64(time.Now().UnixMilli())
		if err := d.Take(t.Context(), word(5, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n.told[0] != 10 {
			t.Errorf("told %v", n.told)
		}
	})
}

// TestBusyCheckersAreToldAgain, and those who refuse are not.
func TestBusyCheckersAreToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := open(t)
		defer func() { _ = d.Stop(context.Background()) }()
		n.busy = 12
		if err := d.Take(t.Context(), word(5, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if n.told[0] != 10 {
			t.Errorf("told %v", n.told)
		}
		n.err = &rpc.Error{Code: wire.Code_EXPIRED}
		if err := d.Take(t.Context(), word(5, 2)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(n.told) != 1 || d.count != 0 {
			t.Errorf("told %v, %d are still being brought", n.told, d.count)
		}
	})
}

func TestWhatIsNoComplaint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := open(t)
		defer func() { _ = d.Stop(context.Background()) }()
		forged := word(5, 1)
		forged.Seconds++
		if err := d.Take(t.Context(), forged); !errors.Is(err, ErrForged) {
			t.Errorf("forged: %v", err)
		}
		for _, off := range []time.Duration{11 * time.Minute, -11*time.Minute - epochMS*time.Millisecond} {
			if err := d.Take(t.Context(), wordAt(5, 1, time.Now().Add(off))); !errors.Is(err, ErrClock) {
				t.Errorf("by a clock that is %v off: %v", off, err)
			}
		}
		untaken := word(5, 1)
		untaken.Taken[9]++
		if err := d.Take(t.Context(), untaken); !errors.Is(err, ErrForged) {
			t.Errorf("not taken: %v", err)
		}
		n.session.PerSecond++
		if err := d.Take(t.Context(), word(5, 1)); !errors.Is(err, ErrNoSession) {
			t.Errorf("taken at another price: %v", err)
		}
		n.session.PerSecond--
		if err := d.Take(t.Context(), word(600, 1)); !errors.Is(err, ErrNoSession) {
			t.Errorf("all was played: %v", err)
		}
		n.session.Phase, n.session.ClosingMS = state.PhaseClosing, n.genesis-1
		if err := d.Take(t.Context(), word(5, 1)); !errors.Is(err, ErrNoSession) {
			t.Errorf("closed before: %v", err)
		}
		n.session.Phase, n.session.ClosingMS, n.session.Player = state.PhaseOpen, 0, key.Address{1}
		if err := d.Take(t.Context(), word(5, 1)); !errors.Is(err, ErrNoSession) {
			t.Errorf("another's: %v", err)
		}
		n.settled = true
		if err := d.Take(t.Context(), word(5, 1)); !errors.Is(err, ErrNoSession) {
			t.Errorf("settled: %v", err)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(n.told) != 0 {
			t.Errorf("told %v", n.told)
		}
	})
}

// TestWhoIsBusyIsToldAgainAsLongAsItCanLook: a container's friends can have its checkers look for
// it in vain for one watch after the other.
func TestWhoIsBusyIsToldAgainAsLongAsItCanLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := open(t)
		defer func() { _ = d.Stop(context.Background()) }()
		time.Sleep(1500 * time.Millisecond)
		n.busy = 1 << 20
		if err := d.Take(t.Context(), word(5, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		n.mu.Lock()
		n.busy = 0
		n.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n.told[0] != 10 || len(n.told) != 1 {
			t.Errorf("told %v", n.told)
		}
	})
}

// friend is a complaint about a session with another container, of the same player.
func friend(container string, session int) *wire.Gone {
	player, address := named("player")
	host, c := named(container)
	s := witness.Session{Chain: "test", Container: c, ID: [16]byte{1, byte(session), byte(session >> 8)}, Player: [32]byte(address)}
	g := witness.Gone{Seconds: 5, AtMS: uint64(time.Now().UnixMilli())}
	s.SignGone(player, &g)
	g.Taken = witness.Taken{PerSecond: perSecond, OpenedMS: uint64(time.Now().UnixMilli())}
	s.SignTaken(host, &g.Taken)
	return &wire.Gone{PerSecond: perSecond, OpenedMs: g.Taken.OpenedMS, Taken: g.Taken.Signature[:], Container: c[:], Session: s.ID[:], Player: address[:], Seconds: 5, AtMs: g.AtMS, Signature: g.Signature[:]}
}

// TestNobodyTakesTheRoomOfOthersWithOneContainer: a desk is bounded, and where it is full the
// container gives way about which there are most complaints.
func TestNobodyTakesTheRoomOfOthersWithOneContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := open(t)
		time.Sleep(15 * time.Second) // all wait for the next epoch
		if err := d.Take(t.Context(), word(5, 0)); err != nil {
			t.Fatal(err)
		}
		for i := range most + 50 {
			if err := d.Take(t.Context(), friend("loud", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Take(t.Context(), word(5, 1)); err != nil {
			t.Fatal(err)
		}
		_, container := named("container")
		_, loud := named("loud")
		if d.count != most || len(d.open[container]) != 2 || len(d.open[loud]) != most-2 || len(d.known) != most || len(d.order) != most {
			t.Errorf("%d wait, %d about one, %d about the other; %d are known", d.count, len(d.open[container]), len(d.open[loud]), len(d.known))
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if n.told[1] != 20 { // nobody is drawn for the other one
			t.Errorf("told %v", n.told)
		}
		if err := d.Stop(t.Context()); err != nil || d.count != 0 {
			t.Error(d.count, err)
		}
	})
}

// TestTurns: containers take turns, and what is said of one waits in its order.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTurns(2)
		var got []string
		ctx, cancel := context.WithCancel(t.Context())
		wait := func(ctx context.Context, n byte, name string) {
			go func() {
				if s.take(ctx, key.Node{n}) {
					got = append(got, name)
				}
			}()
			synctest.Wait()
		}
		for i, name := range []string{"a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1"} {
			use := t.Context()
			if i == 3 {
				use = ctx
			}
			wait(use, name[0], name)
		}
		cancel() // a4 leaves
		synctest.Wait()
		for range 8 {
			s.give()
			synctest.Wait()
		}
		if want := []string{"a1", "a2", "a3", "b1", "c1", "a5", "b2"}; !slices.Equal(got, want) {
			t.Errorf("in the order %v, want %v", got, want)
		}
		if s.free != 3 || len(s.ring) != 0 || len(s.waiting) != 0 { // one was given too often
			t.Errorf("%d seats, %d wait", s.free, len(s.ring))
		}
	})
}

// Stop waits for a complaint that is just being taken: it comes before or after, not between
// the last look at whether the desk is open and the beginning of the work.
func TestStopWaitsForWhatIsBeingTaken(t *testing.T) {
	_, d := open(t)
	d.mu.Lock() // as Take holds it there
	stopped := make(chan error, 1)
	go func() { stopped <- d.Stop(context.Background()) }()
	select {
	case err := <-stopped:
		t.Errorf("stopped beside a complaint that is being taken: %v", err)
		stopped <- err
	case <-time.After(100 * time.Millisecond):
	}
	if d.ctx.Err() != nil {
		t.Error("the desk was closed under a complaint that is being taken")
	}
	done := false
	d.wg.Go(func() { <-d.ctx.Done(); done = true })
	d.mu.Unlock()
	if err := <-stopped; err != nil || !done {
		t.Errorf("stopped with %v, work done: %v", err, done)
	}
}
