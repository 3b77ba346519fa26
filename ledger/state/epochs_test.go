package state

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestBlocksComeInOrder(t *testing.T) {
	b := newBed(t)
	at := Block{Height: 2, TimeMS: b.now}
	if _, err := b.BeginBlock(at); !errors.Is(err, ErrBlock) {
		t.Errorf("a block inside a block: %v", err)
	}
	if err := b.Flush(); !errors.Is(err, ErrBlock) {
		t.Errorf("a flush inside a block: %v", err)
	}
	b.end()
	if _, err := b.EndBlock(); !errors.Is(err, ErrBlock) {
		t.Errorf("an end without a beginning: %v", err)
	}
	for _, bad := range []Block{{Height: 1, TimeMS: b.now}, {Height: 3, TimeMS: b.now}, {Height: 2, TimeMS: b.now - 1}} {
		if _, err := b.BeginBlock(bad); !errors.Is(err, ErrBlock) {
			t.Errorf("%+v after height 1 at %d: %v", bad, b.now, err)
		}
	}
	if _, err := b.BeginBlock(at); err != nil {
		t.Errorf("the same time is allowed: %v", err)
	}
}

func TestEpochBoundary(t *testing.T) {
	b := newBed(t) // 1 s into epoch 0
	b.next(8_999)  // one millisecond before epoch 1
	if b.Epoch() != 0 || b.event("epoch") != nil {
		t.Fatalf("epoch %d", b.Epoch())
	}
	b.next(1)
	if e := b.event("epoch"); b.Epoch() != 1 || e["epoch"] != "1" || e["skipped"] != "0" {
		t.Fatalf("epoch %d, event %v", b.Epoch(), e)
	}
	b.next(45_000)
	if e := b.event("epoch"); b.Epoch() != 5 || e["skipped"] != "3" {
		t.Fatalf("epoch %d, event %v", b.Epoch(), e)
	}
}

// TestSeedOfAnEpoch: it is what the last block before the epoch left, so the first block
// of the epoch cannot change it.
func TestSeedOfAnEpoch(t *testing.T) {
	b := newBed(t)
	want := NextSeed(FirstSeed(b.doc.Hash()), sha256.Sum256(u64(1)))
	if got := b.Head().Seed; got != want {
		t.Errorf("after block 1: %x, want %x", got, want)
	}
	if seed, ok, err := ReadSeed(b.overlay, 0); !ok || err != nil || seed != FirstSeed(b.doc.Hash()) {
		t.Errorf("epoch 0: %x %t %v", seed, ok, err)
	}
	b.next(1000)
	want = NextSeed(want, sha256.Sum256(u64(2)))
	b.next(10_000)
	if seed, ok, _ := ReadSeed(b.overlay, 1); !ok || seed != want {
		t.Errorf("epoch 1: %x %t, want %x", seed, ok, want)
	}
	if b.Head().Seed == want {
		t.Error("block 3 added nothing to the seed")
	}
	b.next(30_000)
	for e, want := range map[uint64]bool{1: true, 2: false, 3: false, 4: true, 5: false} {
		if _, ok, _ := ReadSeed(b.overlay, e); ok != want {
			t.Errorf("epoch %d: %t", e, ok)
		}
	}
}

func TestOldSeedsGo(t *testing.T) {
	b := newBed(t)
	b.pass(3)
	b.next(10_000 * (keptSeeds + 1)) // epoch 3 + 8 761
	for e, want := range map[uint64]bool{0: false, 3: false, b.Epoch(): true} {
		if _, ok, _ := ReadSeed(b.overlay, e); ok != want {
			t.Errorf("epoch %d: %t", e, ok)
		}
	}
	b.end()
}

// TestCandidatesAreFrozenBeforeTheSeed: whoever stakes in epoch e may be drawn in e + 2,
// not before, and whoever leaves in e is drawn until e + 1.
func TestCandidatesAreFrozenBeforeTheSeed(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	nodes := func(epoch uint64) (out []string) {
		t.Helper()
		all, ok, err := ReadCandidates(b.overlay, epoch, container)
		if err != nil || !ok {
			t.Fatalf("epoch %d: %t %v", epoch, ok, err)
		}
		for _, c := range all {
			out = append(out, c.Node.String())
		}
		return out
	}
	b.pass(1) // epoch 1
	b.must(b.do(alice, registration(alice, n, container, false)))
	b.must(b.do(alice, stakeAll(b, n)))
	b.pass(1)
	if got := nodes(2); len(got) != 0 {
		t.Errorf("drawn one epoch after it staked: %v", got)
	}
	if got := nodes(3); !slices.Equal(got, []string{n.node().String()}) {
		t.Errorf("two epochs after: %v", got)
	}
	if _, ok, _ := ReadCandidates(b.overlay, 4, container); ok {
		t.Error("frozen too early")
	}
	b.must(b.do(alice, unbondAll(b, n)))
	b.pass(1)
	if got := nodes(3); len(got) != 1 {
		t.Errorf("one epoch after it left: %v", got)
	}
	if got := nodes(4); len(got) != 0 {
		t.Errorf("two epochs after it left: %v", got)
	}
	if set, ok, _ := ReadCandidates(b.overlay, 4, checker); !ok || len(set) != 2 || set[0].Stake+set[1].Stake != 30_000*frm {
		t.Errorf("checkers %v %t", set, ok)
	}
	b.end()
}

