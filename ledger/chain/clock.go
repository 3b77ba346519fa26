package chain

import (
	"fmt"
	"slices"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
)

// clockWarn is how far this machine's clock may be from those of the other validators
// before it is said. Votes of a fast clock pull block time forward, votes of a slow one are
// lifted to the last block; neither stops the chain, both make other nodes doubt this one.
const clockWarn = 10 * time.Second

// clockRefuse is how far behind the last block a clock may be at the start.
const clockRefuse = time.Minute

// clockOffset is this machine's clock minus the median of the times at which the others
// signed the newest commit, as seen now. Votes take a while to come, so small positive
// values are ordinary. ok is false when nobody else signed.
func clockOffset(commit *cmttypes.Commit, self cmttypes.Address, now time.Time) (offset time.Duration, ok bool) {
	var theirs []time.Time
	for _, s := range commit.Signatures {
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit && s.ValidatorAddress.String() != self.String() {
			theirs = append(theirs, s.Timestamp)
		}
	}
	if len(theirs) == 0 {
		return 0, false
	}
	slices.SortFunc(theirs, time.Time.Compare)
	return now.Sub(theirs[len(theirs)/2]), true
}

// clockAdvice is what to tell the operator of an offset; "" when it is harmless.
func clockAdvice(offset time.Duration) string {
	switch {
	case offset > clockWarn:
		return fmt.Sprintf("this machine's clock is %s ahead of the other validators; let it follow a time server (timedatectl set-ntp true)", offset.Round(time.Second))
	case offset < -clockWarn:
		return fmt.Sprintf("this machine's clock is %s behind the other validators; let it follow a time server (timedatectl set-ntp true)", (-offset).Round(time.Second))
	}
	return ""
}

// clockDoubt remembers whether the newest block spoke against this machine's clock.
type clockDoubt struct{ before bool }

// confirmed is advice that the block before gave as well: the first block after catching up
// comes late, whatever the clock.
func (d *clockDoubt) confirmed(advice string) string {
	before := d.before
	if d.before = advice != ""; !before {
		return ""
	}
	return advice
}

// checkClock refuses to validate with a clock that the chain itself contradicts: the last
// block cannot have been made in the future. A node that only follows is let through.
func checkClock(mode Mode, last, now time.Time) error {
	if behind := last.Sub(now); behind > clockTolerance || (mode == Validator && behind > clockRefuse) {
		return fmt.Errorf("%w: the last block was made at %s, and it is %s here, %s earlier; set the clock (timedatectl set-ntp true) and start again",
			ErrClock, last.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), behind.Round(time.Second))
	}
	return nil
}
