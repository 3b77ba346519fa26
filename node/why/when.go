package why

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
)

// missedPart of an epoch after its beginning its first block comes too late for its round: that
// is about how long a round renders, docs/spec/proof.md section 2.
const missedPart = 8

// nextRound says when the node can prove itself next, whenever it is asked. A round begins with
// the first block of its epoch. Where the clock is past that and no such block is known yet, it
// is due now; after a while it is lost, and the one of the epoch after it is the next.
func (f *Facts) nextRound() string {
	if f.NowMS == 0 {
		return ""
	}
	if f.NowMS < f.NextMS {
		return " The next round begins in " + wait(f.NextMS-f.NowMS) + "."
	}
	length, over := max(f.Params.EpochSeconds, 1)*1000, f.NowMS-f.NextMS
	if over < length/missedPart {
		return fmt.Sprintf(" The next round begins now, with the first block of epoch %d.", f.Epoch+1)
	}
	return fmt.Sprintf(" The next round begins in %s if the ledger goes on by then: no block of the last %s is known here.", wait(length-over%length), wait(over))
}

// until is how long it is until an epoch begins, ms; 0 = not known, or past.
func (f *Facts) until(epoch uint64) uint64 {
	if f.NowMS == 0 || epoch <= f.Epoch {
		return 0
	}
	at := economics.EpochStart(f.NextMS, f.Params.EpochSeconds, epoch-f.Epoch-1)
	return at - min(at, f.NowMS)
}

// wait writes a time in seconds below two minutes, in minutes below two hours, and in hours.
func wait(ms uint64) string {
	switch s := (ms + 999) / 1000; {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 7200:
		return fmt.Sprintf("%d min", (s+30)/60)
	default:
		return fmt.Sprintf("%d h", s/3600)
	}
}
