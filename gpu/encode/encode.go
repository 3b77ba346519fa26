// Package encode turns an app's pictures into H.264 and its sound into Opus.
//
// Pictures leave as one access unit each, Annex B, constrained baseline, one slice,
// with no picture held back and no key frame but the first and those asked for. The
// source is the app's RGBA, which goes through a 4:2:0 conversion of this package
// ([Picture]).
//
// Colours are BT.601, limited range. The built-in encoder writes no colour
// description into its stream; decoders take an undescribed one of this size for
// BT.601, which is what a player shows right.
//
// Nothing here keeps time, starts a goroutine or does I/O. A Video or Audio belongs
// to one goroutine.
package encode

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoEncoder means that this build or machine has no encoder of the wanted name.
	ErrNoEncoder = errors.New("encode: no encoder")
	// ErrSize is a picture the encoders cannot take.
	ErrSize = errors.New("encode: picture size")
	// ErrClosed is the use of an encoder after Close.
	ErrClosed = errors.New("encode: closed")
)

// Frame is one picture as an app draws it: RGBA, 8 bits each, row 0 on top, alpha
// ignored.
type Frame struct {
	Pix           []byte
	Width, Height int // px, both even
	Stride        int // bytes from one row to the next, ≥ 4·Width
}

// Check says whether a frame's sizes fit its memory and the encoders.
func (f Frame) Check() error {
	if err := checkSides(f.Width, f.Height); err != nil {
		return err
	}
	if f.Stride < 4*f.Width || len(f.Pix) < f.Stride*(f.Height-1)+4*f.Width {
		return fmt.Errorf("%w: %d bytes with a stride of %d for %d×%d", ErrSize, len(f.Pix), f.Stride, f.Width, f.Height)
	}
	return nil
}

// AccessUnit is one coded picture.
type AccessUnit struct {
	// Data is Annex B, valid until the next Encode. It is empty when the encoder left
	// the picture out to hold its bitrate; the player goes on showing the last one.
	Data []byte
	Key  bool // an IDR picture with its parameter sets
}

// Video codes pictures.
type Video interface {
	// Encode converts and codes one picture. It may leave the picture out, but never a
	// key frame that was asked for.
	Encode(Frame) (AccessUnit, error)
	// EncodePicture codes a picture that was converted before, for callers who measure
	// the two apart. Its size is that of Options.
	EncodePicture(*Picture) (AccessUnit, error)
	// SetBitrate changes the target, bit/s, without a key frame.
	SetBitrate(bps int) error
	// ForceKeyframe makes the next picture an IDR picture.
	ForceKeyframe()
	Close() error
}

// Options say what a Video shall code.
type Options struct {
	Width, Height int    // px, even
	FPS           int    // nominal rate of Encode calls, 1..240
	Bitrate       int    // bit/s, from 50 000; 0 means 4 Mbit/s
	Name          string // of a Kind; empty means the first that opens
}

func (o Options) withDefaults() (Options, error) {
	if o.Bitrate == 0 {
		o.Bitrate = 4_000_000
	}
	if o.Bitrate < minBitrate || o.FPS < 1 || o.FPS > 240 {
		return o, fmt.Errorf("encode: %d bit/s at %d pictures a second is out of range", o.Bitrate, o.FPS)
	}
	return o, checkSides(o.Width, o.Height)
}

func checkSides(w, h int) error {
	if w < 16 || h < 16 || w > 4096 || h > 4096 || w%2 != 0 || h%2 != 0 {
		return fmt.Errorf("%w: %d×%d, need even sides from 16 to 4096", ErrSize, w, h)
	}
	return nil
}

const minBitrate = 50_000

// Kind is one sort of encoder, compiled in or found on the machine.
type Kind struct {
	Name     string // as in Options.Name and in a node's ad
	Codec    string // "h264"
	Hardware bool
	open     func(Options) (Video, error)
}

// kinds is filled by the files of the encoders, best first.
var kinds []Kind

// Encoders lists the kinds this build knows, best first. That one is listed does
// not mean it works here: see Probe.
func Encoders() []Kind { return append([]Kind(nil), kinds...) }

// Open opens the encoder of Options.Name, or the best that opens.
func Open(o Options) (Video, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var tried error
	for _, k := range kinds {
		if o.Name != "" && o.Name != k.Name {
			continue
		}
		v, err := k.open(o)
		if err == nil {
			return v, nil
		}
		tried = errors.Join(tried, fmt.Errorf("%s: %w", k.Name, err))
	}
	if tried != nil {
		return nil, fmt.Errorf("%w works here: %w", ErrNoEncoder, tried)
	}
	if o.Name != "" && len(kinds) > 0 {
		return nil, fmt.Errorf("%w is called %q; this build has %q", ErrNoEncoder, o.Name, kinds[0].Name)
	}
	return nil, fmt.Errorf("%w: %s", ErrNoEncoder, missing)
}

// missing says what to do about a build without encoders.
const missing = "openh264 was left out because this binary was built without cgo: install gcc and g++ (apt-get install gcc g++) and build again with CGO_ENABLED=1"

// Probed is what Probe found out about one kind.
type Probed struct {
	Kind Kind
	Cost time.Duration // to code one picture of 640×360 after the first
	Err  error         // nil when it coded a key frame
}

// Probe opens each kind and codes two pictures with it: an encoder counts when it
// codes, not when its name is found. now is the clock to measure with. openh264
// writes a warning or two to stderr when it opens, and a driver may do worse: a
// node calls this in a process of its own.
func Probe(ctx context.Context, now func() time.Time) []Probed {
	const w, h = 640, 360
	pix := make([]byte, 4*w*h)
	var out []Probed
	for _, k := range kinds {
		p := Probed{Kind: k, Err: ctx.Err()}
		if p.Err == nil {
			p.Cost, p.Err = k.probe(Frame{Pix: pix, Width: w, Height: h, Stride: 4 * w}, now)
		}
		out = append(out, p)
	}
	return out
}

func (k Kind) probe(f Frame, now func() time.Time) (time.Duration, error) {
	v, err := k.open(Options{Width: f.Width, Height: f.Height, FPS: 60, Bitrate: 2_000_000})
	if err != nil {
		return 0, err
	}
	defer v.Close()
	u, err := v.Encode(f)
	if err != nil {
		return 0, err
	}
	if !u.Key {
		return 0, fmt.Errorf("encode: %s began without a key frame", k.Name)
	}
	for i := range f.Pix {
		f.Pix[i] = byte(i * 7 >> 5)
	}
	start := now()
	if _, err := v.Encode(f); err != nil {
		return 0, err
	}
	return now().Sub(start), nil
}

// hasIDR reports whether an Annex B access unit holds an IDR slice.
func hasIDR(au []byte) bool {
	for i := 0; i+3 < len(au); i++ {
		if au[i] == 0 && au[i+1] == 0 && au[i+2] == 1 {
			switch au[i+3] & 31 {
			case 5:
				return true
			case 1:
				return false
			}
			i += 2
		}
	}
	return false
}
