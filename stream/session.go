package stream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/rate"
	"github.com/framemesh/framemesh/stream/ticklock"
)

// beat is how often a session looks after itself: acknowledgements, bitrate, key
// frames that never came.
const (
	beat         = 100 * time.Millisecond
	beatsPerStat = 10               // beats between two sets of figures
	joinWithin   = 15 * time.Second // from the answer until media flows
	farewell     = 250 * time.Millisecond
)

// Session is one app and its peers. All methods are safe for concurrent use. The
// frame path takes one uncontended lock per kind of media and reads the peers from a
// snapshot that joins and leaves replace.
type Session struct {
	engine  *Engine
	id      string
	handler Handler

	peers atomic.Pointer[[]*peer] // snapshot, replaced under mu

	video videoPath
	audio audioPath

	applied [MaxSeat + 1]atomic.Uint32 // newest input per seat that the app has seen, the session's numbering
	seatSeq [MaxSeat + 1]atomic.Uint32 // newest input per seat that was handed on
	tick    atomic.Uint64

	mu     sync.Mutex // guards what follows; never held while pion or the handler is called
	info   SessionInfo
	worker WorkerStats
	paused control.Notice // while the app is, paused or unpaid; else empty
	closed bool

	keyMu sync.Mutex
	keys  keyGate
	asked uint64

	lockMu sync.Mutex // the owner changes hands
	lock   ticklock.Lock
	slack  time.Duration
	shift  time.Duration

	rateMu sync.Mutex
	rate   *rate.Controller
	meter  meter
	slow   bool

	done chan struct{}
	wg   sync.WaitGroup // the beat, RTCP readers and farewells
}

// NewSession opens a session with this id, which pages see as it is. It returns
// [ErrConfig] for figures that no app has and [ErrClosed] after Close.
func (e *Engine) NewSession(id string, h Handler, info SessionInfo) (*Session, error) {
	if err := info.check(); err != nil {
		return nil, err
	}
	s := &Session{engine: e, id: id, handler: h, info: info, rate: rate.New(e.limits()), done: make(chan struct{})}
	s.peers.Store(&[]*peer{})
	s.video.init(info.FPS)
	s.audio.init()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	e.sessions[s] = struct{}{}
	e.metrics.sessions.Inc()
	s.wg.Go(s.run)
	return s, nil
}

func (s *Session) now() time.Time { return s.engine.config.Now() }

// ID is the session's id.
func (s *Session) ID() string { return s.id }

// Answer adds a peer connection. It returns the peer's id, the SDP answer with the
// host candidates, and the SHA-256 fingerprint of the DTLS certificate in it.
//
// An owner who joins while there is one takes their place at once: that is how a
// reloaded page resumes. Errors: [ErrTooLarge], [ErrOffer], [ErrFull], [ErrSeat],
// [ErrClosed], or the context's.
func (s *Session) Answer(ctx context.Context, j Join) (id, answer string, fingerprint [32]byte, err error) {
	if err := s.begin(); err != nil {
		return "", "", fingerprint, err
	}
	defer s.wg.Done()
	p, err := s.newPeer(j)
	if err != nil {
		s.engine.metrics.refusedOffers.Inc()
		return "", "", fingerprint, err
	}
	answer, err = p.answer(ctx, j.Offer)
	if err == nil {
		err = s.add(p)
	}
	if err != nil {
		s.engine.metrics.refusedOffers.Inc()
		s.wg.Go(p.close)
		return "", "", fingerprint, err
	}
	return p.id, answer, s.engine.fingerprint, nil
}

// begin counts a call among the session's goroutines, so that Close waits for it.
func (s *Session) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.wg.Add(1)
	return nil
}

func (s *Session) newPeer(j Join) (*peer, error) {
	switch {
	case !j.Role.Valid():
		return nil, fmt.Errorf("%w: unknown role %q", ErrOffer, j.Role)
	case j.Role.Plays() && (j.Seat < 0 || j.Seat > MaxSeat):
		return nil, fmt.Errorf("%w: seat %d", ErrSeat, j.Seat)
	case len(j.Offer) > MaxOffer:
		return nil, fmt.Errorf("%w: an offer of %d bytes, at most %d", ErrTooLarge, len(j.Offer), MaxOffer)
	case strings.Count(j.Offer, "a=candidate:") > MaxCandidates:
		return nil, fmt.Errorf("%w: more than %d candidates in the offer", ErrTooLarge, MaxCandidates)
	}
	if !j.Role.Plays() {
		j.Seat = -1
	}
	if err := s.admit(j); err != nil {
		return nil, err
	}
	pc, est, err := s.engine.connection()
	if err != nil {
		return nil, err
	}
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails
	return newPeer(s, hex.EncodeToString(raw[:]), j, pc, est), nil
}

// admit says early what add says in the end: making a connection is dear.
func (s *Session) admit(j Join) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admitLocked(j.Role, j.Seat)
}

