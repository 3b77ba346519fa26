package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// plainMatcher reads certificates that are JSON and not signed: the rules of matches are
// tested where they are.
type plainMatcher struct{}

type plainMatch struct {
	proof.Match
	Wrong string
}

func (plainMatcher) Version() string { return "plain" }

func (plainMatcher) read(sealed []byte) (x plainMatch, err error) {
	if err := json.Unmarshal(sealed, &x); err != nil {
		return x, fmt.Errorf("%w: %w", proof.ErrMalformed, err)
	}
	return x, nil
}

func (p plainMatcher) Open(_ string, sealed []byte) (*proof.Match, error) {
	x, err := p.read(sealed)
	for i := range x.Choices {
		x.Choices[i] = proof.MatchChoice{Figures: x.Choices[i].Figures}
	}
	return &x.Match, err
}

func (p plainMatcher) Recompute(_ string, sealed []byte) (*proof.Match, error, error) {
	x, err := p.read(sealed)
	if x.Wrong != "" {
		return &x.Match, errors.New(x.Wrong), err
	}
	return &x.Match, nil, err
}

// matched is what an honest indexer certifies in the block that runs: it knows the one before.
func (b *bed) matched() plainMatch {
	b.tb.Helper()
	i1, height := who("i1").node(), b.Head().Height-1
	epoch := b.epochAt(height)
	seed, ok, err := ReadSeed(b.Reader(), epoch)
	if b.must(err); !ok {
		b.tb.Fatal("no seed")
	}
	x := plainMatch{Match: proof.Match{Indexer: i1, Beacon: seed, Drawn: []key.Node{i1}}}
	for _, c := range []string{"c1", "c2", "nobody"} {
		x.Choices = append(x.Choices, proof.MatchChoice{Container: who(c).node(), Held: true,
			Figures: &proof.MatchFigures{Figures: b.figuresOf(c), Height: height, Epoch: epoch}})
	}
	return x
}

// epochAt is the epoch of a block, from where epochs began.
func (b *bed) epochAt(height uint64) (epoch uint64) {
	for e := b.Epoch(); ; e-- {
		first, ok := b.matchFacts().number(BeganKey(e))
		if ok && first <= height {
			return e
		}
		if e == 0 {
			b.tb.Fatalf("block %d is of no epoch", height)
		}
	}
}

// figuresOf are as the standing has them after the block before: tests change nothing in
// between.
func (b *bed) figuresOf(name string) (f proof.Figures) {
	s, ok, err := ReadStanding(b.store, who(name).node())
	if b.must(err); ok {
		f = proof.Figures{RPMilli: s.RPMilli, QualityPPM: s.QualityPPM, PriorityPPM: s.PriorityPPM, ProvenUntil: s.ProvenUntil}
	}
	return f
}

func (b *bed) accuse(x plainMatch, epoch uint64) error {
	b.tb.Helper()
	raw, err := json.Marshal(x)
	b.must(err)
	return b.send(who("bob"), proof.MatchFraud(x.Indexer, epoch, raw))
}

func newMatches(t *testing.T) *bed {
	b := newRounds(t, func(p *genesis.Plan) { p.Params.ProofStandingEpochs = 100 })
	b.pass(2)
	b.next(1000)
	return b
}

