package wasm4

import (
	"bytes"
	"testing"
)

// render plays n ticks and returns the left channel.
func render(s *Sound, n int) []int16 {
	var out [2 * TickSamples]int16
	var left []int16
	for range n {
		s.Tick(out[:])
		for i := 0; i < len(out); i += 2 {
			left = append(left, out[i])
		}
	}
	return left
}

// rises counts how often a wave crosses zero upwards.
func rises(w []int16) (n int) {
	for i := 1; i < len(w); i++ {
		if w[i-1] <= 0 && w[i] > 0 {
			n++
		}
	}
	return n
}

func peak(w []int16) (p int16) {
	for _, s := range w {
		p = max(p, s)
	}
	return p
}

func TestTonePitch(t *testing.T) {
	const second = 60
	for _, c := range []struct {
		name             string
		frequency, flags uint32
		hz               int
	}{
		{"pulse 440", 440, 0, 440}, {"pulse 1000, 12.5 %", 1000, 1, 1000}, {"square", 500, 2 << 2, 500}, {"triangle 220", 220, 2, 220},
		{"note A4", 69, toneNote, 440}, {"note C4 and half a semitone", 60 | 128<<8, toneNote | 2, 269}, {"note A0", 21, toneNote, 27},
	} {
		s := NewSound()
		s.Tone(c.frequency, second, 100, c.flags)
		if got := rises(render(s, second)); got < c.hz-1 || got > c.hz+1 {
			t.Errorf("%s: %d Hz, not %d", c.name, got, c.hz)
		}
	}
	s := NewSound()
	s.Tone(200|800<<16, second, 100, 0)
	w := render(s, second)
	first, last := rises(w[:SampleRate/4]), rises(w[3*SampleRate/4:])
	if first > 75 || last < 170 {
		t.Errorf("a slide from 200 to 800 Hz goes from %d to %d a quarter second", first, last)
	}
}

func TestToneEnvelope(t *testing.T) {
	s := NewSound()
	// Attack 10, decay 10, sustain 10, release 10 ticks; peak 100 %, sustain 50 %.
	s.Tone(1000, 10|10<<8|10<<16|10<<24, 50|100<<8, 2<<2)
	w := render(s, 45)
	tick := func(n int) int16 { return peak(w[n*TickSamples : (n+1)*TickSamples]) }
	if a, b := tick(0), tick(9); a > 700 || b < 4000 {
		t.Errorf("attack goes from %d to %d", a, b)
	}
	if a, b := tick(10), tick(19); a < 4500 || b > 3000 {
		t.Errorf("decay goes from %d to %d", a, b)
	}
	if a, b := tick(21), tick(29); a != b || a < 2300 || a > 2700 {
		t.Errorf("sustain goes from %d to %d", a, b)
	}
	if a, b, c := tick(30), tick(39), tick(40); a < 2000 || b > 400 || c != 0 {
		t.Errorf("release goes from %d to %d and ends at %d", a, b, c)
	}
	if s.Active() {
		t.Error("it never ends")
	}
}

func TestTonePanAndNoise(t *testing.T) {
	for pan, want := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		for channel := range uint32(4) {
			s := NewSound()
			s.Tone(300, 10, 100, channel|uint32(pan)<<4)
			var out [2 * TickSamples]int16
			s.Tick(out[:])
			var got [2]bool
			for i, v := range out {
				got[i%2] = got[i%2] || v != 0
			}
			if got != want {
				t.Errorf("channel %d, pan %d: sounds on %v", channel, pan, got)
			}
		}
	}
	s := NewSound()
	s.Tone(200, 60, 100, noise)
	low := rises(render(s, 60))
	s.Tone(800, 60, 100, noise)
	if high := rises(render(s, 60)); low < 100 || high < 8*low {
		t.Errorf("noise of 200 and 800 rises %d and %d times a second", low, high)
	}
}

// TestToneNeverClips puts the loudest on all channels at once.
func TestToneNeverClips(t *testing.T) {
	s := NewSound()
	for i := range uint32(4) {
		s.Tone(440, 60, 100, i|2<<2)
	}
	w := render(s, 60)
	for i := 1; i < len(w); i++ {
		if d := int(w[i]) - int(w[i-1]); d > 50_000 || d < -50_000 {
			t.Fatal("the sum wraps around")
		}
	}
	if p := peak(w); p < 12_000 {
		t.Errorf("four loud channels reach %d", p)
	}
}

func TestSoundState(t *testing.T) {
	s := NewSound()
	for i := range uint32(4) {
		s.Tone(300+i*50|900<<16, 10|20<<8|5<<16|5<<24, 40|90<<8, i|i%3<<4)
	}
	render(s, 7)
	b := s.Append(nil)
	again, err := DecodeSound(b)
	if err != nil || len(b) != SoundSize {
		t.Fatal(len(b), err)
	}
	var x, y [2 * TickSamples]int16
	for range 40 {
		s.Tick(x[:])
		again.Tick(y[:])
		if x != y {
			t.Fatal("a restored chip sounds differently")
		}
	}
}

func FuzzDecodeSound(f *testing.F) {
	f.Add(NewSound().Append(nil))
	s := NewSound()
	s.Tone(440, 60, 100, 0)
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSound(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Append(nil), b) {
			t.Fatal("a state does not survive being read and written")
		}
		var out [2 * TickSamples]int16
		s.Tick(out[:])
	})
}

// BenchmarkSound makes one tick with all four channels sounding and sliding.
func BenchmarkSound(b *testing.B) {
	s := NewSound()
	var out [2 * TickSamples]int16
	for b.Loop() {
		if !s.Active() {
			for i := range uint32(4) {
				s.Tone(300|900<<16, 255, 100, i)
			}
		}
		s.Tick(out[:])
	}
}
