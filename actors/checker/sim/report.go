package sim

import (
	"slices"

	"github.com/framemesh/framemesh/ledger/proof"
)

// Fate is what became of a node over all epochs.
type Fate struct {
	Epochs      int
	Verdicts    [7]int // by number
	CutOff      int    // epochs in which it was down during the round
	Milli       uint64 // milli-RP, summed over the epochs paid
	Paid        int    // epochs: containers ok or busy, checkers correct on a batch
	Unproven    int    // epochs in which its batch got no certificate
	Wrong       int    // checkers: epochs called wrong
	Batches     int    // checkers: voted in or drawn for
	Convicted   int
	FalseProofs int // that it brought
	Checks      int // containers: times that an honest checker recomputed tiles of it
	Found       int // and found one wrong
	Dropped     int // containers: epochs in which they are said to have gone
}

// Conviction is one that the ledger's rules came to.
type Conviction struct {
	Epoch  uint64
	Reason proof.Reason
	Liar   bool // the guilty was told to cheat
}

// Traffic is how often a kind of message was sent, and its bytes as encoded.
type Traffic struct {
	By       string // role
	Messages int
	Bytes    int
}

// Report is what a run came to.
type Report struct {
	Epochs          int
	Batches         int
	Certified       int
	ByReserve       int // of them
	Submitted       int
	BadCertificates int
	FalseProofs     int
	Refused         int // inputs
	Tiles           int // recomputed
	FramesRendered  int
	Complaints      int // of players who missed their container
	False           int // of them, about one that was there
	Dropped         int // containers said to have gone
	Unjust          int // of them, that were there
	Convictions     []Conviction
	Bytes           map[string]*Traffic // by kind
}

func (w *World) count(kind, by string, bytes int) {
	t := w.report.Bytes[kind]
	if t == nil {
		t = &Traffic{By: by}
		w.report.Bytes[kind] = t
	}
	t.Messages++
	t.Bytes += bytes
}

// Container is what became of a container, by its place.
func (w *World) Container(i int) Fate { return w.containers[i].Fate }

// Checker is what became of a checker, by its place.
func (w *World) Checker(i int) Fate { return w.checkers[i].Fate }

// settle enters an epoch's certificates into the books.
func (w *World) settle() {
	r := &w.report
	r.Epochs++
	for i, b := range w.plan.Batches {
		r.Batches++
		cert := w.ledger.certified[i]
		for place, name := range b.Containers {
			n := w.byNode[name]
			n.Fate.Epochs++
			if n.to > n.from && n.from < w.times.OpeningsBy && n.to > w.times.T0 {
				n.Fate.CutOff++
			}
			if cert == nil {
				n.Fate.Unproven++
				continue
			}
			e := cert.result.Entries[place]
			n.Fate.Verdicts[e.Verdict]++
			if len(e.Dropped) != 0 {
				w.went(n)
			}
			if e.Verdict == proof.VerdictOK {
				n.Fate.Paid++
				n.Fate.Milli += e.RPMilli
				n.rounds = append(n.rounds, e.RPMilli)
				n.rounds = n.rounds[max(0, len(n.rounds)-keptRounds):]
			}
			if w.ledger.guilty[name] {
				n.rounds = nil
			}
		}
		if cert == nil {
			continue
		}
		r.Certified++
		for place, name := range cert.members {
			n := w.byChecker[name]
			n.Fate.Batches++
			n.Fate.Paid += int(cert.result.Correct >> place & 1)
			n.Fate.Wrong += int(cert.result.Wrong >> place & 1)
		}
	}
}

// keptRounds is how many rounds a container's median is of.
const keptRounds = 8

func median(all []uint64) uint64 {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}
