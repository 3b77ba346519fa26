package light

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cometbft/cometbft/libs/log"
	cometlight "github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/types"
)

const (
	lookAt      = 5                // peers asked for their head at one look
	attempts    = 4                // to get on with other peers within one look
	witnessMost = 2                // that must confirm, beside the first
	roundTime   = 30 * time.Second // of one look
	backMost    = 256              // headers verified backwards, one by one, below the root
	saveTime    = 30 * time.Second // between two writes of the file
)

// run owns the verified headers: it looks for new heads and verifies older ones on demand.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	p := newPace(c.cfg.Poll, c.cfg.MinGap, time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-c.asks:
			b, err := c.older(a.ctx, a.height)
			a.reply <- headerGot{b, err}
			continue
		case <-timer.C:
		case <-c.nudge:
			now := time.Now()
			if at := p.nudged(c.hinted.Load() > c.Head().Height, c.awaited(now)); now.Before(at) {
				timer.Reset(at.Sub(now)) // the look comes, only later
				continue
			}
		}
		hint := c.hinted.Swap(0)
		grown := c.look(ctx)
		head, now := c.Head().Height, time.Now()
		p.looked(now, grown, hint > head, head < 2 || c.awaited(now))
		timer.Reset(p.next.Sub(now))
	}
}

// look asks peers where they stand and verifies the highest head that one of them can
// prove. It says whether the head has grown; why not is in the view.
func (c *Client) look(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	before := c.headers.newest()
	witnesses, peers, err := c.advance(ctx)
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("light: peers are slow: %w", err)
	}
	head := c.headers.newest()
	grown := head != nil && (before == nil || head.Height > before.Height)
	if grown || witnesses > 0 {
		c.second.note(head, witnesses)
	}
	c.publish(head, c.second.count(head), peers, err)
	if what := complaint(c.cfg.Now(), c.cfg.MaxAge, head, peers, err); c.complaints.worth(what, time.Now()) {
		c.cfg.Log.Warn("the ledger cannot be followed", "err", what)
	}
	if grown && (before == nil || time.Since(c.saved) > saveTime) {
		if err := c.persist(); err != nil {
			c.cfg.Log.Warn("the newest header is not kept over a restart", "err", err)
		}
		c.saved = time.Now()
	}
	return grown
}

// persist writes the root and the newest header down. It is called by run, and after run
// has ended.
func (c *Client) persist() error {
	root, newest := c.headers.root(), c.headers.newest()
	if c.cfg.Dir == "" || root == nil {
		return nil
	}
	blocks := []*types.LightBlock{root}
	if newest.Height > root.Height {
		blocks = append(blocks, newest)
	}
	return save(c.cfg.Dir, c.genesisHash, blocks)
}

// advance gets one head further, trying other peers when some fail. It returns how many
// peers confirmed the head and how many answered at all.
func (c *Client) advance(ctx context.Context) (witnesses, answered int, err error) {
	if c.forked != nil {
		return 0, 0, c.forked
	}
	peers := c.book.choose(c.cfg.Transport.Peers(ctx), lookAt, false)
	if len(peers) == 0 {
		return 0, 0, ErrNoPeers
	}
	if c.headers.newest() == nil {
		if err := c.bootstrap(ctx, peers); err != nil {
			return 0, 0, fmt.Errorf("light: the first header: %w", err)
		}
	}
	if err := c.expired(c.headers.newest()); err != nil {
		return 0, 0, err
	}
	said := c.heads(ctx, peers)
	answered = len(said)
	if answered == 0 {
		return 0, 0, fmt.Errorf("%w, or none answers", ErrNoPeers)
	}
	if err := c.confirm(ctx, said); err != nil {
		return 0, answered, err
	}
	said = slices.DeleteFunc(said, func(h heard) bool { return c.book.isBanned(h.peer) })
	for range attempts {
		if len(said) == 0 || said[0].height <= uint64(c.headers.newest().Height) {
			return 0, answered, err // nothing new that somebody can prove
		}
		var confirmed int
		if _, confirmed, err = c.verify(ctx, said, 0); err == nil {
			c.second.first = said[0].peer
			return confirmed, answered, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrFork) || errors.Is(err, ErrExpired) {
			return 0, answered, err
		}
		failed := said[0].peer
		said = slices.DeleteFunc(said, func(h heard) bool { return h.peer == failed || c.book.isBanned(h.peer) })
	}
	return 0, answered, err
}

