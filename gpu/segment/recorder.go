package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/framemesh/framemesh/gpu/app"
)

// A picture is sampled by strips of stripSize bytes (128 pixels): strips of them for
// each tick, at places that nobody knows before the tick's inputs are known.
const (
	strips    = 16
	stripSize = 512
)

// Recorder watches a running app and gives the Roots of each second. It is not safe
// for concurrent use.
//
// Call Tick after each tick, and Skip for ticks that were left out. Once Full says
// so, Cut ends the second; its hashing is then spread over the next ticks by Work,
// which returns the second when it is done. Flush does both at once.
type Recorder struct {
	rt     app.Viewer
	fps    uint32
	wants  bool // wall clock
	seats  *Seats
	params [32]byte

	tree  tree
	rest  []byte // reused
	start [32]byte

	// The second being played.
	now    Second
	slots  uint32
	leaves [][32]byte
	chain  [32]byte
	frame  hash.Hash
	audio  hash.Hash
	pcm    []byte

	// The second that ended and is still being hashed.
	done    Second
	pending bool
	ended   struct{ rest, seats, ticks [32]byte }
	budget  int // pages per call of Work
}

// NewRecorder begins with the app as it is, before its next tick. Seats are the ones
// whose Tick gives the app's inputs; they stay the caller's. Number is of the first
// second, and restored says that the app is not at its beginning. It hashes all
// memory once: about a millisecond for 2 MiB.
func NewRecorder(rt app.Runtime, p Params, seats *Seats, number uint32, restored bool) (*Recorder, error) {
	v, ok := rt.(app.Viewer)
	if !ok {
		return nil, ErrRuntime
	}
	info := rt.Info()
	if info.FPS < 1 || info.FPS > MaxTicks {
		return nil, fmt.Errorf("%w: %d ticks a second", ErrRuntime, info.FPS)
	}
	r := &Recorder{rt: v, fps: uint32(info.FPS), wants: info.WallClock, seats: seats, params: p.Digest(),
		frame: sha256.New(), audio: sha256.New()}
	if err := r.freeze(); err != nil {
		return nil, err
	}
	r.tree.work(len(r.tree.dirty))
	r.start = stateRoot(r.params, r.tree.root(), r.ended.rest, r.ended.seats)
	r.begin(number, rt.NextTick())
	r.now.Restored = restored
	return r, nil
}

// Start is the state root that the second being played began with; while the one
// before is still being hashed it is that one's.
func (r *Recorder) Start() [32]byte { return r.start }

// begin starts the next second.
func (r *Recorder) begin(number uint32, tick uint64) {
	r.now = Second{Number: number, Tick: tick, Events: r.now.Events[:0], Wall: r.now.Wall[:0]}
	if !r.wants {
		r.now.Wall = nil
	} else if r.now.Wall == nil {
		r.now.Wall = make([]int64, 0, r.fps)
	}
	r.leaves = r.leaves[:0]
	b := append([]byte("framemesh/segment/frame/1\x00"), r.params[:]...)
	r.chain = sha256.Sum256(binary.LittleEndian.AppendUint32(b, number))
	b = append([]byte("framemesh/segment/audio/1\x00"), r.params[:]...)
	r.audio.Reset()
	r.audio.Write(binary.LittleEndian.AppendUint32(b, number))
}

// Room is how many more events the second being played can hold. Events beyond it
// must not be applied.
func (r *Recorder) Room() int { return MaxEvents - len(r.now.Events) }

// Tick notes a tick that was run: its input as the app got it, the events that were
// applied before it, its picture and its sound.
func (r *Recorder) Tick(in *app.Input, events []Event, f app.Frame, pcm []int16) {
	at := uint16(r.now.Roots.Ticks)
	for i := range events {
		if r.Room() == 0 || !events[i].valid() {
			break // the caller broke the rule of Room: an audit will say so
		}
		e := events[i]
		e.Tick = at
		r.now.Events = append(r.now.Events, e)
	}
	if r.wants {
		r.now.Wall = append(r.now.Wall, in.WallMS)
	}
	leaf := inputLeaf(in, r.wants)
	r.leaves = append(r.leaves, leaf)
	r.picture(&leaf, f)
	r.sound(pcm)
	r.now.Roots.Ticks++
	r.slots++
}

// inputLeaf is the leaf of what the app was really told.
func inputLeaf(in *app.Input, wall bool) [32]byte {
	var block [app.InputSize]byte
	in.MarshalTo(block[:])
	if !wall {
		clear(block[8:16])
	}
	return InputLeaf(in.Tick, block[:])
}

