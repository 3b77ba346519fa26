package stream

import (
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/input"
	"github.com/framemesh/framemesh/stream/ticklock"
)

// controlBacklog is how much may lie unsent in a control channel before figures are
// left out: a page that does not read must not cost memory.
const controlBacklog = 32 << 10 // bytes

// seqGap is left free in a seat's numbering where another connection goes on, so that a
// number that was lost on the way is never another connection's: what a page signs of its
// inputs goes by numbers.
const seqGap = 1 << 16

// seatInput is the input state of one peer. Its lock orders the last, empty state
// after all others.
type seatInput struct {
	mu     sync.Mutex
	closed bool
	pads   [input.MaxPad + 1]pad
}

// pad is one local player of a page. The page's numbering starts at any number and
// starts anew after a reload; the app sees one numbering per seat that only grows.
type pad struct {
	used   bool
	first  uint32 // of this peer, the page's numbering
	last   uint32
	offset uint32 // session's numbering − page's
}

// channel takes in a data channel that the page has made.
func (p *peer) channel(dc *webrtc.DataChannel) {
	switch dc.Label() {
	case "input":
		if p.hasIn.CompareAndSwap(false, true) {
			dc.OnMessage(p.onInput)
			return
		}
	case "control":
		if p.control.CompareAndSwap(nil, dc) {
			dc.OnMessage(p.onControl)
			return
		}
	}
	p.refuse("channel", errChannel)
	_ = dc.Close()
}

// onInput is called by the channel's one reader, message by message.
func (p *peer) onInput(m webrtc.DataChannelMessage) {
	if err := p.input(m); err != nil {
		p.refuse("input", err)
	}
}

func (p *peer) input(m webrtc.DataChannelMessage) error {
	if !p.inputLimit.AllowN(p.s.now(), 1) {
		return errTooOften
	}
	if m.IsString || len(m.Data) == 0 {
		return errKind
	}
	switch m.Data[0] {
	case input.KindState:
		return p.seatState(m.Data)
	case input.KindSlack:
		r, err := input.DecodeSlack(m.Data)
		if err != nil {
			return err
		}
		if p.role != RoleOwner {
			return errNotInUse
		}
		p.s.slackReport(r)
		return nil
	}
	return errKind
}

func (p *peer) seatState(b []byte) error {
	if err := input.Check(b); err != nil {
		return err
	}
	if !p.role.Plays() {
		return errNotInUse
	}
	n := int(b[1])
	seat := p.seat + n
	if seat > MaxSeat || n > 0 && p.s.seatHeld(seat, p) {
		return fmt.Errorf("%w: local player %d", ErrSeat, n+1)
	}
	seq := input.Seq(b)
	in := &p.seats
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return errStale
	}
	q := &in.pads[n]
	if !q.used {
		next := p.s.seatSeq[seat].Load() + 1
		if next > 1 {
			next += seqGap
		}
		*q = pad{used: true, first: seq, last: seq - 1, offset: next - seq}
	}
	if !input.Newer(seq, q.last) {
		return errStale
	}
	q.last = seq
	input.SetSeq(b, seq+q.offset)
	p.s.seatSeq[seat].Store(seq + q.offset)
	p.inputs.Add(1)
	p.s.engine.metrics.inputs.Inc()
	p.s.handler.Input(p.id, seat, b)
	return nil
}

// releaseSeats lets go of all that the peer held.
func (p *peer) releaseSeats() {
	in := &p.seats
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	in.closed = true
	for n, q := range in.pads {
		if !q.used {
			continue
		}
		seat := p.seat + n
		empty := input.State{Pad: uint8(n), Seq: p.s.seatSeq[seat].Add(1)}
		p.s.handler.Input(p.id, seat, empty.Append(nil))
	}
}

// acked is the newest input, in the page's numbering, that the app has seen.
func (p *peer) acked() (uint32, bool) {
	if !p.role.Plays() {
		return 0, false
	}
	in := &p.seats
	in.mu.Lock()
	defer in.mu.Unlock()
	q := in.pads[0]
	seq := p.s.applied[p.seat].Load() - q.offset
	return seq, q.used && !input.Newer(q.first, seq) && !input.Newer(seq, q.last)
}