func (s *Session) admitLocked(r Role, seat int) error {
	if s.closed {
		return ErrClosed
	}
	n := 0
	for _, p := range *s.peers.Load() {
		if r == RoleOwner && p.role == RoleOwner {
			continue // will be replaced
		}
		n++
		if r.Plays() && p.role.Plays() && p.seat == seat {
			return fmt.Errorf("%w: seat %d", ErrSeat, seat+1)
		}
	}
	if n >= s.engine.config.MaxPeers {
		return ErrFull
	}
	return nil
}

// add puts an answered peer on the list and retires the owner it replaces.
func (s *Session) add(p *peer) error {
	s.mu.Lock()
	if err := s.admitLocked(p.role, p.seat); err != nil {
		s.mu.Unlock()
		return err
	}
	var old *peer
	list := make([]*peer, 0, s.engine.config.MaxPeers)
	for _, q := range *s.peers.Load() {
		if p.role == RoleOwner && q.role == RoleOwner {
			old = q
			continue
		}
		list = append(list, q)
	}
	list = append(list, p)
	if old != nil {
		s.wg.Add(1)
	}
	s.peers.Store(&list)
	s.engine.metrics.peers.Inc()
	s.mu.Unlock()
	if old != nil {
		s.retired(old, "replaced", nil)
		s.wg.Done()
	}
	p.admitted()
	return nil
}

// drop takes a peer off the list, once, and says farewell in its own goroutine.
func (s *Session) drop(p *peer, why string, bye []byte) {
	s.mu.Lock()
	list := *s.peers.Load()
	i := slices.Index(list, p)
	if i < 0 {
		s.mu.Unlock()
		return
	}
	rest := slices.Delete(slices.Clone(list), i, i+1)
	s.wg.Add(1) // before it is off the list: who sees it gone, Close above all, waits for its farewell
	s.peers.Store(&rest)
	s.mu.Unlock()
	defer s.wg.Done()
	s.retired(p, why, bye)
}

// retired ends a peer that is off the list: nothing is held at its seats any more. Whoever
// took it off counted that before, and counts it until here.
func (s *Session) retired(p *peer, why string, bye []byte) {
	s.engine.metrics.peers.Dec()
	s.engine.metrics.left.WithLabelValues(why).Inc()
	joined := p.retire()
	s.wg.Go(func() {
		p.farewell(bye)
		p.close()
	})
	if joined {
		<-p.told // that it joined: the handler hears of its leaving after that
	}
	s.handler.Left(p.id, p.role, why)
	if joined && p.role != RoleOwner {
		s.noticeExcept(p, noticeLeft(p.role))
	}
}

func (s *Session) find(id string) (*peer, error) {
	for _, p := range *s.peers.Load() {
		if p.id == id {
			return p, nil
		}
	}
	select {
	case <-s.done:
		return nil, ErrClosed
	default:
		return nil, ErrNoPeer
	}
}

// AddCandidates takes in a trickled fragment of a peer. Errors: [ErrNoPeer],
// [ErrTooLarge], [ErrFragment].
func (s *Session) AddCandidates(peer, fragment string) error {
	p, err := s.find(peer)
	if err != nil {
		return err
	}
	if err := p.addCandidates(fragment); err != nil {
		s.refused("fragment", err)
		return err
	}
	return nil
}

// Restart restarts ICE for a peer whose path has changed and returns the fragment that
// answers. Media and channels go on. Errors as of AddCandidates.
func (s *Session) Restart(peer, fragment string) (string, error) {
	p, err := s.find(peer)
	if err != nil {
		return "", err
	}
	answer, err := p.restart(fragment)
	if err != nil {
		s.refused("fragment", err)
		return "", err
	}
	return answer, nil
}

// Remove ends one peer connection with a sentence for people; an empty code says
// nothing. A peer that is gone already is no error.
func (s *Session) Remove(peer, code, text string) error {
	p, err := s.find(peer)
	if errors.Is(err, ErrNoPeer) {
		return nil
	}
	if err != nil {
		return err
	}
	s.drop(p, "removed", byeMessage(code, text))
	return nil
}

// Bye tells all pages why the session ends. The peers go one by one as their pages
// close, or with Close.
func (s *Session) Bye(code, text string) {
	b := byeMessage(code, text)
	for _, p := range *s.peers.Load() {
		if b != nil {
			p.sendRaw(b)
			p.saidBye.Store(true)
		}
	}
}

// Close ends all peer connections and returns when every goroutine of the session has
// ended, or with the context's error when that takes too long. What Bye said is sent
// out first, for at most a quarter of a second.
func (s *Session) Close(ctx context.Context) error {
	s.shut()
	return s.wait(ctx)
}

// shut begins to end the session, once, and waits for nothing. What it does is counted
// from the moment that the session is closed: another Close waits for it.
func (s *Session) shut() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	close(s.done)
	for _, p := range *s.peers.Load() {
		s.drop(p, "closed", nil)
	}
	s.engine.metrics.sessions.Dec()
}

// wait waits for what still runs. Until nothing does the engine knows the session, so that
// its Close waits for one whose own was given up.
func (s *Session) wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		s.engine.forget(s)
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stream: session %s: peer connections still closing: %w", s.id, ctx.Err())
	}
}

// refused counts a message that was not followed.
func (s *Session) refused(channel string, err error) {
	s.engine.metrics.refused.WithLabelValues(channel, reason(err)).Inc()
}
