package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/store"
)

const (
	openTime    = 30 * time.Second // of this machine, to compile the app and start it
	trialTime   = 10 * time.Second // of this machine, for the app to show itself
	trialSecs   = 2                // of the app's own time
	pictureSide = 640              // px; larger frames are halved until they fit
)

// ErrTrial is wrapped by why an app that was added did not run.
var ErrTrial = errors.New("node: the app does not run")

// AddApp tries an app for two seconds of its own time, takes its catalogue picture
// when none is given, and stores it. Nothing is stored of an app that does not run.
func AddApp(ctx context.Context, st *store.Store, code []byte, m store.Manifest, picture []byte) (store.App, app.Info, error) {
	if err := app.Check(code); err != nil {
		return store.App{}, app.Info{}, err
	}
	info, last, err := try(ctx, code)
	if err != nil {
		return store.App{}, info, err
	}
	if picture == nil {
		if picture, err = snapshotPNG(last); err != nil {
			return store.App{}, info, err
		}
	}
	a, err := st.Add(code, m, picture)
	return a, info, err
}

// try runs an app for trialSecs and returns the last frame, a copy. The caller's end of
// ctx is no fault of the app and comes back as it is.
func try(ctx context.Context, code []byte) (app.Info, app.Frame, error) {
	opening, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	rt, err := app.Open(opening, code, app.Options{Seed: 1, Deadline: true})
	if err != nil {
		return app.Info{}, app.Frame{}, because(ctx, err, fmt.Sprintf("its start did not end within %v", openTime))
	}
	defer rt.Close(context.WithoutCancel(ctx))
	info := rt.Info()
	ticking, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	var last app.Frame
	for i := range trialSecs * info.FPS {
		in := app.Input{Tick: uint64(i)}
		in.Seats[0].Flags = app.SeatConnected
		if last, _, err = rt.Tick(ticking, &in); err != nil {
			return info, app.Frame{}, because(ctx, fmt.Errorf("tick %d: %w", i, err),
				fmt.Sprintf("%d s of its own time took more than %v, in tick %d", trialSecs, trialTime, i))
		}
	}
	last.Pix = bytes.Clone(last.Pix) // the runtime's memory goes with it
	return info, last, nil
}

// because makes ErrTrial of why an app failed; slow says so in words when it was time.
func because(ctx context.Context, err error, slow string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, app.ErrTooLong):
		return fmt.Errorf("%w: %w: %s; look for a loop that does not end", ErrTrial, app.ErrTooLong, slow)
	}
	return fmt.Errorf("%w: %w", ErrTrial, err)
}

// snapshotPNG makes a picture of a frame, at most pictureSide wide or high. It drops
// rows and columns rather than mixing them: games draw pixels.
func snapshotPNG(f app.Frame) ([]byte, error) {
	step := 1
	for f.Width/step > pictureSide || f.Height/step > pictureSide {
		step++
	}
	im := image.NewRGBA(image.Rect(0, 0, f.Width/step, f.Height/step))
	for y := range im.Rect.Dy() {
		for x := range im.Rect.Dx() {
			src := f.Pix[y*step*f.Stride+x*step*4:]
			dst := im.Pix[im.PixOffset(x, y):]
			dst[0], dst[1], dst[2], dst[3] = src[0], src[1], src[2], 255
		}
	}
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, im)
	return b.Bytes(), err
}