// verify runs CometBFT's light client once, with the first of said as the primary and the
// next ones as witnesses, towards height or, for 0, the primary's newest. It returns how
// many witnesses confirmed what was verified.
func (c *Client) verify(ctx context.Context, said []heard, height int64) (*types.LightBlock, int, error) {
	primary := &source{c: c, peer: said[0].peer}
	var witnesses []*source
	for _, h := range said[1:] {
		// A full node that is behind has the block in a moment. A light client that is behind
		// waits for it as this one does: nobody would get on if each waited for the others.
		if len(witnesses) < witnessMost && (h.full || h.height >= said[0].height) {
			witnesses = append(witnesses, &source{c: c, peer: h.peer, witness: true})
		}
	}
	b, err := c.verifyWith(ctx, primary, witnesses, height, said[0].height)
	if len(witnesses) > 0 && errors.Is(err, cometlight.ErrFailedHeaderCrossReferencing) {
		// The header is signed by two thirds; the others merely do not have it. Go on
		// without them, and say so: Witnesses is 0.
		witnesses = nil
		b, err = c.verifyWith(ctx, primary, nil, height, said[0].height)
	}
	confirmed := 0
	for _, w := range witnesses {
		if mute, _, _, bad := w.judged(); bad == nil && !mute && !c.book.isBanned(w.peer) {
			confirmed++
		}
	}
	return b, confirmed, err
}

// verifyWith is one run, and who is to blame when it fails.
func (c *Client) verifyWith(ctx context.Context, primary *source, witnesses []*source, height int64, claimed uint64) (*types.LightBlock, error) {
	all := append([]*source{primary}, witnesses...)
	others := make([]provider.Provider, 0, len(witnesses)+1)
	for _, w := range witnesses {
		others = append(others, w)
	}
	if len(others) == 0 {
		others = append(others, &source{c: c, peer: primary.peer}) // CometBFT wants one
	}
	cl, err := cometlight.NewClientFromTrustedStore(c.chain, c.cfg.Period, primary, others, c.headers,
		cometlight.MaxClockDrift(c.cfg.Drift), cometlight.PruningSize(maxHeaders), cometlight.Logger(log.NewNopLogger()))
	if err != nil {
		return nil, fmt.Errorf("light: %w", err)
	}
	var b *types.LightBlock
	if height == 0 {
		b, err = cl.Update(ctx, c.cfg.Now())
	} else {
		b, err = cl.VerifyLightBlockAtHeight(ctx, height, c.cfg.Now())
	}
	if ctx.Err() != nil {
		if err == nil {
			err = ctx.Err()
		}
		return nil, err
	}
	c.blame(cl, all, err)
	switch _, future, newest, _ := primary.judged(); {
	case err != nil:
		return nil, c.explain(err, all)
	case future > 0 && b == nil:
		return nil, clockError(future)
	case b == nil && newest > 0 && uint64(newest) < claimed:
		c.book.mute(primary.peer)
		return nil, fmt.Errorf("%w: %s announced block %d and gave %d", ErrNotFound, primary.peer, claimed, newest)
	}
	return b, nil
}

