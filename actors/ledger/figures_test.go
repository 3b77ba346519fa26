package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

func standing(rp uint64) state.Standing {
	return state.Standing{RPMilli: rp, QualityPPM: 950_000, PriorityPPM: 1_000_000, ProvenUntil: 9, Rounds: []uint64{rp}}
}

// What stood after a block stays what it was, is read once, and is read of blocks that there are.
func TestFiguresOfABlock(t *testing.T) {
	l, f, _ := fakeLedger(t)
	n := key.Node(address(seeded("node", 1)))
	head := func(height, epoch uint64) []byte { return state.Head{Height: height, Epoch: epoch}.Encode() }
	for f.Head().Height < 6 {
		f.block(time.Second)
	}
	func() {
		defer f.hold()()
		f.past = map[uint64]map[string][]byte{
			1: {string(state.HeadKey()): head(1, 0)},
			3: {string(state.HeadKey()): head(3, 1), string(state.StandingKey(n)): standing(100).Encode()},
			4: {string(state.HeadKey()): head(4, 2), string(state.StandingKey(n)): standing(200).Encode()},
			5: {string(state.HeadKey()): head(5, 2)},
		}
	}()
	other := key.Node(address(seeded("node", 7)))
	got, err := l.FiguresOf(t.Context(), []Read{{n, 3}, {n, 4}, {other, 4}, {n, 5}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Figures{{Height: 3, Epoch: 1, Standing: standing(100), Known: true}, {Height: 4, Epoch: 2, Standing: standing(200), Known: true},
		{Height: 4, Epoch: 2}, {Height: 5, Epoch: 2}} {
		if got[i].Height != want.Height || got[i].Epoch != want.Epoch || got[i].Known != want.Known || got[i].Standing.RPMilli != want.Standing.RPMilli {
			t.Errorf("answer %d is %+v, want %+v", i, got[i], want)
		}
	}
	epoch, height, err := l.Mark(t.Context())
	if err != nil || epoch != 0 || height != 6-markBelow {
		t.Errorf("mark: epoch %d, block %d, %v", epoch, height, err)
	}
	f.outage(true)
	if _, err := l.FiguresAt(t.Context(), n, 3); err != nil {
		t.Errorf("asked again about what is known: %v", err)
	}
	if _, err := l.FiguresAt(t.Context(), other, 3); err == nil {
		t.Error("an answer during an outage")
	}
	f.outage(false)
	for _, height := range []uint64{0, 6 + aheadOf + 1, 1 << 63} {
		if _, err := l.FiguresAt(t.Context(), n, height); !errors.Is(err, ErrUnknown) {
			t.Errorf("block %d: %v", height, err)
		}
	}

	func() { defer f.hold()(); f.head.Height = 3 + behindOf + 1 }()
	l.heads.set(f.Head())
	if _, err := l.FiguresAt(t.Context(), other, 3); !errors.Is(err, ErrPast) {
		t.Errorf("a block of long ago: %v", err)
	}
	if _, err := l.FiguresAt(t.Context(), other, 4); err != nil {
		t.Errorf("the oldest block that counts: %v", err)
	}
}

// A block that somebody else knows already is waited for.
func TestFiguresOfTheNextBlock(t *testing.T) {
	l, f, _ := fakeLedger(t)
	n := key.Node(address(seeded("node", 1)))
	for f.Head().Height < 6 {
		f.block(time.Second)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.FiguresAt(t.Context(), n, 6)
		done <- err
	}()
	until(t, "the block is waited for", func() bool { f.ch <- struct{}{}; defer func() { <-f.ch }(); return f.hurries > 0 })
	func() {
		defer f.hold()()
		f.past = map[uint64]map[string][]byte{6: {string(state.HeadKey()): state.Head{Height: 6, Epoch: 2}.Encode()}}
	}()
	f.block(time.Second)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A beacon is near an epoch when it is its seed or its neighbour's.
func TestNear(t *testing.T) {
	l, f, _ := fakeLedger(t)
	for e := range uint64(6) {
		f.put(state.SeedKey(e), append(make([]byte, 31), byte(e+1)))
	}
	for _, tc := range []struct {
		seed, epoch uint64
		want        bool
	}{{0, 0, true}, {1, 0, true}, {2, 0, false}, {3, 4, true}, {4, 4, true}, {5, 4, true}, {2, 4, false}, {5, 1 << 63, false}, {0, 1<<64 - 1, false}} {
		var b [32]byte
		b[31] = byte(tc.seed + 1)
		if got, err := l.Near(t.Context(), b, tc.epoch); err != nil || got != tc.want {
			t.Errorf("seed of %d and epoch %d: %v, %v", tc.seed, tc.epoch, got, err)
		}
	}
	l.beacons.put(seed{8, [32]byte{8}}, &seed{6, [32]byte{6}}, 1)
	f.outage(true)
	for epoch, want := range map[uint64]bool{6: false, 7: true, 8: true, 9: true, 10: false} {
		if got, err := l.Near(t.Context(), [32]byte{8}, epoch); err != nil || got != want {
			t.Errorf("the newest seed and epoch %d: %v, %v", epoch, got, err)
		}
	}
	if _, err := l.Near(t.Context(), [32]byte{77}, 3); err == nil {
		t.Error("an answer during an outage")
	}
}

// A light client reads no faster in the background than its pace; whoever keeps the chain is
// not held up.
func TestPace(t *testing.T) {
	l, f, _ := fakeLedger(t)
	if err := l.Pace(t.Context(), 10*paceBurst); err != nil {
		t.Error(err)
	}
	func() { defer f.hold()(); f.head.Full = false }()
	if err := l.Pace(t.Context(), paceBurst); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := l.Pace(ctx, paceBurst); err == nil {
		t.Error("twice the burst at one go")
	}
}

// Both sources of a real chain say the same about a block, also about one that is past.
func testFigures(t *testing.T, full, thin *Ledger) {
	n := key.Node(address(seeded("node", 1)))
	epoch, height, err := thin.Mark(within(t))
	if err != nil {
		t.Fatal(err)
	}
	a, err := full.FiguresAt(within(t), n, height)
	if err != nil {
		t.Fatal(err)
	}
	b, err := thin.FiguresAt(within(t), n, height)
	if err != nil || a.Epoch != epoch || a.Height != b.Height || a.Epoch != b.Epoch || a.Known != b.Known || a.Standing.RPMilli != b.Standing.RPMilli {
		t.Fatalf("a full node says %+v, a light client %+v, %v", a, b, err)
	}
	if !a.Known || a.Standing.RPMilli != genesisRP || a.Standing.QualityPPM != economics.FirstQuality {
		t.Errorf("the container of the genesis has %+v", a)
	}
	_, newest, err := full.Mark(within(t))
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a light client reads a full node's mark", func() bool { // it may be some blocks behind
		f, err := thin.FiguresAt(within(t), n, newest)
		if err != nil && !errors.Is(err, ErrUnknown) || err == nil && !f.Known {
			t.Fatalf("a light client cannot read a full node's mark: %+v, %v", f, err)
		}
		return err == nil
	})
	for _, l := range []*Ledger{full, thin} {
		until(t, "the beacon of now is near now", func() bool { // a slow machine may miss an epoch
			beacon, err := full.Beacon(within(t))
			if err != nil {
				return false
			}
			near, err := Near(within(t), l.o.Source, beacon, full.Epoch())
			return err == nil && near
		})
		if _, err := l.FiguresAt(within(t), n, 1<<40); !errors.Is(err, ErrUnknown) {
			t.Errorf("a block that there is not: %v", err)
		}
	}
}
