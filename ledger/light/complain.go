package light

import (
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/types"
)

// sayAgain is how long a client is silent about what it has said already.
const sayAgain = 10 * time.Minute

// complaint is what the operator of this machine should act on after a look, or nil. What
// passes by itself, such as peers that are not there yet, is none.
func complaint(now time.Time, maxAge time.Duration, head *types.LightBlock, answered int, err error) error {
	for _, e := range []error{ErrClock, ErrExpired, ErrFork, ErrRoot, ErrGenesisHeader} {
		if errors.Is(err, e) {
			return err
		}
	}
	if err == nil && answered > 0 && head != nil && now.Sub(head.Time) > maxAge {
		return fmt.Errorf("%w: block %d was made %s ago and no peer has a newer one; this machine's clock is ahead, or the network stands still",
			ErrStale, head.Height, now.Sub(head.Time).Round(time.Second))
	}
	return nil
}

// complaints says each kind of complaint once in a while.
type complaints struct {
	kind error // the sentinel of the last one
	at   time.Time
}

// worth says whether a complaint is said now.
func (c *complaints) worth(err error, now time.Time) bool {
	if err == nil {
		return false
	}
	kind := err
	for _, e := range []error{ErrClock, ErrExpired, ErrFork, ErrRoot, ErrGenesisHeader, ErrStale} {
		if errors.Is(err, e) {
			kind = e
			break
		}
	}
	if c.kind == kind && now.Sub(c.at) < sayAgain {
		return false
	}
	c.kind, c.at = kind, now
	return true
}
