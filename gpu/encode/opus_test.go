//go:build cgo

package encode

import (
	"math"
	"testing"
)

func tone(pcm []int16, at int) []int16 {
	for i := 0; i < len(pcm); i += 2 {
		s := int16(12000 * math.Sin(2*math.Pi*440*float64(at+i/2)/AudioRate))
		pcm[i], pcm[i+1] = s, -s
	}
	return pcm
}

func TestOpusCodesToneNearItsRateAndSilenceForLittle(t *testing.T) {
	e, err := OpenAudio(0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pcm := make([]int16, AudioChannels*PacketLen)
	count := func(next func(int) []int16) (bytes int) {
		for n := range 200 {
			b, err := e.Encode(next(n))
			if err != nil {
				t.Fatal(err)
			}
			// The table of contents: 10 ms, stereo.
			if len(b) == 0 || b[0]&4 == 0 {
				t.Fatalf("packet %x is not stereo", b[:min(4, len(b))])
			}
			if n >= 50 {
				bytes += len(b)
			}
		}
		return bytes * 8 * 2 / 3 // of 1.5 s, as bit/s
	}
	if rate := count(func(n int) []int16 { return tone(pcm, n*PacketLen) }); rate < 30_000 || rate > 140_000 {
		t.Errorf("a tone takes %d bit/s", rate)
	}
	clear(pcm)
	if rate := count(func(int) []int16 { return pcm }); rate > 20_000 {
		t.Errorf("silence takes %d bit/s", rate)
	}
	if _, err := e.Encode(pcm[:10]); err == nil {
		t.Error("took a short packet")
	}
}

func BenchmarkOpus(b *testing.B) {
	for name, silent := range map[string]bool{"tone": false, "silence": true} {
		b.Run(name, func(b *testing.B) {
			e, err := OpenAudio(0)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			pcm := make([]int16, AudioChannels*PacketLen)
			if !silent {
				tone(pcm, 0)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Encode(pcm); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
