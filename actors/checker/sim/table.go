package sim

import (
	"fmt"
	"math"
	"strings"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Row is how a cheater fares, one line of the table.
type Row struct {
	Cheat  cheat.Cheat
	Epochs int // trials: epochs in which it was on duty
	// One is how often a single checker that looks finds out, Epoch how often the network
	// does in an epoch of a container that has a standing, or of a checker on duty. The second
	// of each pair is what theory says. Negative means that the question makes no sense.
	One, Epoch [2]float64
	Looks      int     // trials behind One
	Caught     string  // what being caught is
	Harmed     int     // honest nodes convicted, called wrong, or unpaid without cause
	Gain       float64 // of sybils: the devices that they were paid for; else −1
}

// Detect lets a cheat run for some epochs in a calm network, each a trial by itself, and
// compares how often it is caught with what theory says. base gives kernel and sizes.
func Detect(base Config, c cheat.Cheat, epochs int) Row {
	base.Cheats, base.Trials, base.Established = []cheat.Cheat{c}, true, true
	base.Net = Net{LatencyMS: 40, JitterMS: 20}
	base.Containers, base.Checkers = 3, 2*base.Params.N+1
	switch c.Name {
	case "sybil":
		base.Containers = c.Value + 1
		base.Frames *= c.Value // so that frames cut off at the end do not blur the sum
	case "collude":
		base.Params.CheckPPM = 1_000_000
	case "lazy", "copy", "downtime", "equivocate":
		base.Containers = base.Params.Batch
	}
	w := New(base)
	w.Run(epochs)
	row := Row{Cheat: c, Epochs: epochs, One: [2]float64{-1, -1}, Epoch: [2]float64{-1, -1}, Gain: -1}
	w.measure(&row)
	row.Harmed = w.harmed()
	return row
}

// measure fills in what a cheat of this kind is measured by.
func (w *World) measure(row *Row) {
	n := float64(row.Epochs)
	q := float64(w.c.Params.CheckPPM) / 1e6
	members := 2*w.c.Params.N + 1
	first := w.Container(0)
	liar := w.Checker(0)
	one := func(wrong float64) {
		row.Looks = first.Checks
		row.One = [2]float64{float64(first.Found) / math.Max(1, float64(first.Checks)), wrong}
	}
	switch c := row.Cheat; c.Name {
	case "overclaim", "skip", "replay", "precompute", "path":
		wrong, gain := 1.0, 1.0
		switch c.Name {
		case "overclaim":
			wrong, gain = 1-1/float64(c.Value), float64(c.Value)
		case "skip":
			wrong = float64(c.Value) / 100
			gain = 1 / (1 - wrong)
		case "path":
			gain = 4
		}
		found := 1 - w.escape(wrong)
		one(found)
		if gain*1e6 > float64(w.c.Params.CapPPM) {
			q = 1 // more than it ever showed: checked in any case
		}
		row.Epoch = [2]float64{float64(first.Convicted) / n, q * (1 - math.Pow(1-found, float64(members)))}
		row.Caught = "fraud proof, stake lost"
	case cheat.Vanish:
		// It goes at any moment; who goes too late for this epoch's votes is looked for in the next.
		p := w.c.Params
		t := w.times
		vote := t.OpeningsBy + (t.VoteBy-t.OpeningsBy)/4 - t.Start
		row.Epoch = [2]float64{float64(first.Dropped) / n, float64(vote-p.WatchMS()*3/2-missMS) / float64(p.EpochMS)}
		row.Caught = "accused, a third of the stake lost; else looked for in the next epoch"
	case "late":
		row.Epoch = [2]float64{float64(first.Verdicts[proof.VerdictLate]) / n, 1}
		row.Caught = "the round's reward lost"
	case "sybil":
		sum := uint64(0)
		for i := range c.Value {
			sum += w.Container(i).Milli
		}
		row.Gain = float64(sum) / float64(w.Container(c.Value).Milli)
		row.Caught = fmt.Sprintf("nothing to catch: %d names were paid for %.2f devices", c.Value, row.Gain)
	case "copy":
		row.Epoch = [2]float64{1 - float64(liar.Paid)/n, 1}
		row.Caught = "the vote counts nothing"
	case "downtime":
		row.Epoch = [2]float64{1 - float64(liar.Paid)/n, 1}
		row.Caught = "the epoch's reward lost, nobody believes it"
	case "equivocate":
		row.Epoch = [2]float64{float64(liar.Convicted) / n, 1}
		row.Caught = "fraud proof, stake lost"
	case "lazy":
		// On each container that the lot draws, each of the others looks with its chance.
		cross := 1 - math.Pow(1-float64(w.c.CrossPPM)/1e6, float64(members-1))
		row.Epoch = [2]float64{float64(liar.Convicted) / n, 1 - math.Pow(1-q*cross, float64(w.c.Containers))}
		row.Caught = "fraud proof, stake lost"
	case "collude":
		if c.Value <= w.c.Params.N {
			row.Epoch = [2]float64{float64(first.Convicted) / n, 1}
			row.Caught = "fraud proof against the container they lied for"
			return
		}
		row.Epoch = [2]float64{float64(liar.FalseProofs) / n, 1}
		row.Caught = fmt.Sprintf("its proofs convict nobody; the container lost %d of %d rounds' rewards and no stake", first.Epochs-first.Paid, first.Epochs)
	}
}

// escape is the probability that one checker's K tiles miss all wrong ones, each of which is
// wrong by itself with this probability.
func (w *World) escape(wrong float64) float64 { return math.Pow(1-wrong, float64(w.c.Params.K)) }

// harmed counts honest nodes that were convicted or called wrong, and honest containers'
// epochs without pay that no collusion took.
func (w *World) harmed() (n int) {
	for i, c := range w.containers {
		if c.liar == nil && !w.victim(i) {
			n += c.Fate.Convicted + c.Fate.Epochs - c.Fate.Paid
		} else if c.liar == nil {
			n += c.Fate.Convicted
		}
	}
	for _, c := range w.checkers {
		if c.cheat == nil {
			n += c.Fate.Convicted + c.Fate.Wrong
		}
	}
	return n
}

// victim says whether a collusion lies about the container.
func (w *World) victim(i int) bool {
	for _, c := range w.checkers {
		for _, about := range c.about {
			if about == w.containers[i].name {
				return true
			}
		}
	}
	return false
}

// Shown are the cheats of the table.
func Shown() (all []cheat.Cheat) {
	for _, s := range []string{"overclaim=4", "skip=5", "skip=10", "skip=25", "replay", "precompute", "path", "late", "sybil=8", "vanish",
		"copy", "lazy", "equivocate", "collude=2", "collude=3", "downtime"} {
		c, err := cheat.Parse(s)
		if err != nil {
			panic(err)
		}
		all = append(all, c)
	}
	return all
}

// Markdown writes rows as a table.
func Markdown(rows []Row) string {
	var b strings.Builder
	b.WriteString("| cheat | what it does | one checker that looks: measured [95 %] (theory) | looks | per epoch: measured [95 %] (theory) | epochs | caught means | honest harmed |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	pair := func(p [2]float64, trials int) string {
		if p[1] < 0 || trials == 0 {
			return "–"
		}
		low, high := wilson(p[0], trials)
		return fmt.Sprintf("%s [%s–%s] (%s)", percent(p[0]), tenths(low), tenths(high), percent(p[1]))
	}
	for _, r := range rows {
		looks := "–"
		if r.One[1] >= 0 {
			looks = fmt.Sprint(r.Looks)
		}
		fmt.Fprintf(&b, "| `%s` | %s %s | %s | %s | %s | %d | %s | %d |\n", r.Cheat, r.Cheat.Who, r.Cheat.Does(),
			pair(r.One, r.Looks), looks, pair(r.Epoch, r.Epochs), r.Epochs, r.Caught, r.Harmed)
	}
	return b.String()
}

func percent(p float64) string { return tenths(p) + " %" }

// tenths are percent with one decimal, without the sign.
func tenths(p float64) string { return fmt.Sprintf("%.1f", 100*p) }

// wilson is the 95 % interval of a probability that was measured as share in so many trials:
// Wilson's score interval, which also says something where all trials, or none, succeeded.
func wilson(share float64, trials int) (low, high float64) {
	const z = 1.959964
	n := float64(trials)
	middle := share + z*z/(2*n)
	reach := z * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	return max(0, (middle-reach)/(1+z*z/n)), min(1, (middle+reach)/(1+z*z/n))
}
