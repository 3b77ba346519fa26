package worker

import (
	"errors"
	"log/slog"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/segment"
)

// Seats is the number of players a session can hold.
const Seats = app.MaxSeats

// Why a worker ended, as given to [Sink.Exited]. The message that wraps one of
// these says the rest in words a player can read.
var (
	ErrStopped = errors.New("worker: stopped")                  // asked to, by Stop or because the session ended
	ErrKilled  = errors.New("worker: killed")                   // by Kill, or by a signal from outside
	ErrCrashed = errors.New("worker: crashed")                  // a signal or an exit code nobody asked for
	ErrLooped  = errors.New("worker: looped")                   // no tick ended for two seconds
	ErrMemory  = errors.New("worker: out of memory")            // the app or the process reached its limit
	ErrApp     = errors.New("worker: the app failed")           // trapped, exited, or broke the ABI
	ErrRefused = errors.New("worker: the app was refused")      // not a module this machine runs
	ErrEncoder = errors.New("worker: no encoder")               // none could be opened, or it broke
	ErrSpawn   = errors.New("worker: cannot start the process") // fork, pipe or memory of the parent
	ErrWire    = errors.New("worker: broken message on the pipe")
)

// Spec says what a worker runs. It is read once, by Start.
type Spec struct {
	Module string   // path of the WASM module
	SHA256 [32]byte // of the module's bytes; the child refuses any other
	// CacheDir holds compiled modules, so that the next worker starts in
	// milliseconds. Empty: compile every time.
	CacheDir    string
	Seed        uint64 // of the app's random numbers
	Bitrate     int    // of the video, bit/s; 0 means 4 Mbit/s
	MemoryLimit uint32 // of the app's memory, bytes; 0 means the runtime's default
	Encoder     string // name from encode.Encoders; empty means the best that opens
	// Snapshot keeps the app's state outside the process. A worker that finds a
	// valid state of the same module in it goes on from there. Nil: no snapshots, and
	// no proof of what is played.
	Snapshot *SnapshotFile
	Save     []byte   // what the app saved in earlier sessions, at most app.MaxSave
	Thin     int      // of so many ticks only one is shown; 0 and 1 show all. For those who cheat
	Command  []string // argv of the child; nil means this binary with "worker"
	Log      *slog.Logger
}

// Sink gets what a worker makes. All methods are called from one goroutine and
// must not block: while one runs, pictures pile up in the pipe and the worker
// drops the ones after.
type Sink interface {
	// Ready is called once, when the module is loaded and the encoder open. The
	// worker then waits for [Process.Run].
	Ready(Info)
	Video(AccessUnit)
	Audio(AudioPacket)
	Stats(Stats) // each second while running
	// Exited is called once and last, with why. The error wraps one of the Err
	// values of this package.
	Exited(error)
}

// SaveSink is a Sink that also wants what the app saves for its next session.
// Saved is called after the tick that saved, at most once a second.
type SaveSink interface {
	Saved(data []byte) // at most 64 KiB, the receiver's to keep
}

// SegmentSink is a Sink that also wants the proof of what is played: a second of it
// about a quarter of a second after it ended, and now and then a state. A worker with a
// snapshot file makes them of every app that app.Open can run.
type SegmentSink interface {
	// Segment is given each second of play once; it is the receiver's to keep.
	// Numbers rise over all workers that share a snapshot file. The last second
	// before a stop may be short; that of a worker that was killed is lost.
	Segment(segment.Second)
	// State tells that read gives the state that a second began with, in the form
	// that segment.Keeper.State takes: when play begins or goes on after a worker's
	// end, and each segment.StateEvery seconds. Read copies some MiB, so it is not for
	// the sink's goroutine; about ten seconds later it fails, since another state has
	// taken the place.
	State(number uint32, read func() ([]byte, error))
}

// Info describes a worker that is ready to run.
type Info struct {
	PID           int    `json:"pid"`
	ABI           string `json:"abi"`
	Width         int    `json:"width"` // px
	Height        int    `json:"height"`
	FPS           int    `json:"fps"`
	AudioRate     int    `json:"audio_rate"` // Hz, 0 without sound
	AudioChannels int    `json:"audio_channels"`
	Seats         int    `json:"seats"`
	Pointer       bool   `json:"pointer"`
	PointerLock   bool   `json:"pointer_lock"`
	Encoder       string `json:"encoder"`
	// Restored tells that the app goes on from a snapshot, at Tick.
	Restored bool   `json:"restored"`
	Tick     uint64 `json:"tick"`
	// Hardening lists what shuts the process in on this system, for doctor.
	Hardening []string `json:"hardening"`
	Start     Startup  `json:"start"`
}

// Startup is how long each part of a worker's start took. Spawn is measured by the
// parent: from Start until the child read its first message.
type Startup struct {
	Spawn   time.Duration `json:"spawn"`
	Module  time.Duration `json:"module"`  // read, hash, compile or load, instantiate
	Restore time.Duration `json:"restore"` // from the snapshot, 0 without
	Encoder time.Duration `json:"encoder"` // open and code one picture
}

// AccessUnit is one coded picture: H.264 Annex B, one slice, constrained baseline.
type AccessUnit struct {
	Data []byte // valid during the call only
	Key  bool   // an IDR picture with its parameter sets
	Tick uint64 // the app's tick that drew it
	// PTS is when the tick began, since the worker's first one. Pauses count.
	PTS time.Duration
	// Acked is the sequence number of the newest input message that the tick saw,
	// by seat; 0 where there was none.
	Acked [Seats]uint32
}

// AudioPacket is one Opus packet, 48 kHz stereo.
type AudioPacket struct {
	Data     []byte        // valid during the call only
	PTS      time.Duration // on the clock of AccessUnit.PTS
	Duration time.Duration // 10 ms
}

// Stats are the figures of about one second of running. Durations are medians per
// picture unless they say otherwise.
type Stats struct {
	Tick     uint64        `json:"tick"`
	FPS      float64       `json:"fps"` // pictures sent per second
	Draw     time.Duration `json:"draw"`
	Convert  time.Duration `json:"convert"`
	Encode   time.Duration `json:"encode"`
	Send     time.Duration `json:"send"`
	Audio    time.Duration `json:"audio"`
	Worst    time.Duration `json:"worst"`    // the longest tick, from wake-up until the picture had left
	Jitter   time.Duration `json:"jitter"`   // the latest wake-up after its tick was due
	Snapshot time.Duration `json:"snapshot"` // the last one's cost, 0 if none was taken
	Proof    time.Duration `json:"proof"`    // recording the proof, in all
	Shift    time.Duration `json:"shift"`    // how far ShiftTick moved the ticks in all
	Bytes    int           `json:"bytes"`    // of video in the second
	Frames   int           `json:"frames"`   // pictures sent
	Skipped  int           `json:"skipped"`  // pictures the encoder left out to hold the bitrate
	Dropped  int           `json:"dropped"`  // pictures not coded because the pipe was not empty
	Late     int           `json:"late"`     // ticks left out, or not coded, because the one before took too long
	RSS      int64         `json:"rss"`      // resident memory of the process, bytes; 0 if unknown
}
