// Package cell is the challenge that shows a picture to be drawn and coded now: a strip of
// grey cells that spells a code, which only who has just heard a nonce can know. A player
// says a nonce on the control channel, the worker draws the strip into its next two coded
// pictures, and a player that reads pictures finds it there. See docs/spec/quality.md.
//
// The package only computes: it knows neither clocks nor connections.
package cell

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// What a strip is made of.
const (
	Bits   = 32 // cells, the code's highest bit first
	Side   = 16 // px of a cell, which is a macroblock of H.264
	Frames = 2  // coded pictures that show it

	dark, bright = 64, 160 // luma of a 0 and of a 1
	middle       = (dark + bright) / 2
	sure         = 16 // least distance of a cell's mean from the middle
	slack        = 2  // cells that may be read wrong
	inset        = 4  // px of a cell's border that are not read
)

// NonceSize is the length of a nonce in bytes.
const NonceSize = 8

const domain = "framemesh/cell/1"

// Code is what a strip spells: the first 32 bits of HMAC-SHA256 over the nonce, with a key
// that both ends of the session have (the owner's token).
func Code(key []byte, nonce [NonceSize]byte) uint32 {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(domain))
	m.Write(nonce[:])
	return binary.BigEndian.Uint32(m.Sum(nil))
}

// Luma is a picture's luma plane: rows of Width bytes, Stride bytes apart.
type Luma struct {
	Y             []byte
	Width, Height int
	Stride        int // ≥ Width
}

// maxSide bounds a picture, so that no product of its sides overflows.
const maxSide = 1 << 15

// whole says whether the plane is all there.
func (l Luma) whole() bool {
	return l.Width > 0 && l.Height > 0 && l.Width <= l.Stride && l.Stride <= maxSide && l.Height <= maxSide &&
		len(l.Y) >= l.Stride*(l.Height-1)+l.Width
}

// valid says whether the plane is all there and large enough for a strip.
func (l Luma) valid() bool { return l.whole() && Fits(l.Width, l.Height) }

// layout is how many cells stand in a row and where the first row begins. The strip lies on
// the grid of macroblocks next to the picture's lower edge, in as many rows as it takes; ok
// is false for a picture of which it would take more than a quarter.
func layout(width, height int) (perRow, top int, ok bool) {
	perRow = min(width/Side, Bits)
	if perRow <= 0 {
		return 0, 0, false
	}
	rows := (Bits + perRow - 1) / perRow
	top = (height/Side - rows) * Side
	return perRow, top, rows*Side*4 <= height
}

// Fits says whether a picture of this size can carry a strip.
func Fits(width, height int) bool {
	_, _, ok := layout(width, height)
	return ok
}

// Draw puts a strip into a picture in place: its luma, and its chroma planes of half the
// width and height without padding. It reports false, and draws nothing, where none fits.
func Draw(l Luma, cb, cr []byte, code uint32) bool {
	if !l.valid() || len(cb) < l.Width/2*(l.Height/2) || len(cr) < len(cb) {
		return false
	}
	perRow, top, _ := layout(l.Width, l.Height)
	for i := range Bits {
		v := byte(dark)
		if code>>(Bits-1-i)&1 != 0 {
			v = bright
		}
		x, y := i%perRow*Side, top+i/perRow*Side
		for r := range Side {
			fill(l.Y[(y+r)*l.Stride+x:][:Side], v)
		}
		for r := range Side / 2 {
			at := (y/2+r)*(l.Width/2) + x/2
			fill(cb[at:][:Side/2], 128)
			fill(cr[at:][:Side/2], 128)
		}
	}
	return true
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// Read spells what a strip in the picture would say. ok is false where some cell is neither
// dark nor bright, so that there is no strip.
func Read(l Luma) (code uint32, ok bool) {
	if !l.valid() {
		return 0, false
	}
	perRow, top, _ := layout(l.Width, l.Height)
	unsure := 0
	for i := range Bits {
		x, y := i%perRow*Side, top+i/perRow*Side
		sum := 0
		for r := inset; r < Side-inset; r++ {
			for _, v := range l.Y[(y+r)*l.Stride+x+inset:][:Side-2*inset] {
				sum += int(v)
			}
		}
		mean := sum / ((Side - 2*inset) * (Side - 2*inset))
		code <<= 1
		if mean > middle {
			code |= 1
		}
		if mean > middle-sure && mean < middle+sure {
			unsure++
		}
	}
	return code, unsure <= slack
}

// Matches says whether what was read is the code, but for a cell or two. By chance it is so
// once in eight million pictures.
func Matches(read, code uint32) bool { return bits.OnesCount32(read^code) <= slack }

// Hash is a perceptual hash of 64 bits: a grid of 9×8 means of luma, a bit for each two
// neighbours in a row, set where the left one is brighter by more than a coder's noise. It
// is 0 for a picture that is too small.
func Hash(l Luma) uint64 {
	const cols, rows, noise = 9, 8, 2
	if !l.whole() || l.Width < cols || l.Height < rows {
		return 0
	}
	var h uint64
	for r := range rows {
		y0, y1 := r*l.Height/rows, (r+1)*l.Height/rows
		var mean [cols]int
		for c := range cols {
			x0, x1 := c*l.Width/cols, (c+1)*l.Width/cols
			sum := 0
			for y := y0; y < y1; y++ {
				for _, v := range l.Y[y*l.Stride+x0 : y*l.Stride+x1] {
					sum += int(v)
				}
			}
			mean[c] = sum / ((y1 - y0) * (x1 - x0))
		}
		for c := range cols - 1 {
			h <<= 1
			if mean[c] > mean[c+1]+noise {
				h |= 1
			}
		}
	}
	return h
}

// Distance is in how many bits two hashes differ.
func Distance(a, b uint64) int { return bits.OnesCount64(a ^ b) }
