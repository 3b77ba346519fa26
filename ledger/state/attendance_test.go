package state

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
)

// missing begins the next block, for whose last block those named did not sign.
func (b *bed) missing(ms uint64, names ...string) {
	b.tb.Helper()
	b.end()
	b.now += ms
	block := Block{Height: b.Head().Height + 1, TimeMS: b.now}
	for _, n := range names {
		block.Missed = append(block.Missed, ConsensusAddress(who(n+" consensus").key()))
	}
	events, err := b.BeginBlock(block)
	b.must(err)
	b.seen = events
}

// company is a network of validators v0, v1, … with these stakes in FRM.
func company(tb testing.TB, stakes ...uint64) *bed {
	tb.Helper()
	return newBed(tb, func(p *genesis.Plan) {
		p.Nodes, p.Accounts = nil, p.Accounts[:1]
		for i, s := range stakes {
			name := fmt.Sprint("v", i)
			p.Nodes = append(p.Nodes, validatorNode(name, s*frm))
			p.Accounts = append(p.Accounts, genesis.Account{Address: who(name + " owner").address(), Amount: 100 * frm})
		}
	})
}

// span lets an epoch of so many blocks pass, up to and with the first of the next; absent
// says who misses how many of them.
func (b *bed) span(blocks int, absent map[string]int) {
	b.tb.Helper()
	for i := range blocks {
		ms := uint64(1)
		if i == blocks-1 { // the last block's signatures come with the next epoch's first
			ms = b.doc.EpochStart(b.Epoch()+1) - b.now
		}
		var names []string
		for n, missed := range absent {
			if i < missed {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		b.missing(ms, names...)
	}
}

func (b *bed) seats() []string {
	b.tb.Helper()
	names := []string{"v0", "v1", "v2", "v3", "v4", "v5", "v6"}
	var out []string
	for n := range b.powers(names...) {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func TestWhoIsMissingLosesItsSeatForAWhile(t *testing.T) {
	for _, c := range []struct {
		name   string
		stakes []uint64
		blocks int
		absent map[string]int
		away   []uint64 // of which epochs; nil = the default
		want   string
	}{
		{"all are there", []uint64{10_000, 10_000, 10_000, 10_000}, 30, nil, nil, "[v0 v1 v2 v3]"},
		{"one of four was not", []uint64{10_000, 10_000, 10_000, 10_000}, 30, map[string]int{"v3": 30}, nil, "[v0 v1 v2]"},
		{"half of the blocks is enough", []uint64{10_000, 10_000, 10_000, 10_000}, 30, map[string]int{"v3": 15}, nil, "[v0 v1 v2 v3]"},
		{"one less is not", []uint64{10_000, 10_000, 10_000, 10_000}, 30, map[string]int{"v3": 16}, nil, "[v0 v1 v2]"},
		{"few blocks say nothing", []uint64{10_000, 10_000, 10_000, 10_000}, 19, map[string]int{"v3": 19}, nil, "[v0 v1 v2 v3]"},
		{"twenty do", []uint64{10_000, 10_000, 10_000, 10_000}, 20, map[string]int{"v3": 20}, nil, "[v0 v1 v2]"},
		{"more than a third never goes", []uint64{10_000, 10_000, 14_000}, 30, map[string]int{"v2": 16}, nil, "[v0 v1 v2]"},
		{"a third may", []uint64{10_000, 10_000, 10_000}, 30, map[string]int{"v2": 16}, nil, "[v0 v1]"},
		{"the strongest goes first", []uint64{10_000, 20_000, 20_000, 20_000}, 40, map[string]int{"v0": 21, "v1": 21}, nil, "[v0 v2 v3]"},
		{"a weaker one where the strongest is too strong", []uint64{40_000, 20_000, 20_000, 20_000}, 40, map[string]int{"v0": 21, "v1": 21}, nil, "[v0 v2 v3]"},
		{"a vote has switched it off", []uint64{10_000, 10_000, 10_000, 10_000}, 30, map[string]int{"v3": 30}, []uint64{0}, "[v0 v1 v2 v3]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := company(t, c.stakes...)
			if c.away != nil {
				b.Machine.params.ValidatorAwayEpochs = c.away[0]
			}
			b.span(c.blocks, c.absent)
			if got := fmt.Sprint(b.seats()); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			gone := len(c.stakes) - len(b.seats())
			if e := b.event("validator_away"); (e != nil) != (gone > 0) {
				t.Errorf("%d are gone, the event is %v", gone, e)
			}
			if all, err := ReadEmpty(b.Reader()); err != nil || len(all) != gone {
				t.Errorf("%v %v", all, err)
			}
		})
	}
}

// TestTheAbsentComeBackByThemselves: after its epochs it has its seat again, costs nothing,
// and loses it again when it is still not there.
func TestTheAbsentComeBackByThemselves(t *testing.T) {
	b := company(t, 10_000, 10_000, 10_000, 10_000)
	before, _ := b.stake(who("v3").node())
	b.span(25, map[string]int{"v3": 25})
	e, err := ReadEmpty(b.Reader())
	if err != nil || len(e) != 1 || e[0] != (Away{Node: who("v3").node(), Until: 5, Missed: 25, Blocks: 25}) {
		t.Fatalf("%+v %v", e, err)
	}
	if got := b.next(1).Validators; len(got) != 1 || got[0].Power != 0 {
		t.Errorf("consensus is told %v", got)
	}
	for b.Epoch() < 4 {
		b.span(25, nil)
		if got := b.seats(); len(got) != 3 {
			t.Fatalf("epoch %d: %v", b.Epoch(), got)
		}
	}
	b.span(25, nil)
	if got := b.seats(); len(got) != 4 {
		t.Fatalf("epoch %d: %v", b.Epoch(), got)
	}
	if e, err := ReadEmpty(b.Reader()); err != nil || len(e) != 0 {
		t.Errorf("%+v is still written down as away, %v", e, err)
	}
	if after, _ := b.stake(who("v3").node()); after != before {
		t.Errorf("stake %+v, was %+v", after, before)
	}
	b.span(25, map[string]int{"v3": 22}) // it is not back, and its first blocks are not asked for
	if got := b.seats(); len(got) != 3 {
		t.Errorf("epoch %d: %v", b.Epoch(), got)
	}
}

// TestTheRestFollows: who could not go because too much would have gone is asked again.
func TestTheRestFollows(t *testing.T) {
	b := company(t, 20_000, 20_000, 20_000, 10_000)
	b.Machine.params.ValidatorAwayEpochs = 1
	b.span(40, map[string]int{"v0": 21, "v3": 21})
	if got := fmt.Sprint(b.seats()); got != "[v1 v2 v3]" {
		t.Fatal(got)
	}
	b.span(40, map[string]int{"v3": 21})
	if got := fmt.Sprint(b.seats()); got != "[v0 v1 v2]" {
		t.Fatal(got)
	}
}

// TestAnEmptySeatIsTaken: with few seats the next in line sits while another is away.
func TestAnEmptySeatIsTaken(t *testing.T) {
	b := company(t, 40_000, 30_000, 20_000, 10_000)
	b.Machine.params.MaxValidators = 3
	b.span(5, nil)
	if got := fmt.Sprint(b.seats()); got != "[v0 v1 v2]" {
		t.Fatal(got)
	}
	b.span(30, map[string]int{"v1": 30})
	if got := fmt.Sprint(b.seats()); got != "[v0 v2 v3]" {
		t.Fatal(got)
	}
}

// TestAttendanceIsWrittenForTheAbsentOnly: a block that all have signed leaves the record as
// it was, and junk cannot make it grow.
func TestAttendanceIsWrittenForTheAbsentOnly(t *testing.T) {
	b := company(t, 10_000, 10_000, 10_000, 10_000)
	written := func() (n int) {
		for _, w := range b.store.writes {
			if w[0] == string(AttendanceKey()) {
				n++
			}
		}
		return n
	}
	before := written()
	b.next(1)
	b.missing(1, "nobody")
	b.end()
	if n := written() - before; n != 0 {
		t.Errorf("written %d times", n)
	}
	b.begin(1)
	b.missing(1, "v2", "v2", "nobody", "v1")
	b.end()
	if n := written() - before; n != 1 {
		t.Errorf("written %d times", n)
	}
	a, err := b.attendance()
	b.must(err)
	if len(a.Absent) != 2 || a.Of(ConsensusAddress(who("v2 consensus").key())) != 1 {
		t.Errorf("%+v", a)
	}
	b.begin(1)
}

// TestSeatsModel plays random epochs beside a model of a few lines: a list of stakes, of who
// is away until when, and of what was missed. At most a third of the power is ever gone.
func TestSeatsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(rt, "validators")
		stakes := make([]uint64, n)
		for i := range stakes {
			stakes[i] = rapid.Uint64Range(10_000, 40_000).Draw(rt, "stake")
		}
		b := company(drawn{t, rt}, stakes...)
		away := rapid.Uint64Range(0, 3).Draw(rt, "epochs")
		b.Machine.params.ValidatorAwayEpochs = away
		until, total := map[int]uint64{}, uint64(0)
		for _, s := range stakes {
			total += s
		}
		for range rapid.IntRange(1, 6).Draw(rt, "how long") {
			blocks := rapid.IntRange(18, 26).Draw(rt, "blocks")
			absent, seated := map[string]int{}, b.seats()
			for _, name := range seated {
				absent[name] = rapid.SampledFrom([]int{0, 0, blocks / 2, blocks/2 + 1, blocks}).Draw(rt, name)
			}
			b.span(blocks, absent)
			var order []int
			for i := range stakes {
				if until[i] <= b.Epoch() {
					delete(until, i)
				}
				if until[i] != 0 || away > 0 && blocks >= 20 && 2*absent[fmt.Sprint("v", i)] > blocks {
					order = append(order, i)
				}
			}
			slices.SortFunc(order, func(i, j int) int {
				was := func(i int) int {
					if until[i] != 0 {
						return 0
					}
					return 1
				}
				x, y := who(fmt.Sprint("v", i)).node(), who(fmt.Sprint("v", j)).node()
				return cmp.Or(cmp.Compare(was(i), was(j)), cmp.Compare(stakes[j], stakes[i]), bytes.Compare(x[:], y[:]))
			})
			gone := uint64(0)
			for _, i := range order {
				switch {
				case 3*(gone+stakes[i]) > total:
					delete(until, i)
				case until[i] == 0:
					until[i] = b.Epoch() + away
					fallthrough
				default:
					gone += stakes[i]
				}
			}
			var want []string
			for i := range stakes {
				if until[i] == 0 {
					want = append(want, fmt.Sprint("v", i))
				}
			}
			if got := b.seats(); !slices.Equal(got, want) {
				rt.Fatalf("epoch %d, %d blocks, missed %v: %v sit, want %v", b.Epoch(), blocks, absent, got, want)
			}
			written, err := ReadEmpty(b.Reader())
			b.must(err)
			told := map[key.Node]uint64{}
			for i, u := range until {
				told[who(fmt.Sprint("v", i)).node()] = u
			}
			have := map[key.Node]uint64{}
			for _, a := range written {
				have[a.Node] = a.Until
			}
			if !reflect.DeepEqual(told, have) {
				rt.Fatalf("away %v, want %v", have, told)
			}
		}
	})
}