// blame reports the peers whose fault a run has proven, and lets others rest or forgives
// them.
func (c *Client) blame(cl *cometlight.Client, all []*source, err error) {
	in := map[string]bool{}
	if s, ok := cl.Primary().(*source); ok {
		in[s.peer] = true
	}
	for _, w := range cl.Witnesses() {
		if s, ok := w.(*source); ok {
			in[s.peer] = true
		}
	}
	// Without witnesses left CometBFT keeps the last one and fails instead.
	conflict := errors.Is(err, cometlight.ErrNoWitnesses)
	if _, _, _, primaryBad := all[0].judged(); primaryBad != nil {
		conflict = false
	}
	// A first primary that was put out is guilty itself; what the next one sent was then
	// only compared with it.
	guilty := ""
	if s, ok := cl.Primary().(*source); ok && in[all[0].peer] && forged(err) {
		guilty = s.peer
	}
	for i, s := range all {
		mute, future, _, bad := s.judged()
		switch {
		case bad != nil:
			c.book.lied(s.peer, bad)
		case s.peer == guilty:
			c.book.lied(s.peer, fmt.Errorf("%w: %w", ErrHeader, err))
		case mute || future > 0:
			c.book.mute(s.peer)
		case !in[s.peer], conflict && i > 0:
			c.book.lied(s.peer, fmt.Errorf("%w: it contradicts one that is proven", ErrHeader))
		case err == nil:
			c.book.good(s.peer)
		}
	}
}

// ErrHeader means that a header does not follow from the trusted ones.
var ErrHeader = errors.New("light: a forged header")

// forged says whether an error of CometBFT's light client means that the primary's header
// is wrong, rather than that somebody was silent or too long away.
func forged(err error) bool {
	var failed cometlight.ErrVerificationFailed
	if !errors.As(err, &failed) {
		return false
	}
	var expired cometlight.ErrOldHeaderExpired
	var unreadable provider.ErrBadLightBlock // whose it was is noted already
	switch r := failed.Reason; {
	case errors.As(r, &expired), errors.As(r, &unreadable), errors.Is(r, context.Canceled), errors.Is(r, context.DeadlineExceeded),
		errors.Is(r, provider.ErrLightBlockNotFound), errors.Is(r, provider.ErrNoResponse), errors.Is(r, provider.ErrHeightTooHigh),
		errors.Is(r, cometlight.ErrNoWitnesses):
		return false
	}
	return true
}

// explain turns an error of CometBFT's light client into one that says what to do.
func (c *Client) explain(err error, all []*source) error {
	var expired cometlight.ErrOldHeaderExpired
	switch {
	case errors.Is(err, cometlight.ErrLightClientAttack):
		c.forked = forkedAfter(c.headers.newest().Height)
		return c.forked
	case errors.As(err, &expired):
		return fmt.Errorf("%w: %w; set ledger.trust_height and ledger.trust_hash to a recent header that somebody you trust names, and check this machine's clock", ErrExpired, err)
	}
	for _, s := range all {
		if _, future, _, _ := s.judged(); future > 0 {
			return clockError(future)
		}
	}
	return fmt.Errorf("light: %w", err)
}

// older verifies a height below the head. It runs on run's goroutine.
func (c *Client) older(ctx context.Context, height int64) (*types.LightBlock, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	if b, err := c.headers.LightBlock(height); err == nil {
		return b, nil
	}
	root, newest := c.headers.root(), c.headers.newest()
	switch {
	case root == nil || height > newest.Height:
		return nil, fmt.Errorf("%w: block %d is not verified yet", ErrNotFound, height)
	case height < root.Height-backMost:
		return nil, fmt.Errorf("%w: block %d is far below the trusted header %d; ask a full node", ErrTooOld, height, root.Height)
	}
	said := c.heads(ctx, c.book.choose(c.cfg.Transport.Peers(ctx), lookAt, true))
	err := error(ErrNoPeers)
	for range min(attempts, len(said)) {
		var b *types.LightBlock
		if b, _, err = c.verify(ctx, said, height); err == nil {
			return b, nil
		}
		said = said[1:]
		if len(said) == 0 || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// rank drops those who said nothing and puts the highest first, equals in the given order.
func rank(found []heard) []heard {
	found = slices.DeleteFunc(found, func(h heard) bool { return h.height == 0 })
	slices.SortStableFunc(found, func(a, b heard) int { return cmp.Compare(b.height, a.height) })
	return found
}
