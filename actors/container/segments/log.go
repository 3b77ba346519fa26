package segments

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// backlog is how much may wait for a log's goroutine: some seconds of play.
const backlog = 128

// maxForged is how many words with a wrong signature a page may send before its words
// are left out: each costs a tenth of a millisecond.
const maxForged = 32

// Records of inputs that a session keeps per second of play, of the owner's page and of
// all others together: so many that an audit's answer holds all of them.
const (
	wordsPer  = 2
	wordsMost = 4
)

// minute is the seconds of play in one file.
const minute = 60

// About is what a Log is about.
type About struct {
	Session [16]byte
	App     [32]byte // SHA-256 of the module, as advertised
	Player  []byte   // the owner's key, 32 bytes; empty when the reservation named none
}

// Log keeps one session. It implements session.Work.
type Log struct {
	store   *Store
	about   About
	witness witness.Session // of the owner, as far as it is known
	in      chan any
	done    chan struct{}
	lost    atomic.Uint64 // words and seconds that came too fast
	forged  atomic.Uint64
	newest  atomic.Pointer[proof.Opened] // commitment that is on the disk

	// Of the goroutine alone.
	tell     func(control.Message) // to the owner's page; nil before Attach
	keeper   *segment.Keeper
	file     *os.File
	opened   []uint32 // minutes that files were made for, rising
	sizes    map[uint32]int64
	at       uint32 // minute of play
	previous []byte // digest of the newest SegCommit
	next     uint32 // second that it is followed by at the earliest
	inputs   [32]byte
	covered  bool // the owner signed inputs since the newest SegCommit
	receipts hash.Hash
	tally    tally
	owners   int // records that the owner may still send, and the others
	guests   int
}

var _ session.Work = (*Log)(nil)

// Messages to the goroutine beside segment.Second and stream.Signed.
type (
	keptState func() ([]byte, error)
	attached  func(control.Message)
	ask       struct {
		from, seconds uint32
		answer        chan<- answer
	}
	answer struct {
		w   segment.Window
		err error
	}
)

// Begin keeps a session from now on, until its End. It does not touch the disk.
func (s *Store) Begin(a About) (*Log, error) {
	l := &Log{store: s, about: a, in: make(chan any, backlog), done: make(chan struct{}), sizes: map[uint32]int64{}, owners: wordsMost, guests: wordsMost, receipts: sha256.New()}
	l.witness = witness.Session{Chain: s.o.Chain, Container: s.node, ID: a.Session}
	copy(l.witness.Player[:], a.Player)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[a.Session] != nil {
		return nil, fmt.Errorf("%w: session %x runs already", ErrOptions, a.Session)
	}
	s.live[a.Session] = l
	s.wg.Add(1)
	go l.run()
	return l, nil
}

// running is the log of a session that runs, or nil.
func (s *Store) running(id [16]byte) *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id]
}

// put hands something to the goroutine, or leaves it out.
func (l *Log) put(m any) {
	select {
	case l.in <- m:
	default:
		l.lost.Add(1)
	}
}

// Second implements session.Work.
func (l *Log) Second(s segment.Second) { l.put(s) }

// State implements session.Work.
func (l *Log) State(read func() ([]byte, error)) { l.put(keptState(read)) }

// Attach implements session.Work.
func (l *Log) Attach(tell func(control.Message)) { l.put(attached(tell)) }

// Signed implements session.Work.
func (l *Log) Signed(m stream.Signed) { l.put(m) }

// End implements session.Work. The last words are written even when the disk is slow.
func (l *Log) End(e session.Ended) {
	go func() {
		select {
		case l.in <- e:
		case <-l.store.gone:
		}
	}()
}

// run is the goroutine: it ends with the session.
func (l *Log) run() {
	defer l.store.wg.Done()
	defer close(l.done)
	warned := false
	for {
		var m any
		select {
		case m = <-l.in:
		case <-l.store.gone:
			return
		}
		var err error
		switch m := m.(type) {
		case segment.Second:
			err = l.second(&m)
		case keptState:
			var b []byte
			if b, err = m(); err == nil {
				err = l.open()
			}
			if err == nil {
				err = l.keeper.State(b)
			}
		case attached:
			l.tell = m
		case stream.Signed:
			err = l.signed(m)
		case ask:
			var a answer
			if a.err = l.open(); a.err == nil {
				a.w, a.err = l.keeper.Window(m.from, int(m.seconds))
			}
			m.answer <- a
		case session.Ended:
			err = l.end(m)
		}
		if err != nil && !warned {
			warned = true // a full disk would fill the log too
			l.store.o.Log.Warn("a session is played without proof; it cannot be audited", "session", hex.EncodeToString(l.about.Session[:4]), "err", err)
		}
		if _, over := m.(session.Ended); over {
			return
		}
	}
}

// second signs and keeps a second of play.
func (l *Log) second(s *segment.Second) error {
	if s.Number < l.next {
		return fmt.Errorf("segments: second %d after second %d", s.Number, l.next-1)
	}
	l.store.o.Double.second(s)
	app := l.about.App
	c := &proof.SegCommit{Session: l.about.Session[:], Second: s.Number, Previous: l.previous, State: s.Roots.State[:], Inputs: s.Roots.Input[:],
		Frames: s.Roots.Frame[:], Audio: s.Roots.Audio[:], Ticks: s.Roots.Ticks, App: app[:], Restored: s.Restored}
	if l.covered {
		c.PlayerInputs = l.inputs[:]
	}
	if s.Number > 0 && l.previous == nil {
		c.Previous = make([]byte, 32) // the seconds before died with their worker
	}
	o, err := proof.Sign(l.store.o.Chain, l.store.o.Key, &proof.Statement{Says: &proof.Statement_Segment{Segment: c}})
	if err != nil {
		return err
	}
	l.previous, l.next, l.covered = o.Digest[:], s.Number+1, false
	if m := s.Number / minute; m != l.at {
		if err := l.turn(m); err != nil {
			return err
		}
	}
	l.owners, l.guests = min(l.owners+wordsPer, wordsMost), min(l.guests+wordsPer, wordsMost)
	l.tally.second(s)
	if l.tell != nil {
		l.tell(control.Segment{Second: s.Number, Frames: hex.EncodeToString(s.Roots.Frame[:])})
	}
	if err := l.open(); err != nil {
		return err
	}
	if err := errors.Join(l.write(kindSegment, o.Raw), l.keeper.Add(s)); err != nil {
		return err
	}
	l.newest.Store(o)
	return nil
}

