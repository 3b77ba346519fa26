//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && (amd64 || arm64)) || (windows && amd64))

package decode

/*
#include "openh264.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/framemesh/framemesh/gpu/cell"

	// Its library holds the decoder beside the encoder that this package has no use for.
	_ "github.com/pion/mediadevices/pkg/codec/openh264"
)

// openH264 is Cisco's decoder.
type openH264 struct {
	d *C.fm_decoder
}

var _ Decoder = (*openH264)(nil)

// Open opens a decoder.
func Open() (Decoder, error) {
	d := C.fm_decoder_open()
	if d == nil {
		return nil, fmt.Errorf("%w: it does not initialise", ErrNoDecoder)
	}
	return &openH264{d}, nil
}

func (o *openH264) Decode(au []byte) (l cell.Luma, ok bool, err error) {
	if o.d == nil {
		return l, false, ErrClosed
	}
	if len(au) == 0 {
		return l, false, nil
	}
	var p C.fm_plane
	state := C.fm_decoder_decode(o.d, (*C.uchar)(unsafe.Pointer(&au[0])), C.int(len(au)), &p)
	w, h, stride := int(p.width), int(p.height), int(p.stride)
	if p.y == nil {
		if state != 0 {
			return l, false, fmt.Errorf("%w: state %#x", ErrStream, int(state))
		}
		return l, false, nil
	}
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide || stride < w {
		return l, false, fmt.Errorf("%w: a picture of %d×%d", ErrStream, w, h)
	}
	l = cell.Luma{Y: unsafe.Slice((*byte)(unsafe.Pointer(p.y)), stride*(h-1)+w), Width: w, Height: h, Stride: stride}
	return l, true, nil
}

func (o *openH264) Close() error {
	if o.d != nil {
		C.fm_decoder_close(o.d)
		o.d = nil
	}
	return nil
}
