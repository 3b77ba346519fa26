package stream

import (
	"fmt"
	"time"

	"github.com/framemesh/framemesh/stream/control"
)

// Notice tells all pages of something that happened, with a sentence for people. That
// the app is paused is also told to pages that come later, until it is resumed.
func (s *Session) Notice(code, text string) {
	n := control.Notice{Code: code, Text: text}
	switch code {
	case control.NoticePaused, control.NoticeUnpaid:
		s.mu.Lock()
		s.paused = n
		s.mu.Unlock()
	case control.NoticeResumed:
		s.mu.Lock()
		s.paused = control.Notice{}
		s.mu.Unlock()
	}
	s.noticeExcept(nil, n)
}

// ToOwner sends a message to the owner's page alone; without one it is dropped, as figures
// are while a page does not read.
func (s *Session) ToOwner(m control.Message) {
	for _, p := range *s.peers.Load() {
		if p.role == RoleOwner {
			p.send(m)
		}
	}
}

func (s *Session) noticeExcept(p *peer, n control.Notice) {
	if b, err := control.Encode(n); err == nil {
		s.broadcast(p, b)
	}
}

// broadcast sends a coded message to all peers but one.
func (s *Session) broadcast(except *peer, b []byte) {
	if b == nil {
		return
	}
	for _, p := range *s.peers.Load() {
		if p != except {
			p.sendRaw(b)
		}
	}
}

func byeMessage(code, text string) []byte {
	if code == "" {
		return nil
	}
	b, err := control.Encode(control.Bye{Code: code, Text: text})
	if err != nil {
		b, _ = control.Encode(control.Bye{Code: code}) // the text was too long
	}
	return b
}

// chat hands text on to the other peers.
func (s *Session) chat(from *peer, text string) {
	if b, err := control.Encode(control.Chat{From: from.name(), Text: text}); err == nil {
		s.broadcast(from, b)
	}
	s.handler.Chat(from.id, text)
}

// name is what other players call this peer.
func (p *peer) name() string {
	if p.role == RoleWatch {
		return "Viewer"
	}
	return fmt.Sprintf("Player %d", p.seat+1)
}

func (s *Session) welcomeFor(p *peer) control.Welcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.info
	return control.Welcome{V: control.Version, Session: s.id, Role: string(p.role), Seat: p.seat, App: i.App,
		Width: i.Width, Height: i.Height, FPS: i.FPS, Encoder: i.Encoder, Container: i.Container, Proven: i.Proven}
}

// greet answers a page's hello. The lock orders it after or before what SetInfo sends,
// so that the page's last welcome is the newest.
func (p *peer) greet() {
	p.greeting.Lock()
	defer p.greeting.Unlock()
	p.send(p.s.welcomeFor(p))
	p.welcome.Store(true)
	p.s.mu.Lock()
	paused := p.s.paused
	p.s.mu.Unlock()
	if paused.Code != "" {
		p.send(paused)
	}
}

// SetInfo replaces what pages are told of the session, once its app has been loaded and
// the real figures are known. Pages that were welcomed already are welcomed again if it
// is news. It returns [ErrConfig] for figures that no app has.
func (s *Session) SetInfo(info SessionInfo) error {
	if err := info.check(); err != nil {
		return err
	}
	s.mu.Lock()
	news := s.info != info
	s.info = info
	s.mu.Unlock()
	if !news {
		return nil
	}
	s.video.mu.Lock()
	s.video.clock.step = time.Second / time.Duration(info.FPS)
	s.video.mu.Unlock()
	for _, p := range *s.peers.Load() {
		p.greeting.Lock()
		if p.welcome.Load() {
			p.send(s.welcomeFor(p))
		}
		p.greeting.Unlock()
	}
	return nil
}

func noticeJoined(r Role) control.Notice {
	if r == RolePlay {
		return control.Notice{Code: control.NoticeJoined, Text: "Another player has joined."}
	}
	return control.Notice{Code: control.NoticeJoined, Text: "Somebody is watching."}
}

func noticeLeft(r Role) control.Notice {
	if r == RolePlay {
		return control.Notice{Code: control.NoticeLeft, Text: "The other player has left."}
	}
	return control.Notice{Code: control.NoticeLeft, Text: "A viewer has left."}
}

// SetWorkerStats takes in the worker's own figures, once a second; pages are told.
func (s *Session) SetWorkerStats(w WorkerStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worker = w
	if w.Encoder != "" {
		s.info.Encoder = w.Encoder
	}
}

// Stats is a snapshot of the session.
func (s *Session) Stats() Stats {
	now := s.now()
	st := Stats{
		Frames: s.video.frames.Load(), KeyFrames: s.video.keyFrames.Load(), Bytes: s.video.bytes.Load(),
		AudioFrames: s.audio.frames.Load(), Tick: s.tick.Load(), SendMS: float64(s.video.sendUS.Load()) / 1000, TargetBPS: s.target(),
	}
	s.keyMu.Lock()
	st.KeyRequests = s.asked
	s.keyMu.Unlock()
	s.lockMu.Lock()
	st.Shift, st.Slack, st.Locked = s.shift, s.slack, s.lock.Locked()
	s.lockMu.Unlock()
	s.rateMu.Lock()
	var bits uint64
	for _, b := range s.meter.buckets {
		bits += b * 8
	}
	s.rateMu.Unlock()
	st.KbpsVideo = int(bits / 1000)
	for _, p := range *s.peers.Load() {
		acked, _ := p.acked()
		ps := PeerStats{Peer: p.id, Role: p.role, Seat: p.seat, Connected: p.flow.Load() != flowNone, Inputs: p.inputs.Load(),
			Refused: p.refusals.Load(), Acked: acked, RTT: p.rtt(), Loss: p.loss.now(now)}
		if p.est != nil {
			ps.TargetBPS, _ = p.estimate()
		}
		st.Peers = append(st.Peers, ps)
	}
	return st
}
