// Command mkgames builds the modules of gpu/app/games and takes their
// catalogue pictures by playing them. Run it with go generate from there;
// with names as arguments it does only those.
package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games/build"
	"github.com/framemesh/framemesh/gpu/app/games/internal/cabinet"
)

// maxPicture bounds a catalogue picture, in bytes.
const maxPicture = 150 << 10

// shots says at which tick of the app's own attract mode its picture is taken.
var shots = map[string]int{
	"novareef":    4320,
	"cometcup":    300,
	"latency":     30,
	"latency-30":  30,
	"latency-720": 30,
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if err := build.Check(ctx); err != nil {
		return err
	}
	if len(names) == 0 {
		for name := range shots {
			names = append(names, name)
		}
	}
	for _, name := range names {
		out := filepath.Join(name, "module.wasm")
		if err := build.Module(ctx, name, out); err != nil {
			return err
		}
		size, err := photograph(ctx, name, out)
		if err != nil {
			return fmt.Errorf("mkgames: %s: %w", name, err)
		}
		fmt.Printf("%-12s picture %d KiB\n", name, size>>10)
	}
	return nil
}

func photograph(ctx context.Context, name, module string) (int, error) {
	bytesOf, err := os.ReadFile(module)
	if err != nil {
		return 0, err
	}
	c, err := cabinet.Open(ctx, bytesOf, app.Options{Seed: 7})
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	c.In.WallMS = 1_700_000_000_000
	if err := c.Run(ctx, shots[name]); err != nil {
		return 0, err
	}
	var buf bytes.Buffer
	if err := encode(&buf, c.Picture()); err != nil {
		return 0, err
	}
	return buf.Len(), os.WriteFile(filepath.Join(name, "picture.png"), buf.Bytes(), 0o644)
}

// encode writes a picture at full depth if that is small enough, else with
// fewer bits per channel until it is, so that soft glows do not bloat it.
func encode(buf *bytes.Buffer, frame *image.RGBA) error {
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	small := frame
	if frame.Rect.Dx() > 640 {
		small = image.NewRGBA(image.Rect(0, 0, 640, 360))
		for y := range 360 {
			for x := range 640 {
				small.SetRGBA(x, y, frame.RGBAAt(x*frame.Rect.Dx()/640, y*frame.Rect.Dy()/360))
			}
		}
	}
	for drop := range 5 {
		buf.Reset()
		out := image.NewRGBA(small.Rect)
		mask := uint8(0xff) << drop
		for i := range out.Pix {
			out.Pix[i] = small.Pix[i] & mask
			if i&3 == 3 {
				out.Pix[i] = 0xff
			}
		}
		if err := enc.Encode(buf, out); err != nil {
			return err
		}
		if buf.Len() <= maxPicture {
			return nil
		}
	}
	return fmt.Errorf("picture of %d bytes is larger than %d", buf.Len(), maxPicture)
}