func TestWrongMatchCostsStake(t *testing.T) {
	for name, c := range map[string]struct {
		lie     func(b *bed, x *plainMatch)
		offence economics.Offence
	}{
		"it does not recompute": {func(_ *bed, x *plainMatch) { x.Wrong = "order" }, economics.OffenceMatch},
		"it rests on claims":    {func(_ *bed, x *plainMatch) { x.Choices[1].Figures = nil }, economics.OffenceMatch},
		"it invents a beacon":   {func(_ *bed, x *plainMatch) { x.Beacon[0]++ }, economics.OffenceMatch},
		"it names no indexer":   {func(_ *bed, x *plainMatch) { x.Drawn = append(x.Drawn, who("c1").node()) }, economics.OffenceMatch},
		"it names no node":      {func(_ *bed, x *plainMatch) { x.Strange = true }, economics.OffenceMatch},
		"it is no indexer":      {func(_ *bed, x *plainMatch) { x.Indexer = who("c1").node() }, economics.OffenceMatch},
		"an ad is not sealed":   {func(_ *bed, x *plainMatch) { x.Choices[2].Forged = true }, economics.OffenceCandidates},
		"a better score":        {func(_ *bed, x *plainMatch) { x.Choices[0].Figures.RPMilli++ }, economics.OffenceCandidates},
		"a better quality":      {func(_ *bed, x *plainMatch) { x.Choices[0].Figures.QualityPPM++ }, economics.OffenceCandidates},
		"a worse priority":      {func(_ *bed, x *plainMatch) { x.Choices[1].Figures.PriorityPPM-- }, economics.OffenceCandidates},
		"proven for longer":     {func(_ *bed, x *plainMatch) { x.Choices[1].Figures.ProvenUntil++ }, economics.OffenceCandidates},
		"figures of nobody":     {func(_ *bed, x *plainMatch) { x.Choices[2].Figures.RPMilli = 1 }, economics.OffenceCandidates},
		"another epoch":         {func(_ *bed, x *plainMatch) { x.Choices[0].Figures.Epoch-- }, economics.OffenceCandidates},
		"a block there never was": {func(b *bed, x *plainMatch) {
			x.Choices[0].Figures.Height, x.Choices[0].Figures.Epoch = b.Head().Height, 1
		}, economics.OffenceCandidates},
		"a block long before it": {func(_ *bed, x *plainMatch) { x.Choices[0].Figures.Height = 1 }, economics.OffenceCandidates},
		"both, and worse counts": {func(_ *bed, x *plainMatch) { x.Wrong = "order"; x.Choices[0].Figures.RPMilli++ }, economics.OffenceCandidates},
	} {
		t.Run(name, func(t *testing.T) {
			b := newMatches(t)
			x := b.matched()
			epoch := x.Choices[0].Figures.Epoch
			c.lie(b, &x)
			before, balance := b.stakeOf(b.identity(x.Indexer)), b.balance(who("bob"))
			b.must(b.accuse(x, epoch))
			want := before.Amount
			if c.offence == economics.OffenceMatch {
				want /= 3
			}
			after := b.stakeOf(b.identity(x.Indexer))
			if got := before.Amount - after.Amount; got != want || after.Offences != 1 || !after.Jailed || after.Tombstoned {
				t.Errorf("took %d of %d: %+v", got, before.Amount, after)
			}
			if got := b.balance(who("bob")) - balance; got != b.Params().SplitSlash(want, 0).Bonus-b.Params().TxFee {
				t.Errorf("the reporter gained %d", got)
			}
			if e := b.event("fraud_proven"); e["offence"] != c.offence.String() || e["node"] != x.Indexer.String() {
				t.Errorf("got %v", e)
			}
			reason := proof.ReasonMatch
			if c.offence == economics.OffenceCandidates {
				reason = proof.ReasonCandidates
			}
			if v := b.lastVerdict(x.Indexer); v.Verdict != VerdictConvicted || v.Reason != uint32(reason) || v.Role != economics.RoleIndexer || v.Epoch != epoch {
				t.Errorf("remembers %+v", v)
			}
			x.Wrong += "!" // another certificate, as wrong
			if err := b.accuse(x, epoch); c.offence == economics.OffenceCandidates || x.Wrong == "order!" {
				b.refused(err, ErrPunished)
			}
			b.end()
		})
	}
}

func TestHonestMatchIsNeverPunished(t *testing.T) {
	b := newMatches(t)
	stake, bond := b.stakeOf(who("i1")), b.Params().AppealBond
	innocent := func(x plainMatch, epoch uint64) {
		t.Helper()
		balance := b.balance(who("bob"))
		b.refused(b.accuse(x, epoch), ErrInnocent)
		if got := balance - b.balance(who("bob")); got != bond+b.Params().TxFee {
			t.Errorf("a false report costs %d", got)
		}
	}
	unjudged := func(x plainMatch, epoch uint64) {
		t.Helper()
		balance := b.balance(who("bob"))
		b.refused(b.accuse(x, epoch), ErrInnocent)
		if got := balance - b.balance(who("bob")); got != b.Params().TxFee {
			t.Errorf("a report that cannot be judged costs %d", got)
		}
	}
	x := b.matched()
	epoch := x.Choices[0].Figures.Epoch
	innocent(x, epoch)
	unjudged(x, epoch-1) // of another epoch than it is reported under
	not := x
	not.Choices = append([]proof.MatchChoice(nil), x.Choices...)
	not.Choices[0].Held = false // and so says nothing about what the indexer had before it
	f := *not.Choices[0].Figures
	f.RPMilli++
	not.Choices[0].Figures = &f
	innocent(not, epoch)

	// What stood there then is what counts, whatever came since.
	for i := range 5 {
		b.next(1000)
		b.must(b.setStanding(who("c1").node(), Standing{RPMilli: uint64(i), QualityPPM: 5, PriorityPPM: 6}))
	}
	x.Drawn = nil
	innocent(x, epoch)
	// A container that has left said what it said before, and nothing from then on.
	b.must(b.forgetNode(who("c1").node()))
	b.next(1000)
	b.next(1000)
	x.Drawn = append(x.Drawn, who("i1").node(), who("i1").node())
	innocent(x, epoch)
	gone := b.matched()
	if gone.Choices[0].Figures.Figures != (proof.Figures{}) {
		t.Fatal("it has not left")
	}
	innocent(gone, gone.Choices[0].Figures.Epoch)
	// An indexer that lost its stake meanwhile was one when it matched.
	b.must(b.do(who("i1 owner"), &tx.Unbond{Node: who("i1").raw(), Amount: stake.Amount}))
	b.pass(4)
	x.Drawn = x.Drawn[:1]
	x.Choices = x.Choices[1:]
	innocent(x, epoch)

	for b.Epoch() <= epoch+MatchEpochs {
		b.pass(1)
	}
	x.Drawn = nil
	unjudged(x, epoch)
	x.Choices[0].Figures.RPMilli++ // it lied, and nobody can tell any more
	unjudged(x, epoch)
	nowhere := x
	nowhere.Beacon, nowhere.Choices = [32]byte{1}, nil
	unjudged(nowhere, epoch)
	if got := b.stakeOf(who("i1")); got.Offences != 0 {
		t.Errorf("got %+v", got)
	}
	b.pass(4)
	if n := b.records(prefixFigures); n != 1 {
		t.Errorf("%d records of figures, c1 has left", n)
	}
	// What recomputes wrongly from itself convicts for longer, by a beacon that is known.
	old := plainMatch{Match: x.Match, Wrong: "order"}
	b.must(b.accuse(old, epoch))
	b.end()
}

