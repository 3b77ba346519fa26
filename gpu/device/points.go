package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/gpu/kernel/webgpu"
)

// Points is what one backend of the proof kernel does on this machine.
type Points struct {
	Backend string `json:"backend"` // go or webgpu
	Device  string `json:"device"`
	Kernel  string `json:"kernel"`
	// MilliRP are RenderPoints in thousandths: those of the median of Windows.
	MilliRP uint64 `json:"milli_rp"`
	// Windows are the rates of the three windows, samples/s, and Class the size class
	// of a round of ten seconds at the median of them.
	Windows [3]uint64 `json:"windows"`
	Class   int       `json:"class"`
	// Error says why the machine has no such backend, and what to try.
	Error string `json:"error,omitempty"`
}

const (
	pointsWindow   = 300 * time.Millisecond
	pointsPatience = 60 * time.Second
	roundMS        = 10_000
)

// RatePoints renders three windows on b and takes the median rate. The clock runs from
// the begin of a window's first frame to the end of its last one.
func RatePoints(ctx context.Context, b kernel.Backend, window time.Duration) (Points, error) {
	p := Points{Backend: b.Name(), Device: b.Device(), Kernel: kernel.Name}
	// a frame of the smallest class, and one of a class that fits what that showed, so
	// that no window begins with a cold device
	class := 0
	for range 3 {
		rate, err := renderFor(ctx, b, class, window/10)
		if err != nil {
			return p, err
		}
		class = kernel.Class(rate, uint64(8*window.Milliseconds()))
	}
	for i := range p.Windows {
		rate, err := renderFor(ctx, b, class, window)
		if err != nil {
			return p, err
		}
		p.Windows[i] = rate
	}
	sorted := p.Windows
	slices.Sort(sorted[:])
	p.MilliRP, p.Class = kernel.RP(sorted[1], time.Second), kernel.Class(sorted[1], roundMS)
	return p, nil
}

// renderFor renders frames of a class until the window is over, at least one, and
// returns the rate in samples/s.
func renderFor(ctx context.Context, b kernel.Backend, class int, window time.Duration) (uint64, error) {
	size := kernel.Sizes()[class]
	out := make([]uint32, size.Words())
	began := time.Now()
	frames := uint64(0)
	for frames == 0 || time.Since(began) < window {
		if err := b.Render(ctx, size, kernel.Next([32]byte{}, [32]byte{}, [32]byte{}, uint32(frames)), out); err != nil {
			return 0, fmt.Errorf("device: render points on %s: %w", b.Device(), err)
		}
		frames++
	}
	took := max(time.Since(began), time.Microsecond)
	return frames * size.Samples() * uint64(time.Second/time.Microsecond) / uint64(took.Microseconds()), nil
}

// ServePoints measures every backend in this process and writes a list of Points as
// JSON. It is what `framemesh worker points` does; MeasurePoints calls that, so that a
// graphics driver that crashes takes nothing along.
func ServePoints(w io.Writer) error {
	var list []Points
	twin := kernel.CPU(0)
	defer twin.Close()
	err := kernel.Check(twin)
	list = append(list, served(twin, err))
	card, err := webgpu.Open(nil)
	if err != nil {
		list = append(list, Points{Backend: "webgpu", Kernel: kernel.Name, Error: err.Error()})
	} else {
		defer card.Close()
		list = append(list, served(card, nil))
	}
	if err := json.NewEncoder(w).Encode(list); err != nil {
		return fmt.Errorf("device: write points: %w", err)
	}
	return nil
}

func served(b kernel.Backend, err error) Points {
	p := Points{Backend: b.Name(), Device: b.Device(), Kernel: kernel.Name}
	if err == nil {
		p, err = RatePoints(context.Background(), b, pointsWindow)
	}
	if err != nil {
		p.Error = err.Error()
	}
	return p
}

// MeasurePoints measures the proof kernel's backends in a process of its own: argv, or
// this binary's `worker points`. It returns one entry for each backend, those that
// this machine does not have with their Error, or ErrBenchmark.
func MeasurePoints(ctx context.Context, argv ...string) ([]Points, error) {
	if len(argv) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBenchmark, err)
		}
		argv = []string{self, "worker", "points"}
	}
	ctx, cancel := context.WithTimeout(ctx, pointsPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) // with our environment: it may name the driver
	out := limited{full: cancel}
	cmd.Stdout = &out
	err := cmd.Run()
	if out.over {
		return nil, fmt.Errorf("%w: render points wrote more than %d bytes", ErrBenchmark, maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: render points: %w; try `%s worker points` by hand: a graphics driver may have ended it", ErrBenchmark, err, argv[0])
	}
	return parsePoints(out.b)
}

// parsePoints reads what a measuring process wrote and refuses what none can write.
func parsePoints(b []byte) ([]Points, error) {
	var list []Points
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: render points: %w", ErrBenchmark, err)
	}
	bad := len(list) == 0 || len(list) > 8
	for _, p := range list {
		bad = bad || p.Kernel != kernel.Name || p.Backend == "" || p.Class < 0 || p.Class >= len(kernel.Sizes()) || (p.Error == "") != (p.MilliRP > 0)
	}
	if bad {
		return nil, errors.Join(ErrBenchmark, fmt.Errorf("device: the process reported %+v", list))
	}
	return list, nil
}
