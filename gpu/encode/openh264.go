//go:build cgo

package encode

import (
	"fmt"
	"image"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/openh264"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

func init() {
	kinds = append(kinds, Kind{Name: "openh264", Codec: "h264", open: openOpenH264})
}

// openH264 is Cisco's encoder, compiled in. One thread and one slice: at the sizes
// of a software session more threads cost more than they save.
type openH264 struct {
	engine  codec.ReadCloser
	control codec.EncoderController
	picture *Picture
	image   image.YCbCr
	budget  budget
	key     bool // the next picture must be one
	closed  bool
}

var _ Video = (*openH264)(nil)

// maxRate is the most bit/s that openh264 gets for a size: 4 bits per pixel. Told to
// spend 10, it quantises so finely that a noisy picture outgrows its buffers, and
// fails; more than 4 nobody sees.
func maxRate(width, height, fps int) int { return max(4*width*height*fps, minBitrate) }

func openOpenH264(o Options) (Video, error) {
	o.Bitrate = min(o.Bitrate, maxRate(o.Width, o.Height, o.FPS))
	picture, err := NewPicture(o.Width, o.Height)
	if err != nil {
		return nil, err
	}
	e := &openH264{picture: picture, budget: newBudget(o.Bitrate, o.FPS)}
	params, err := openh264.NewParams()
	if err != nil {
		return nil, fmt.Errorf("encode: openh264: %w", err)
	}
	params.BitRate = o.Bitrate
	params.IntraPeriod = 0 // no key frames but those asked for
	params.UsageType = openh264.CameraVideoRealTime
	params.RCMode = openh264.RCBitrateMode
	// Its own frame skip overshoots to twice the rate and then freezes for up to half a
	// second; budget leaves out single pictures instead.
	params.EnableFrameSkip = false
	params.SliceMode, params.SliceNum, params.MultipleThreadIdc = openh264.SMSingleSlice, 1, 1
	e.engine, err = params.BuildVideoEncoder(
		video.ReaderFunc(func() (image.Image, func(), error) { return &e.image, func() {}, nil }),
		prop.Media{Video: prop.Video{Width: o.Width, Height: o.Height, FrameRate: float32(o.FPS), FrameFormat: frame.FormatI420}})
	if err != nil {
		return nil, fmt.Errorf("encode: openh264: %w", err)
	}
	e.control = e.engine.Controller()
	e.image = image.YCbCr{
		YStride: o.Width, CStride: o.Width / 2, SubsampleRatio: image.YCbCrSubsampleRatio420,
		Rect: image.Rect(0, 0, o.Width, o.Height),
	}
	return e, nil
}

func (e *openH264) Encode(f Frame) (AccessUnit, error) {
	if !e.key && e.budget.full() {
		e.budget.spend(0)
		return AccessUnit{}, nil // before the conversion, which would be for nothing
	}
	if err := e.picture.Convert(f); err != nil {
		return AccessUnit{}, err
	}
	return e.code(e.picture)
}

func (e *openH264) EncodePicture(p *Picture) (AccessUnit, error) {
	if p.Width != e.picture.Width || p.Height != e.picture.Height {
		return AccessUnit{}, fmt.Errorf("%w: %d×%d into an encoder of %d×%d", ErrSize, p.Width, p.Height, e.picture.Width, e.picture.Height)
	}
	if !e.key && e.budget.full() {
		e.budget.spend(0)
		return AccessUnit{}, nil
	}
	return e.code(p)
}

func (e *openH264) code(p *Picture) (AccessUnit, error) {
	if e.closed {
		return AccessUnit{}, ErrClosed
	}
	if e.key {
		if err := e.control.(codec.KeyFrameController).ForceKeyFrame(); err != nil {
			return AccessUnit{}, fmt.Errorf("encode: openh264 key frame: %w", err)
		}
	}
	e.image.Y, e.image.Cb, e.image.Cr = p.Y, p.Cb, p.Cr
	data, release, err := e.engine.Read()
	if err != nil {
		return AccessUnit{}, fmt.Errorf("encode: openh264: %w", err)
	}
	release()
	e.budget.spend(len(data))
	u := AccessUnit{Data: data, Key: hasIDR(data)}
	if u.Key {
		e.key = false
	}
	return u, nil
}

func (e *openH264) SetBitrate(bps int) error {
	if e.closed {
		return ErrClosed
	}
	bps = min(max(bps, minBitrate), maxRate(e.picture.Width, e.picture.Height, e.budget.fps))
	if bps == e.budget.rate {
		return nil
	}
	e.budget.rate = bps
	if err := e.control.(codec.BitRateController).SetBitRate(bps); err != nil {
		return fmt.Errorf("encode: openh264 bitrate: %w", err)
	}
	return nil
}

func (e *openH264) ForceKeyframe() { e.key = true }

func (e *openH264) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	return e.engine.Close()
}
