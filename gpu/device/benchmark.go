package device

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/framemesh/framemesh/gpu/encode"
)

// Report is what a benchmark process writes: one JSON object.
type Report struct {
	Cost    Cost   `json:"cost"`
	Encoder string `json:"encoder,omitempty"`
	Error   string `json:"error,omitempty"`
}

const (
	benchWidth, benchHeight = 640, 360
	warmUp                  = 15
	measured                = 60
	benchLimit              = 900 * time.Millisecond
)

// Serve runs the benchmark in this process and writes its Report. It is what
// `framemesh worker bench` does; Measure calls that.
func Serve(w io.Writer) error {
	r, err := benchmark()
	if err != nil {
		r.Error = err.Error()
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("device: write report: %w", err)
	}
	return nil
}

// benchmark draws, converts and codes pictures as fast as it can for less than a
// second and returns the mean processor time of each part. Processor time and not
// the clock's, because a machine that is busy at start is not a slow one.
func benchmark() (Report, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	kinds := encode.Encoders()
	name := ""
	if len(kinds) > 0 {
		name = kinds[0].Name
	}
	v, err := encode.Open(encode.Options{Width: benchWidth, Height: benchHeight, FPS: referenceFPS, Bitrate: 4_000_000, Name: name})
	if err != nil {
		return Report{}, err
	}
	defer v.Close()
	p, err := encode.NewPicture(benchWidth, benchHeight)
	if err != nil {
		return Report{}, err
	}
	pix := make([]byte, 4*benchWidth*benchHeight)
	f := encode.Frame{Pix: pix, Width: benchWidth, Height: benchHeight, Stride: 4 * benchWidth}
	var c Cost
	n := 0
	start := time.Now()
	for i := 0; i < warmUp+measured && (n == 0 || time.Since(start) < benchLimit); i++ {
		t0 := processorTime()
		scene(pix, i)
		t1 := processorTime()
		if err := p.Convert(f); err != nil {
			return Report{}, err
		}
		t2 := processorTime()
		if _, err := v.EncodePicture(p); err != nil {
			return Report{}, err
		}
		t3 := processorTime()
		if i >= warmUp {
			c.Draw, c.Convert, c.Encode = c.Draw+t1-t0, c.Convert+t2-t1, c.Encode+t3-t2
			n++
		}
	}
	d := time.Duration(n)
	return Report{Cost: Cost{c.Draw / d, c.Convert / d, c.Encode / d}, Encoder: name}, nil
}

// scene draws picture n of the reference session: a landscape of tiles that
// scrolls by, and sixty moving things on it.
func scene(pix []byte, n int) {
	const stride = 4 * benchWidth
	for y := range benchHeight {
		row := pix[y*stride:][:stride:stride]
		for x := range benchWidth {
			wx := x + 2*n
			v := byte((wx>>5^y>>5)*24) + byte(wx&y&15)
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = v, v/2+byte(y>>2), byte(x>>2), 255
		}
	}
	for k := range 60 {
		cx, cy := (k*97+n*(1+k%5))%(benchWidth-32), (k*53+n*(k%3))%(benchHeight-32)
		for y := cy; y < cy+24; y++ {
			row := pix[y*stride+4*cx:][:96:96]
			for i := 0; i < 96; i += 4 {
				row[i], row[i+1], row[i+2] = byte(k*40), byte(255-k*3), byte(i+y)
			}
		}
	}
}