// TestSkippedEpochsKeepTheFrozenCandidates: with the chain at rest the seed of the next
// epoch is known, so nobody may enter its set any more.
func TestSkippedEpochsKeepTheFrozenCandidates(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	b.must(b.do(alice, registration(alice, n, container, false)))
	b.must(b.do(alice, stakeAll(b, n)))
	b.next(50_000) // epoch 5; frozen were 0 and 1
	for epoch, want := range map[uint64]int{5: 0, 6: 1} {
		if set, ok, err := ReadCandidates(b.overlay, epoch, container); !ok || err != nil || len(set) != want {
			t.Errorf("epoch %d: %v %t %v", epoch, set, ok, err)
		}
	}
	b.pass(20)
	for epoch, want := range map[uint64]bool{5: false, b.Epoch() - keptCandidates: true, b.Epoch() + 1: true, b.Epoch() + 2: false} {
		if _, ok, _ := ReadCandidates(b.overlay, epoch, container); ok != want {
			t.Errorf("epoch %d: %t", epoch, ok)
		}
	}
}

func TestJailedAndPoorNodesAreNoCandidates(t *testing.T) {
	b := newBed(t)
	s, _ := b.stake(who("v1").node())
	s.Jailed = true
	b.must(b.setStake(who("v1").node(), s))
	b.must(b.move(stakeOf(who("v2").node()), burned, 1))
	b.must(b.freezeNow(7))
	if set, ok, err := ReadCandidates(b.overlay, 7, checker); !ok || err != nil || len(set) != 0 {
		t.Errorf("%v %t %v", set, ok, err)
	}
}

func TestCandidatePages(t *testing.T) {
	b := newBed(t)
	for _, n := range []int{0, 1, PageSize, PageSize + 1, 3*PageSize + 5} {
		var set []Candidate
		for i := range n {
			c := Candidate{Stake: uint64(i + 1)}
			copy(c.Node[:], u64(uint64(i)))
			set = append(set, c)
		}
		b.must(b.writeCandidates(uint64(n), indexer, set))
		got, ok, err := ReadCandidates(b.overlay, uint64(n), indexer)
		if !ok || err != nil || !reflect.DeepEqual(got, set) {
			t.Errorf("%d candidates came back as %d %t %v", n, len(got), ok, err)
		}
	}
	b.must(b.overlay.Delete(CandidatesKey(3*PageSize+5, indexer, 2)))
	if _, ok, err := ReadCandidates(b.overlay, 3*PageSize+5, indexer); ok || err != nil {
		t.Errorf("with a page missing: %t %v", ok, err)
	}
}

// TestDueWorkIsBounded: a block does at most max_due_per_block of what is due, oldest
// first, and nothing is lost.
func TestDueWorkIsBounded(t *testing.T) {
	b := newBed(t, func(p *genesis.Plan) { p.Params.MaxDuePerBlock = 10 })
	account := who("alice").address()
	id := func(i uint64) (n [32]byte) { copy(n[24:], u64(i)); return n }
	for i := range uint64(25) {
		b.must(b.delegate(account, id(i), Delegation{Expires: i % 2}))
	}
	left := func() (n int) {
		for i := range uint64(25) {
			if _, ok, _ := ReadDelegation(b.overlay, account, id(i)); ok {
				n++
			}
		}
		return n
	}
	b.pass(2) // in epoch 2 all 25 are due, 13 of them since epoch 1
	for _, want := range []int{5, 0, 0} {
		if got := left(); got != want {
			t.Errorf("%d left, want %d", got, want)
		}
		b.next(1)
	}
}

// TestUrgentWorkComesFirst: whoever lets more sessions expire in an epoch than blocks can
// work off holds up neither a vote nor the epoch's rewards, and tidying up holds up nobody's
// money.
func TestUrgentWorkComesFirst(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.MaxDuePerBlock = 10 })
	b.must(b.do(who("v1 owner"), &tx.ProposeChange{Parameter: "fee_bps", Value: 1_000}))
	b.must(b.do(who("v2 owner"), &tx.ApproveChange{Proposal: 0}))
	for n := range uint64(50) {
		b.must(b.schedule(2, dueForget, idOf(who("c1").raw(), append(u64(n), u64(n)...)).subject()))
	}
	p, _, _ := ReadProposal(b.overlay, 0)
	for n := range uint64(40) {
		o := b.open(b.order(n, 10))
		s, _ := b.sessionOf(o)
		b.must(b.unschedule(s.Expires, dueExpire, idOf(o.Container, o.Session).subject()))
		s.Expires = p.Activates - 1 // before the vote
		b.must(b.overlay.Set(idOf(o.Container, o.Session).key(), s.Encode()))
		b.must(b.schedule(s.Expires, dueExpire, idOf(o.Container, o.Session).subject()))
	}
	b.must(b.AddWeight(p.Activates-2, RewardEdge, who("c1").node(), Weight{Capacity: 1}))
	b.next((p.Activates) * 10_000)
	if b.event("param") == nil || b.event("reward") == nil {
		t.Errorf("held up by %d sessions", b.records(prefixSession))
	}
	for want := 32; want >= 0; want -= 10 {
		b.next(1)
		if got := b.records(prefixSession); got > want {
			t.Errorf("%d sessions are left, want at most %d", got, want)
		}
	}
	b.end()
}

func TestUnknownDueWorkStopsTheNode(t *testing.T) {
	b := newBed(t)
	b.must(b.schedule(0, 99, []byte("x")))
	b.end()
	if _, err := b.BeginBlock(Block{Height: 2, TimeMS: b.now}); !errors.Is(err, ErrRecord) {
		t.Errorf("got %v", err)
	}
}
