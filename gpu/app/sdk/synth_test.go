package sdk

import (
	"slices"
	"testing"
)

func newSynth() *Synth {
	s := &Synth{}
	s.reset()
	return s
}

// level is the mean square of n sample frames, both sides.
func level(s *Synth, n int) (left, right float64) {
	out := make([]uint32, n)
	s.mix(out)
	for _, w := range out {
		l, r := float64(int16(w)), float64(int16(w>>16))
		left += l * l / float64(n)
		right += r * r / float64(n)
	}
	return left, right
}

func TestEveryWaveSoundsAndEnds(t *testing.T) {
	for w := Sine; w <= Noise; w++ {
		s := newSynth()
		if l, r := level(s, 4800); l != 0 || r != 0 {
			t.Fatalf("a synth that plays nothing has level %.0f %.0f", l, r)
		}
		s.Play(&Sound{Wave: w, Freq: 440, Attack: 5, Hold: 60, Release: 30, Volume: 0.5})
		if l, _ := level(s, 4000); l < 1000*1000 {
			t.Errorf("wave %d: mean square %.0f, too quiet", w, l)
		}
		level(s, 1000)
		if l, r := level(s, 4000); l != 0 || r != 0 {
			t.Errorf("wave %d: still %.0f %.0f after its end", w, l, r)
		}
	}
}

func TestPanAndEcho(t *testing.T) {
	s := newSynth()
	s.Play(&Sound{Wave: Square, Freq: 300, Hold: 50, Release: 10, Volume: 0.5, Pan: -1, Echo: 0.5})
	l, r := level(s, 4000)
	if l == 0 || r != 0 {
		t.Errorf("hard left: %.0f on the left, %.0f on the right", l, r)
	}
	level(s, echoFrames-4000)
	if l, _ := level(s, 4000); l == 0 {
		t.Error("no echo after the echo's length")
	}
	for range 40 {
		level(s, echoFrames)
	}
	if l, r := level(s, echoFrames); l+r > 1 {
		t.Errorf("the echo does not die away: %.2f %.2f", l, r)
	}
}

func TestTooManyVoicesStayInBounds(t *testing.T) {
	s := newSynth()
	for i := range 3 * voices {
		s.Play(&Sound{Wave: Wave(i % 6), Freq: float64(100 * i), Slide: float64(i-30) * 3, Vibrato: 3, Hold: 500, Release: 500, Volume: 1, Echo: 1})
	}
	out := make([]uint32, 48000)
	s.mix(out)
	for i, w := range out {
		if int16(w) == -32768 || int16(w>>16) == -32768 {
			t.Fatalf("sample %d wrapped", i)
		}
	}
}

func TestTheSameSoundsTwiceAreTheSame(t *testing.T) {
	run := func() []uint32 {
		s := newSynth()
		s.PlaySong(&Song{StepsPerMinute: 600, Tracks: []Track{
			{Inst: Sound{Wave: Saw, Hold: 60, Release: 60, Volume: 0.3, Cutoff: 900}, Notes: "A3 C#4 E4 . | Bb3"},
			{Inst: Sound{Wave: Noise, Freq: 8000, Release: 50, Volume: 0.2}, Notes: "x . x"},
		}})
		out := make([]uint32, 96000)
		for at := 0; at < len(out); at += 800 { // as ticks do
			s.mix(out[at : at+800])
		}
		return out
	}
	a, b := run(), run()
	if !slices.Equal(a, b) {
		t.Error("two runs differ")
	}
	if slices.Max(a) == 0 {
		t.Error("the song is silent")
	}
}

func TestNotes(t *testing.T) {
	for text, want := range map[string]int8{
		"A4": 69, "C4": 60, "C#4": 61, "Db4": 61, "B3": 59, "G8": 115, "C0": 12,
		"x": ownNote, ".": rest, "H4": rest, "A": rest, "A9": rest, "": rest, "4": rest,
	} {
		if got := parseNote(text); got != want {
			t.Errorf("parseNote(%q) = %d, want %d", text, got, want)
		}
	}
	song := Song{Tracks: []Track{{Notes: "  A4 |  . x  "}, {Notes: ""}}}
	song.Compile()
	if !slices.Equal(song.steps[0], []int8{69, rest, ownNote}) || len(song.steps[1]) != 0 {
		t.Errorf("compiled: %v", song.steps)
	}
}
