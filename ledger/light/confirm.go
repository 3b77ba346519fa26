package light

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/types"
)

// confirmedFor is how much older than the head a header may be that others confirmed.
const confirmedFor = 15 * time.Second

// second is what other peers say of the heads that a first one has shown. Peers that are
// light clients themselves see a block a moment later, and if all waited for each other
// nobody would get on: a head counts once it is verified, and is confirmed afterwards.
type second struct {
	first   string            // who showed the newest head
	pending *types.LightBlock // the oldest head that nobody has confirmed yet
	shown   string            // who showed that one
	at      time.Time         // block time of the newest confirmed head
	by      int               // peers that confirmed it
}

// note takes a head and how many confirmed it while it was verified.
func (s *second) note(head *types.LightBlock, witnesses int) {
	switch {
	case witnesses > 0:
		s.at, s.by, s.pending = head.Time, witnesses, nil
	case s.pending == nil:
		s.pending, s.shown = head, s.first
	}
}

// count is how many have confirmed a head, or one shortly before it.
func (s *second) count(head *types.LightBlock) int {
	if head == nil || head.Time.Sub(s.at) > confirmedFor {
		return 0
	}
	return s.by
}

// confirm asks peers other than the one who showed a head whether they have the same. One
// that has another, signed by the same validators, proves a fork: ErrFork. One whose other
// header is not signed by them has made it up.
func (c *Client) confirm(ctx context.Context, said []heard) error {
	p := c.second.pending
	if p == nil {
		return nil
	}
	asked, same := 0, 0
	for _, h := range said {
		if h.peer == c.second.shown || h.height < uint64(p.Height) || asked == witnessMost || c.book.isBanned(h.peer) {
			continue
		}
		asked++
		s := &source{c: c, peer: h.peer}
		other, err := s.fetch(ctx, p.Height)
		if err != nil {
			if _, _, _, bad := s.judged(); bad != nil {
				c.book.lied(h.peer, bad)
			}
			continue
		}
		if bytes.Equal(other.Hash(), p.Hash()) {
			same++
			continue
		}
		if p.ValidatorSet.VerifyCommitLight(c.chain, other.Commit.BlockID, p.Height, other.Commit) != nil {
			c.book.lied(h.peer, fmt.Errorf("%w: block %d is another", ErrHeader, p.Height))
			continue
		}
		c.forked = forkedAfter(p.Height - 1)
		return c.forked
	}
	if same > 0 {
		c.second.note(p, same)
	}
	return nil
}

// forkedAfter is the error of a chain whose validators signed two blocks of one height.
func forkedAfter(height int64) error {
	return fmt.Errorf("%w: two headers of one height carry enough signatures; nothing newer than block %d is believed; ask people you trust which chain is right, set ledger.trust_height and ledger.trust_hash, and restart", ErrFork, height)
}