// picture moves the chain of pictures on: what is looked at depends on the tick's
// input and on all pictures of the second before it.
func (r *Recorder) picture(leaf *[32]byte, f app.Frame) {
	var b [64]byte
	copy(b[:], r.chain[:])
	copy(b[32:], leaf[:])
	seed := sha256.Sum256(b[:])
	h := r.frame
	h.Reset()
	h.Write(seed[:])
	le := binary.LittleEndian
	le.PutUint16(b[:], uint16(f.Width))
	le.PutUint16(b[2:], uint16(f.Height))
	h.Write(b[:4])
	row := 4 * f.Width
	total := row * f.Height
	n := (total + stripSize - 1) / stripSize
	for k := range strips {
		at := int(uint64(le.Uint16(seed[2*k:])) * uint64(n) >> 16 * stripSize)
		at = max(min(at, total-stripSize), 0)
		for left := min(stripSize, total); left > 0; {
			part := min(left, row-at%row)
			h.Write(f.Pix[at/row*f.Stride+at%row:][:part])
			at, left = at+part, left-part
		}
	}
	h.Sum(r.chain[:0])
}

// sound adds the number of samples and the samples, little-endian.
func (r *Recorder) sound(pcm []int16) {
	b := binary.LittleEndian.AppendUint32(r.pcm[:0], uint32(len(pcm)))
	for _, v := range pcm {
		b = append(b, byte(v), byte(v>>8))
	}
	r.pcm = b
	r.audio.Write(b)
}

// Skip notes n ticks that were left out because the machine was too slow. A longer
// standstill than a second counts as one second: the rest of it was no play.
func (r *Recorder) Skip(n int) { r.slots += uint32(min(max(n, 0), int(r.fps))) }

// Full says that the second being played has had all its slots and wants a Cut.
func (r *Recorder) Full() bool { return r.slots >= r.fps }

// Played says whether the second being played has had a slot.
func (r *Recorder) Played() bool { return r.slots > 0 }

// freeze takes note of the app's state as it is now.
func (r *Recorder) freeze() error {
	mem, rest, err := r.rt.View(r.rest[:0])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRuntime, err)
	}
	r.rest = rest
	r.ended.rest = sha256.Sum256(rest)
	var seats [SeatsSize]byte
	r.ended.seats = sha256.Sum256(r.seats.Append(seats[:0]))
	r.tree.mark(mem)
	return nil
}

// Cut ends the second being played, between two ticks, and begins the next. It
// compares all memory with its copy, which is the longest that the Recorder ever
// takes at once. The second before must have been returned by Work or Flush.
func (r *Recorder) Cut() error {
	if r.pending {
		return fmt.Errorf("%w: the second before is not finished", ErrRuntime)
	}
	if err := r.freeze(); err != nil {
		return err
	}
	r.done, r.pending = r.now, true
	r.done.Events = append([]Event(nil), r.now.Events...)
	if r.wants {
		r.done.Wall = append([]int64{}, r.now.Wall...)
	}
	r.done.Start = r.start
	r.done.Roots.Frame = r.chain
	r.audio.Sum(r.done.Roots.Audio[:0])
	r.done.TickRoot = TickRoot(r.leaves)
	// Done in a quarter of a second, however much there is.
	r.budget = max(16, len(r.tree.dirty)*4/int(r.fps)+1)
	r.slots -= min(r.slots, r.fps)
	r.begin(r.done.Number+1, r.done.Tick+uint64(r.done.Roots.Ticks))
	return nil
}

// Work hashes a part of the second that was cut, a few hundred KiB at most for games
// of common size, and returns the second when it is finished. The slices are the
// caller's to keep.
func (r *Recorder) Work() (Second, bool) {
	if !r.pending || !r.tree.work(r.budget) {
		return Second{}, false
	}
	r.done.Roots.State = stateRoot(r.params, r.tree.root(), r.ended.rest, r.ended.seats)
	r.done.Roots.Input = r.done.InputRoot()
	r.start = r.done.Roots.State
	r.pending = false
	return r.done, true
}

// Flush finishes the second that was cut.
func (r *Recorder) Flush() (Second, bool) {
	r.budget = len(r.tree.dirty) + 1
	return r.Work()
}

// Second cuts and finishes at once.
func (r *Recorder) Second() (Second, error) {
	if err := r.Cut(); err != nil {
		return Second{}, err
	}
	s, _ := r.Flush()
	return s, nil
}

// Number is the number of the second being played.
func (r *Recorder) Number() uint32 { return r.now.Number }