func TestMatchesAreJudgedWithinABlocksTime(t *testing.T) {
	b := newMatches(t)
	x := b.matched()
	epoch := x.Choices[0].Figures.Epoch
	b.samples = maxSamplesPerBlock - proof.MatchSamples + 1
	x.Wrong = "order"
	b.refused(b.accuse(x, epoch), ErrProofs)
	b.next(1000)
	b.must(b.accuse(x, epoch))
	worse := x // whoever was convicted of less may have done worse in the same epoch
	worse.Choices = append([]proof.MatchChoice(nil), x.Choices...)
	worse.Choices[0].Forged = true
	b.must(b.accuse(worse, epoch))
	if s := b.stakeOf(who("i1")); s.Amount != 0 || s.Offences != 2 {
		t.Errorf("got %+v", s)
	}
	b.end()
}

func TestListedLooksWhereANodeStands(t *testing.T) {
	b := newBed(t)
	var all []Candidate
	name := func(i int) (n key.Node) { n[0], n[1], n[31] = byte(i>>8), byte(i), 7; return n }
	for i := range 3*PageSize + 5 {
		if i%3 != 1 {
			all = append(all, Candidate{Node: name(i)})
		}
	}
	for _, total := range []int{0, 1, 2, PageSize, PageSize + 1, len(all)} {
		b.must(b.writeCandidates(99, economics.RoleIndexer, all[:total]))
		in := map[key.Node]bool{}
		for _, c := range all[:total] {
			in[c.Node] = true
		}
		for i := range 3*PageSize + 9 {
			got, err := Listed(b.Reader(), 99, economics.RoleIndexer, name(i))
			if b.must(err); got != in[name(i)] {
				t.Fatalf("of %d, number %d: %t", total, i, got)
			}
		}
	}
	b.end()
}

func TestChangesKnowWhatStoodWhen(t *testing.T) {
	var c Changes
	f := func(v uint64) proof.Figures { return proof.Figures{RPMilli: v} }
	truth := map[uint64]uint64{}
	now := uint64(0)
	for h := uint64(1); h <= 3*KeptChanges; h++ {
		if h%3 != 0 {
			for v := range h % 4 { // several in a block: the last counts
				now = 10*h + v
				c, _ = c.add(h, f(now))
			}
		}
		truth[h] = now
		got, err := DecodeChanges(c.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for past := uint64(1); past <= h; past++ {
			switch right, wrong := got.After(past, f(truth[past])), got.After(past, f(truth[past]+1)); {
			case right == proof.Unknown && wrong == right && got.Cut && past < got.All[0].Height:
			case right != proof.Right || wrong != proof.Wrong:
				t.Fatalf("at %d, block %d: %v and %v", h, past, right, wrong)
			}
		}
	}
	if !c.Cut || len(c.All) != KeptChanges {
		t.Errorf("keeps %d", len(c.All))
	}
}

// TestANodeThatLeftTwiceIsRemembered for as long as certificates name what was said of it in
// between: their indexers would be convicted of it.
func TestANodeThatLeftTwiceIsRemembered(t *testing.T) {
	b := newRounds(t)
	c1 := who("c1").node()
	b.pass(1)
	b.must(b.forgetNode(c1)) // in epoch 1
	b.pass(4)
	said := proof.Figures{RPMilli: 7, QualityPPM: 8, PriorityPPM: 9, ProvenUntil: 10}
	b.must(b.setStanding(c1, Standing{RPMilli: 7, QualityPPM: 8, PriorityPPM: 9, ProvenUntil: 10}))
	height := b.Head().Height
	b.pass(3)
	b.must(b.forgetNode(c1)) // in epoch 8
	b.pass(1)
	for left := 1 + MatchEpochs + 2; left <= 5+MatchEpochs; left++ {
		if got := b.matchFacts().Figures(c1, height, said); got != proof.Right {
			t.Fatalf("epoch %d: what was said in epoch 5 is %d", b.Head().Epoch, got)
		}
		b.pass(1)
	}
	b.pass(8 + MatchEpochs + 2 - int(b.Head().Epoch))
	if raw, err := b.Reader().Get(FiguresKey(c1)); err != nil || raw != nil {
		t.Errorf("it is never forgotten: %x, %v", raw, err)
	}
	b.end()
}