// seatHeld reports whether another peer was given the seat.
func (s *Session) seatHeld(seat int, by *peer) bool {
	for _, q := range *s.peers.Load() {
		if q != by && q.role.Plays() && q.seat == seat {
			return true
		}
	}
	return false
}

// slackReport feeds the tick lock.
func (s *Session) slackReport(r input.Slack) {
	s.mu.Lock()
	fps := s.info.FPS
	s.mu.Unlock()
	ms := func(v float32) time.Duration { return time.Duration(float64(v) * float64(time.Millisecond)) }
	s.lockMu.Lock()
	s.slack = ms(r.MS)
	d := s.lock.Update(s.now(), ticklock.Report{
		Samples: int(r.Samples), Slack: s.slack, Display: ms(r.PeriodMS), App: time.Second / time.Duration(fps),
	})
	s.shift += d
	s.lockMu.Unlock()
	if d != 0 {
		s.handler.ShiftTick(d)
	}
}

// onControl is called by the channel's one reader, message by message.
func (p *peer) onControl(m webrtc.DataChannelMessage) {
	if err := p.controlMessage(m); err != nil {
		p.refuse("control", err)
	}
}

func (p *peer) controlMessage(m webrtc.DataChannelMessage) error {
	if !p.controlLimit.AllowN(p.s.now(), 1) {
		return errTooOften
	}
	if !m.IsString {
		return errKind
	}
	msg, err := control.FromPage(m.Data)
	if err != nil {
		return err
	}
	switch msg := msg.(type) {
	case control.Hello:
		p.key = msg.Key
		p.greet()
	case control.Ping:
		p.send(control.Pong(msg))
	case control.Chat:
		p.s.chat(p, msg.Text)
	case control.Pause:
		return p.pause(true)
	case control.Resume:
		return p.pause(false)
	case control.Open, control.TopUp, control.Voucher:
		return p.payment(msg)
	case control.Cell:
		return p.cell(msg)
	case control.Inputs, control.Receipt:
		return p.signed(msg)
	}
	return nil
}

// signed hands on what the page signed. Others than players have sent no input, and what
// they saw is nobody's pay.
func (p *peer) signed(m control.Message) error {
	if !p.role.Plays() {
		return errNotInUse
	}
	s := Signed{Peer: p.id, Role: p.role, Seat: p.seat, Key: p.key, Message: m}
	p.seats.mu.Lock()
	for n := range p.seats.pads {
		s.Shift[n], s.Used[n] = p.seats.pads[n].offset, p.seats.pads[n].used
	}
	p.seats.mu.Unlock()
	p.s.handler.Signed(s)
	return nil
}

func (p *peer) payment(m control.Message) error {
	if p.role != RoleOwner {
		return errNotInUse
	}
	p.s.handler.Payment(p.id, m)
	return nil
}

// cell hands on a challenge. One for each second is more than any page sends; more would
// spoil the picture for those who watch.
func (p *peer) cell(m control.Cell) error {
	if p.role != RoleOwner {
		return errNotInUse
	}
	if !p.cellLimit.AllowN(p.s.now(), 1) {
		return errTooOften
	}
	var nonce [8]byte
	if _, err := hex.Decode(nonce[:], []byte(m.Nonce)); err != nil {
		return errKind
	}
	p.s.handler.Cell(p.id, nonce)
	return nil
}

func (p *peer) pause(on bool) error {
	if p.role != RoleOwner {
		return errNotInUse
	}
	p.s.handler.Pause(on, p.id)
	return nil
}

// send codes and sends a message; figures are left out when the page does not read.
func (p *peer) send(m control.Message) {
	b, err := control.Encode(m)
	if err != nil {
		p.s.engine.config.Log.Debug("control message not sent", "session", p.s.id, "peer", p.id, "error", err)
		return
	}
	p.sendRaw(b)
}

func (p *peer) sendRaw(b []byte) {
	dc := p.control.Load()
	if dc == nil || dc.ReadyState() != webrtc.DataChannelStateOpen || dc.BufferedAmount() > controlBacklog {
		return
	}
	_ = dc.SendText(string(b)) // a channel that has just closed is noticed by its connection
}
