package main

import (
	"context"
	"fmt"
	"image/png"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/framemesh/framemesh/gpu/app/games/internal/cabinet"
	"github.com/tetratelabs/wazero"
)

// usage: zzshoot module out-prefix seed script...   script: N (run to tick N and shoot) | kXX+ / kXX- key | wall
func main() {
	b, _ := os.ReadFile(os.Args[1])
	seed, _ := strconv.ParseUint(os.Args[3], 10, 64)
	cache, _ := wazero.NewCompilationCacheWithDir("/tmp/t4cache")
	c, err := cabinet.Open(context.Background(), cache, b, seed, nil)
	if err != nil {
		panic(err)
	}
	c.Seat(0)
	n := 0
	start := time.Now()
	var worst time.Duration
	var audio []int16
	for _, a := range os.Args[4:] {
		if strings.HasPrefix(a, "k") {
			seat := 0
			u, _ := strconv.ParseUint(a[1:3], 16, 8)
			c.Key(seat, uint8(u), a[3] == '+')
			continue
		}
		if a == "seat2" {
			c.Seat(1)
			continue
		}
		to, _ := strconv.Atoi(a)
		for n < to {
			t0 := time.Now()
			if err := c.Tick(); err != nil {
				panic(err)
			}
			if d := time.Since(t0); d > worst && n > 0 {
				worst = d
			}
			audio = append(audio, c.Sound()...)
			n++
		}
		f, _ := os.Create(fmt.Sprintf("%s-%05d.png", os.Args[2], n))
		png.Encode(f, c.Frame())
		f.Close()
	}
	el := time.Since(start)
	peak, clip := 0, 0
	var sq float64
	for _, s := range audio {
		v := int(s)
		if v < 0 {
			v = -v
		}
		peak = max(peak, v)
		if v >= 32000 {
			clip++
		}
		sq += float64(s) * float64(s)
	}
	fmt.Printf("%d ticks %.0f/s worst %v mem %d MiB peak %d rms %.0f clip %d logs %v saved %x\n", n, float64(n)/el.Seconds(), worst, c.MemoryBytes()>>20, peak, sq/float64(len(audio)), clip, c.Logged, c.Saved)
}
