// Package session is the actor of one play: it joins a worker process, which draws
// and codes, to a WebRTC session, which carries that to the pages, and decides what
// happens when one of them goes: a crashed worker is restarted from its last
// snapshot, a page that reloads finds its game again, a game that nobody watches is
// paused and in the end closed.
//
// Pictures, sound and input do not pass through the actor: a bridge hands them from
// the worker's reader to the WebRTC session and from its data channels to the
// worker, on the goroutine they arrive on.
package session

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// Errors of a session, as a player may read them.
var (
	ErrToken   = errors.New("session: this link does not open the session; ask for a new one")
	ErrRole    = errors.New("session: this link does not allow that; the player who started the session can")
	ErrNoPeer  = errors.New("session: this connection is over; reload the page to join again")
	ErrSeats   = errors.New("session: every seat of this game is taken; join as a viewer, or when somebody left")
	ErrEnding  = errors.New("session: the session is over; start the game again")
	ErrOptions = errors.New("session: options")
)

// Stream is the WebRTC side; *stream.Session is the real one.
type Stream interface {
	Answer(ctx context.Context, j stream.Join) (peer, answer string, fingerprint [32]byte, err error)
	AddCandidates(peer, fragment string) error
	Restart(peer, fragment string) (string, error)
	Remove(peer, code, text string) error
	WriteVideo(au []byte, key bool, pts time.Duration) error
	WriteAudio(opus []byte, pts, duration time.Duration) error
	Applied(tick uint64, acked [worker.Seats]uint32)
	SetInfo(stream.SessionInfo) error
	SetWorkerStats(stream.WorkerStats)
	Notice(code, text string)
	// ToOwner sends a message to the owner's page alone.
	ToOwner(m control.Message)
	Bye(code, text string)
	// Close sends what Bye said and ends all peer connections.
	Close(ctx context.Context) error
}

// Slot is the right to run a worker; *gpu.Slot is the real one.
type Slot interface {
	// Open starts a worker, which finds what the app saved earlier for this player.
	Open(sink worker.Sink, save []byte) (p gpu.Process, warm bool, err error)
	Release()
}

var _ Slot = (*gpu.Slot)(nil)

// Save is what the app keeps for this player from session to session.
type Save interface {
	// Load returns the newest save, nil when there is none. It may read a file.
	Load() []byte
	// Store replaces it with at most 64 KiB, which are the receiver's to keep. It is
	// called between two pictures and must not block.
	Store(data []byte)
}

// Options of a session. All but the durations and Report are needed; the durations
// have the defaults named with them.
type Options struct {
	ID     [16]byte
	Secret [32]byte // tokens derive from it
	Info   stream.SessionInfo

	// Acquire gets the app, when it must be fetched, and a slot of a device. It may
	// take as long as a download. fresh wants a worker that has not asked for its save
	// yet, because there is one.
	Acquire func(ctx context.Context, fresh bool) (Slot, error)
	// Stream makes the WebRTC session.
	Stream func(id string, h stream.Handler, info stream.SessionInfo) (Stream, error)
	// Report is told of every change. It is called from the actor and must not block.
	Report func(Summary)
	// Save keeps what the app saves; nil keeps nothing.
	Save Save
	// Work keeps the proof of what is rendered; nil proves nothing.
	Work Work
	// Payment is what the session is paid with; nil makes it free.
	Payment *Payment

	Lease      time.Duration // until the first offer; 10 s
	Grace      time.Duration // that the session outlives its owner's page; 30 s
	Abandoned  time.Duration // without any page, until the app is paused; 2 s
	IdleNotice time.Duration // without input, until the page is warned; 10 min
	IdleEnd    time.Duration // without input, until the end; 15 min
	Unpaid     time.Duration // without money, until the end; 1 min, half of it if there never was any

	// Abrupt says that the node dies: nothing is closed politely any more. May be nil.
	Abrupt func() bool
	Log    *slog.Logger
}

func (o *Options) fill() error {
	if o.Acquire == nil || o.Stream == nil {
		return errors.Join(ErrOptions, errors.New("session: Acquire and Stream are needed"))
	}
	for _, d := range []struct {
		to   *time.Duration
		want time.Duration
	}{{&o.Lease, 10 * time.Second}, {&o.Grace, 30 * time.Second}, {&o.Abandoned, 2 * time.Second},
		{&o.IdleNotice, 10 * time.Minute}, {&o.IdleEnd, 15 * time.Minute}, {&o.Unpaid, time.Minute}} {
		if *d.to == 0 {
			*d.to = d.want
		}
	}
	if o.IdleNotice > o.IdleEnd {
		o.IdleNotice = o.IdleEnd * 2 / 3
	}
	if o.Report == nil {
		o.Report = func(Summary) {}
	}
	if o.Abrupt == nil {
		o.Abrupt = func() bool { return false }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Name is the actor's name of a session.
func Name(id [16]byte) string { return "session-" + hex.EncodeToString(id[:]) }

// New returns the behavior of a session, to be spawned under Name(o.ID) with
// supervise.Restart(supervise.Backoff{}): a session that fails ends, because worker,
// connection and meter belong together.
func New(o Options) (func() supervise.Behavior, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if o.Payment != nil {
		if _, err := newPaying(*o.Payment); err != nil {
			return nil, errors.Join(ErrOptions, err)
		}
	}
	return func() supervise.Behavior { return newState(o) }, nil
}

// Messages that a session answers. Tokens are checked for each.
type (
	// Join adds a peer connection; the answer is a Joined. The token decides the role.
	Join struct {
		Token []byte
		Offer string // SDP
	}

	// Candidates adds a page's later ICE candidates; the answer is Done.
	Candidates struct {
		Token    []byte
		Peer     string
		Fragment string
	}

	// RestartICE answers with the container's SDP fragment, a string.
	RestartICE struct {
		Token    []byte
		Peer     string
		Fragment string
	}

	// Leave takes a peer out, or ends the session when End is set and the token is
	// the owner's; the answer is Done.
	Leave struct {
		Token []byte
		Peer  string
		End   bool
	}

	// GetStatus is answered with a Summary.
	GetStatus struct{ Token []byte }

	// End ends the session with a code of stream/control and a sentence; the answer is
	// Done. It is for the container, so no token is asked.
	End struct{ Code, Text string }

	// Done is an answer without content.
	Done struct{}
)

// Joined answers a Join.
type Joined struct {
	Peer        string
	Answer      string
	Fingerprint [32]byte // SHA-256 of the DTLS certificate
	Role        stream.Role
	Summary     Summary
}

// Phase is where a session is in its life.
type Phase string

// The phases.
const (
	Starting Phase = "starting" // reserved, or waiting for the worker or the owner's page
	Playing  Phase = "playing"
	Paused   Phase = "paused"
	Ending   Phase = "ending"
)

// Summary is what a session tells of itself.
type Summary struct {
	ID       [16]byte
	Phase    Phase
	App      string
	Offered  bool      // the owner's page made an offer
	Viewers  int       // connected pages, the owner's and players' too
	Started  time.Time // of the reservation
	Encoder  string
	Restarts int // of the worker
	Good     int // seconds of play at full rate
	Seconds  int // of play
	Why      string
	PID      int // of the worker, 0 while there is none

	// Of a paid session; 0 in a free one.
	Served      uint32 // seconds of play counted
	Covered     uint32 // of them, those that vouchers and escrow cover
	Paid        uint64 // base units that the newest voucher promises
	Escrow      uint32 // seconds set aside on the ledger
	BadVouchers int    // that were refused
}
