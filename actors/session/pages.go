package session

import (
	"context"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// role is what a token allows.
func (s *state) role(token []byte) (stream.Role, error) {
	r, err := stream.RoleOf(s.o.Secret[:], token)
	if err != nil {
		return "", ErrToken
	}
	return r, nil
}

// join answers an offer. The first owner's offer turns the lease into a session and
// starts the app, while the connection is still being made.
func (s *state) join(c *supervise.Ctx, m Join) {
	role, err := s.role(m.Token)
	if err != nil {
		c.Reply(err)
		return
	}
	seat := -1
	switch role {
	case stream.RoleOwner:
		seat = 0
	case stream.RolePlay:
		seats := len(s.seats)
		if s.everUp {
			seats = s.info.Seats
		}
		free, ok := freeSeat(s.seats, seats)
		if !ok {
			c.Reply(fmt.Errorf("%w (it has %d)", ErrSeats, seats))
			return
		}
		seat = free
		s.seats[seat] = true
	}
	if role == stream.RoleOwner && !s.run {
		s.run = true
		s.lease()
		s.lease = nil
		s.b.with(s.startTicks)
		s.report()
	}
	s.joining++
	out, reply := s.b.out, c.Later()
	c.Go(func(ctx context.Context) any {
		peer, answer, fp, err := out.Answer(ctx, stream.Join{Role: role, Seat: max(seat, 0), Offer: m.Offer})
		return answered{reply: reply, seat: seat, peer: peer, err: err,
			out: Joined{Peer: peer, Answer: answer, Fingerprint: fp, Role: role}}
	})
}

func (s *state) answered(c *supervise.Ctx, m answered) {
	s.joining--
	if m.err == nil && s.gone[m.peer] {
		m.err = ErrNoPeer
	}
	if s.joining == 0 {
		clear(s.gone)
	}
	if m.err != nil {
		if m.seat > 0 {
			s.seats[m.seat] = false
		}
		s.review(c)
		m.reply(m.err)
		return
	}
	if s.pages[m.peer] == nil { // else media flowed before the answer came by
		s.pages[m.peer] = &page{role: m.out.Role, seat: m.seat}
	} else {
		s.pages[m.peer].seat = m.seat
		s.seat(m.seat, true)
	}
	if m.out.Role == stream.RoleOwner && s.offered.IsZero() {
		s.offered = time.Now()
	}
	s.review(c)
	m.out.Summary = s.summary()
	m.reply(m.out)
}

// seat tells the worker that somebody sat down or got up.
func (s *state) seat(seat int, there bool) {
	if seat >= 0 {
		s.b.with(func(p gpu.Process) { p.Seat(seat, there) })
	}
}

func (s *state) peerJoined(c *supervise.Ctx, m peerJoined) {
	p := s.pages[m.peer]
	if p == nil { // its answer has not come by yet
		p = &page{role: m.role, seat: -1}
		s.pages[m.peer] = p
	}
	if p.connected {
		return
	}
	p.connected = true
	if p.role == stream.RoleOwner {
		s.ownerPaying(c)
	}
	s.b.lastInput.Store(time.Now().UnixNano()) // somebody came: that is a sign of life
	s.seat(p.seat, true)
	s.review(c)
	s.report()
}

func (s *state) peerLeft(c *supervise.Ctx, m peerLeft) {
	p := s.pages[m.peer]
	if s.joining > 0 {
		s.gone[m.peer] = true // perhaps one whose answer is on its way
	}
	if p == nil {
		return
	}
	delete(s.pages, m.peer)
	if p.seat >= 0 {
		held := false // by the owner's new page
		for _, q := range s.pages {
			held = held || q.seat == p.seat
		}
		if !held {
			s.seats[p.seat] = false
			s.seat(p.seat, false)
		}
	}
	s.review(c)
	s.report()
}

// review starts and stops the timers that depend on who is there.
func (s *state) review(c *supervise.Ctx) {
	owner, anyone := false, false
	for _, p := range s.pages {
		anyone = anyone || p.connected
		owner = owner || p.connected && p.role == stream.RoleOwner
	}
	toggle(c, &s.grace, s.run && !owner, s.o.Grace, graceOver{})
	toggle(c, &s.leaving, s.run && !anyone && !s.left, s.o.Abandoned, abandoned{})
	if anyone && s.left {
		s.left = false
		s.applyPause(c, "")
	}
}

// toggle keeps a timer running exactly while on is true.
func toggle(c *supervise.Ctx, timer *func(), on bool, d time.Duration, msg any) {
	switch {
	case on && *timer == nil:
		*timer = c.After(d, msg)
	case !on && *timer != nil:
		(*timer)()
		*timer = nil
	}
}

const (
	textPaused = "The game is paused."
	textGoesOn = "The game goes on."
)

// held says whether the app waits for money.
func (s *state) held() bool { return s.pay != nil && s.pay.held }

func (s *state) pauseWish(c *supervise.Ctx, m pauseWish) {
	if p := s.pages[m.peer]; p == nil || p.role != stream.RoleOwner || s.wish == m.paused {
		return
	}
	s.wish = m.paused
	text := textGoesOn
	if m.paused {
		text = textPaused
	}
	s.applyPause(c, text)
}

// applyPause pauses the app while its owner wants that, nobody is there or nobody pays.
func (s *state) applyPause(c *supervise.Ctx, text string) {
	paused := s.wish || s.left || s.held()
	if paused == s.paused {
		return
	}
	s.paused, s.mixed = paused, true
	if !paused {
		s.tickPay(c)
	}
	s.b.with(func(p gpu.Process) { p.Pause(paused) })
	if !paused {
		s.b.with(gpu.Process.ForceKeyframe)
	}
	if text != "" {
		code := control.NoticeResumed
		if paused {
			code = control.NoticePaused
		}
		s.b.out.Notice(code, text)
	}
	s.report()
}

// onPeer does something with a peer that the token's holder may speak for.
func (s *state) onPeer(c *supervise.Ctx, token []byte, peer string, do func() (any, error)) {
	if err := s.mayActFor(token, peer); err != nil {
		c.Reply(err)
		return
	}
	v, err := do()
	if err != nil {
		c.Reply(err)
		return
	}
	c.Reply(v)
}

// mayActFor checks that the token is of the peer's own role. Peer ids are random, so
// that one viewer cannot speak for another.
func (s *state) mayActFor(token []byte, peer string) error {
	role, err := s.role(token)
	if err != nil {
		return err
	}
	p := s.pages[peer]
	if p == nil {
		return ErrNoPeer
	}
	if p.role != role {
		return ErrRole
	}
	return nil
}

func (s *state) restartICE(c *supervise.Ctx, m RestartICE) {
	if err := s.mayActFor(m.Token, m.Peer); err != nil {
		c.Reply(err)
		return
	}
	out, reply := s.b.out, c.Later()
	c.Go(func(context.Context) any {
		fragment, err := out.Restart(m.Peer, m.Fragment)
		if err != nil {
			reply(err)
		} else {
			reply(fragment)
		}
		return nil
	})
}

func (s *state) leave(c *supervise.Ctx, m Leave) {
	role, err := s.role(m.Token)
	switch {
	case err != nil:
		c.Reply(err)
	case m.End && role != stream.RoleOwner:
		c.Reply(ErrRole)
	case m.End:
		s.end(c, control.ByeEnded, "The player who started this session ended it.")
		c.Reply(Done{})
	case m.Peer == "":
		c.Reply(ErrNoPeer)
	default:
		s.onPeer(c, m.Token, m.Peer, func() (any, error) { return Done{}, s.b.out.Remove(m.Peer, "", "") })
	}
}

// idle ends a session that nobody plays.
func (s *state) idle(c *supervise.Ctx) {
	quiet := time.Since(time.Unix(0, s.b.lastInput.Load()))
	switch {
	case quiet >= s.o.IdleEnd:
		s.end(c, control.ByeIdle, "Nobody played for a while, so the machine was freed for others.")
	case quiet >= s.o.IdleNotice:
		if !s.warned {
			s.b.out.Notice(control.NoticeIdle, fmt.Sprintf("No input for a while: the session ends in %s unless you press something.", (s.o.IdleEnd-quiet).Round(time.Second)))
		}
		s.warned = true
		c.After(s.o.IdleEnd-quiet, idleCheck{})
	default:
		s.warned = false
		c.After(s.o.IdleNotice-quiet, idleCheck{})
	}
}
