package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/input"
)

// Limits that hold for every session, whatever a peer sends.
const (
	DefaultMaxPeers = 8        // peer connections of one session, unless Config.MaxPeers says otherwise
	MaxOffer        = 64 << 10 // bytes of an SDP offer
	MaxFragment     = 16 << 10 // bytes of a trickle-ICE fragment
	MaxCandidates   = 64       // remote candidates of one peer, over its whole life
	MaxSeat         = 3        // highest seat of an app
	inputRate       = 500      // input messages per second and peer
	controlRate     = 20       // control messages per second and peer
	maxAccessUnit   = 4 << 20  // bytes of a coded picture
	maxTextRunes    = 500      // of chat
)

// Errors of a session. Those that a player meets end in what to try.
var (
	ErrToken    = errors.New("stream: the token opens no role of this session")
	ErrOffer    = errors.New("stream: the offer cannot be answered")
	ErrFull     = errors.New("stream: the session has no room for another viewer; try again when somebody left")
	ErrSeat     = errors.New("stream: somebody else holds this seat; join as a viewer, or take another seat")
	ErrNoPeer   = errors.New("stream: no such peer connection in this session; join again")
	ErrClosed   = errors.New("stream: the session has ended; start a new one")
	ErrTooLarge = errors.New("stream: message over its size limit")
	ErrFragment = errors.New("stream: the ICE fragment cannot be used")
	ErrConfig   = errors.New("stream: configuration refused")
	ErrFrame    = errors.New("stream: access unit refused")
	errNotInUse = errors.New("stream: message not expected from this peer")
	errTooOften = errors.New("stream: message over its rate limit")
	errStale    = errors.New("stream: message older than one seen")
	errChannel  = errors.New("stream: data channel refused")
	errKind     = errors.New("stream: message of an unknown kind")
)

// Handler is told what the peers of a session want. Its methods are called from the
// session's and from pion's goroutines, several at a time, and must not block: a
// slow handler holds up the input behind it. They must not call Remove or Close, which
// wait for them; none is called any more when Close has returned nil.
type Handler interface {
	// Input delivers the newest state of a seat: 72 bytes, valid by stream/input,
	// newer than any before it of this peer. The sequence number is the session's
	// own per seat: it goes on growing when the owner reloads the page, which starts
	// at 1 again. The slice belongs to the handler. When a peer goes, its seats get
	// one last state with nothing held and the connected flag off.
	Input(peer string, seat int, state []byte)
	// NeedKeyframe asks for a key frame at the next tick.
	NeedKeyframe()
	// Bitrate sets what the encoder should aim at, in bits per second.
	Bitrate(bps int)
	// ShiftTick moves the app's tick once by d, later if positive. It is never more
	// than half a display period.
	ShiftTick(d time.Duration)
	// Joined says that a peer's media flows.
	Joined(peer string, role Role)
	// Left says that a peer which had been answered is gone, joined or not, and why, in
	// one word: "left", "replaced", "lost", "removed" or "closed". It comes exactly once
	// per answered peer.
	Left(peer string, role Role, why string)
	// Pause is the owner's wish to pause or resume the app.
	Pause(paused bool, peer string)
	// Payment is what the owner's page says about money: a control.Open, a control.TopUp
	// or a control.Voucher, checked as far as its form goes.
	Payment(peer string, m control.Message)
	// Signed is a page's signed word on what it sent and saw, with a form that is checked
	// and a signature that is not.
	Signed(Signed)
	// Cell is the owner's wish for a strip of challenge cells in the next pictures.
	Cell(peer string, nonce [8]byte)
	// Chat is text of at most 500 characters that the other peers have been sent.
	Chat(peer, text string)
}

// Signed is a control.Inputs or a control.Receipt of a page that plays.
type Signed struct {
	Peer string
	Role Role
	Seat int    // of the page's first local player
	Key  string // as the page's hello gave it: 64 hex digits, or empty
	// Shift is, by local player, what the session's numbering of inputs has added to the
	// page's; Used are those of which an input has come.
	Shift   [input.MaxPad + 1]uint32
	Used    [input.MaxPad + 1]bool
	Message control.Message
}

// SessionInfo is what a session's pages are told of it.
type SessionInfo struct {
	App       string // title, for people
	Width     int    // px
	Height    int    // px
	FPS       int    // ticks per second, 1..240
	Encoder   string // name of the encoder in use
	Container string // peer id
	Proven    bool   // what pages sign is kept
}

func (i SessionInfo) check() error {
	if i.Width < 1 || i.Width > 8192 || i.Height < 1 || i.Height > 8192 || i.FPS < 1 || i.FPS > 240 {
		return fmt.Errorf("%w: an app of %d×%d at %d ticks per second", ErrConfig, i.Width, i.Height, i.FPS)
	}
	return nil
}

// Join is the wish to add a peer connection to a session.
type Join struct {
	Role  Role
	Seat  int    // 0..3 for the owner and those who play; ignored for those who watch
	Offer string // SDP as the page made it
}

// WorkerStats are a worker's own figures, averages over the last second.
type WorkerStats struct {
	FPS                         float64
	DrawMS, ConvertMS, EncodeMS float64
	Encoder                     string // replaces SessionInfo.Encoder when set
}

// Stats is a snapshot of a session.
type Stats struct {
	Frames      uint64 // access units written
	KeyFrames   uint64
	Bytes       uint64 // of access units
	AudioFrames uint64
	Tick        uint64        // of the newest frame, as told by Applied
	SendMS      float64       // to split, encrypt and hand to the kernel, all peers, moving average
	KbpsVideo   int           // over the last second
	TargetBPS   int           // asked of the encoder
	KeyRequests uint64        // NeedKeyframe calls
	Shift       time.Duration // of the tick, in sum
	Slack       time.Duration // as the owner's page last reported it
	Locked      bool          // the tick is locked to the owner's display
	Peers       []PeerStats
}

// PeerStats is a snapshot of one peer connection.
type PeerStats struct {
	Peer      string
	Role      Role
	Seat      int // -1 for those who watch
	Connected bool
	Inputs    uint64 // accepted
	Refused   uint64 // messages of any channel that were refused
	Acked     uint32 // newest input, in the peer's own numbering, that the app has seen
	RTT       time.Duration
	Loss      float64 // 0..1, over about a second, before repeats
	TargetBPS int     // what the bandwidth estimate allows
}