// open makes the session's directory when there is something to keep.
func (l *Log) open() (err error) {
	if l.keeper != nil {
		return nil
	}
	dir := l.store.sessionDir(l.about.Session)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("segments: %w", err)
	}
	l.keeper, err = segment.OpenKeeper(filepath.Join(dir, playDir), l.store.o.MaxBytes/shareOf)
	return err
}

// signed checks and keeps what a page signed.
func (l *Log) signed(m stream.Signed) error {
	w, ok := l.whose(m)
	if !ok || l.forged.Load() >= maxForged {
		return nil
	}
	switch word := m.Message.(type) {
	case control.Inputs:
		leaves, sig, err := word.Values()
		if err != nil {
			return nil
		}
		left := &l.guests
		if m.Role == stream.RoleOwner {
			left = &l.owners
		}
		if *left == 0 {
			l.lost.Add(1)
			return nil
		}
		*left--
		b := witness.Batch{Player: w.Player, Seat: uint8(m.Seat), Shift: m.Shift, Used: m.Used,
			Inputs: witness.Inputs{Second: word.Second, First: word.First, Leaves: leaves, Signature: sig}}
		if b.Verify(w) != nil {
			l.forged.Add(1)
			return nil
		}
		if m.Role == stream.RoleOwner {
			l.inputs, l.covered = b.Digest(w), true
		}
		return l.write(kindInputs, b.Append(nil))
	case control.Receipt:
		seen, sig, err := word.Values()
		if err != nil {
			return nil
		}
		r := witness.KeptReceipt{Player: w.Player, Receipt: witness.Receipt{Second: word.Second, Frames: word.Frames, Lost: word.Lost, Packets: word.Packets,
			P50MS: word.P50, P95MS: word.P95, Acked: word.Acked, Stalls: word.Stalls, Seen: seen, Signature: sig}}
		if r.Verify(w) != nil {
			l.forged.Add(1)
			return nil
		}
		body := r.Append(nil)
		if m.Role == stream.RoleOwner {
			l.tally.receipt(&r.Receipt)
			l.receipts.Write(body)
		}
		return l.write(kindReceipt, body)
	}
	return nil
}

// whose says who signs for a page: the owner with the key of the reservation if that had
// one, everybody else with the one that the page's hello gave.
func (l *Log) whose(m stream.Signed) (witness.Session, bool) {
	w := l.witness
	if m.Role == stream.RoleOwner && len(l.about.Player) == ed25519.PublicKeySize {
		return w, m.Seat >= 0 && m.Seat < witness.Pads
	}
	k, err := hex.DecodeString(m.Key)
	if err != nil || len(k) != ed25519.PublicKeySize || m.Seat < 0 || m.Seat >= witness.Pads {
		return w, false
	}
	copy(w.Player[:], k)
	return w, true
}

// turn goes on in the file of another minute, and removes what is over the session's
// share of the disk.
func (l *Log) turn(minute uint32) error {
	l.at = minute
	err := l.closeFile()
	total := int64(0)
	for _, m := range l.opened {
		total += l.sizes[m]
	}
	for len(l.opened) > 1 && total > l.store.o.MaxBytes/shareOf {
		oldest := l.opened[0]
		err = errors.Join(err, os.Remove(l.store.minuteFile(l.about.Session, oldest)))
		total -= l.sizes[oldest]
		delete(l.sizes, oldest)
		l.opened = l.opened[1:]
	}
	l.store.prune()
	return err
}

func (l *Log) closeFile() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// write appends a frame. A kill leaves at most the last one torn.
func (l *Log) write(kind byte, body []byte) error {
	if err := l.open(); err != nil {
		return err
	}
	if l.file == nil {
		f, err := os.OpenFile(l.store.minuteFile(l.about.Session, l.at), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("segments: %w", err)
		}
		l.file, l.opened = f, append(l.opened, l.at)
	}
	b := appendFrame(nil, kind, body)
	if l.sizes[l.at]+int64(len(b)) > maxFile {
		l.lost.Add(1)
		return nil
	}
	n, err := l.file.Write(b)
	l.sizes[l.at] += int64(n)
	if err != nil {
		return fmt.Errorf("segments: %w; make room on the disk", err)
	}
	return nil
}

// end writes the last words and lets go of everything.
func (l *Log) end(e session.Ended) error {
	err := errors.Join(l.quality(e), l.closeFile())
	if l.keeper != nil {
		err = errors.Join(err, l.keeper.Close())
	}
	l.store.mu.Lock()
	delete(l.store.live, l.about.Session)
	l.store.mu.Unlock()
	if n := l.lost.Load(); n > 0 {
		l.store.o.Log.Warn("some of a session's proof came too fast for the disk", "session", hex.EncodeToString(l.about.Session[:4]), "lost", n)
	}
	l.store.prune()
	return err
}
