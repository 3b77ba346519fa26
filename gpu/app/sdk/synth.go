package sdk

import "math"

// Wave is the shape of an oscillator.
type Wave uint8

// The oscillators.
const (
	Sine Wave = iota
	Triangle
	Saw
	Square
	Pulse // a quarter high, three quarters low: thin and bright
	Noise
)

// Sound describes one note or effect. The zero value of a field means "none".
type Sound struct {
	Wave    Wave
	Freq    float64 // Hz at the start; for Noise the rate of new values
	Slide   float64 // octaves per second, negative falls
	Vibrato float64 // depth in semitones, at 6 Hz
	Attack  float64 // ms from silence to full
	Hold    float64 // ms at full
	Release float64 // ms from full to silence
	Volume  float64 // 0..1
	Pan     float64 // -1 left .. 1 right
	Cutoff  float64 // low-pass in Hz; 0 leaves the wave as it is
	Echo    float64 // 0..1 of it also goes into the echo
}

const (
	voices = 24
	// chunk is the control rate: envelopes, slides and song steps change
	// every 32 sample frames (0.67 ms).
	chunk = 32
	// echoFrames is the echo's length: 0.28 s.
	echoFrames = 13440
)

type voice struct {
	wave              Wave
	phase, inc        uint32
	slide             int64 // Q16 factor on inc per chunk
	vib               int32 // depth, Q16 of inc
	age               int32 // sample frames so far
	attack, hold, end int32 // sample frames, cumulative
	left, right, echo int32 // Q12 gains
	low, lowK         int32 // low-pass state and factor (Q15)
	noise             uint32
	value             int32
}

// Synth mixes voices, a song and an echo into 48 kHz stereo. It is all
// integers once a voice started, so it sounds the same everywhere.
type Synth struct {
	voice  [voices]voice
	sine   [256]int16
	acc    [2 * chunk]int32
	wet    [chunk]int32
	buf    [chunk]int32
	echo   [2 * echoFrames]int16
	echoAt int
	song   player
	master int32 // Q8
	noise  uint32
}

func (s *Synth) reset() {
	*s = Synth{master: 256, noise: 0x1234567}
	for i := range s.sine {
		s.sine[i] = int16(32000 * math.Sin(float64(i)*math.Pi/128))
	}
}

// SetVolume sets the overall volume, 0..1.
func (s *Synth) SetVolume(v float64) { s.master = int32(unit(v) * 256) }

// Play starts a sound. With every voice busy the oldest gives way.
func (s *Synth) Play(snd *Sound) { s.start(snd, snd.Freq, snd.Volume, snd.Pan) }

// PlayAt starts a sound with another place and loudness: pan -1..1, volume a
// factor on the sound's own.
func (s *Synth) PlayAt(snd *Sound, pan, volume float64) {
	s.start(snd, snd.Freq, snd.Volume*volume, pan)
}

// PlayNote starts a sound at a MIDI note (69 is A4, 440 Hz).
func (s *Synth) PlayNote(snd *Sound, note int, volume float64) {
	s.start(snd, 440*math.Exp2(float64(note-69)/12), snd.Volume*volume, snd.Pan)
}

func (s *Synth) start(snd *Sound, freq, volume, pan float64) {
	best := 0
	for i := range s.voice {
		v := &s.voice[i]
		if v.age >= v.end {
			best = i
			break
		}
		if v.age > s.voice[best].age {
			best = i
		}
	}
	frames := func(ms float64) int32 { return int32(min(max(ms, 0), 20000) * SampleRate / 1000) }
	volume, pan = unit(volume), min(max(pan, -1), 1)
	v := &s.voice[best]
	*v = voice{wave: snd.Wave, noise: s.noise | 1, slide: 1 << 16}
	v.inc = uint32(min(max(freq, 1), 20000) * (1 << 32) / SampleRate)
	if snd.Slide != 0 {
		v.slide = int64(math.Exp2(snd.Slide*chunk/SampleRate) * (1 << 16))
	}
	v.vib = int32(snd.Vibrato * 3900)
	v.attack = frames(snd.Attack) + 16
	v.hold = v.attack + frames(snd.Hold)
	v.end = v.hold + frames(snd.Release) + 32
	v.left = int32(volume * 4096 * math.Sqrt((1-pan)/2))
	v.right = int32(volume * 4096 * math.Sqrt((1+pan)/2))
	v.echo = int32(volume * 4096 * unit(snd.Echo))
	v.lowK = 1 << 15
	if snd.Cutoff > 0 {
		v.lowK = int32((1 - math.Exp(-2*math.Pi*snd.Cutoff/SampleRate)) * (1 << 15))
	}
	s.noise = s.noise*1664525 + 1013904223
}

// mix fills out with one word per sample frame: left low, right high.
func (s *Synth) mix(out []uint32) {
	for len(out) > 0 {
		n := min(len(out), chunk)
		s.song.advance(s, n)
		clear(s.acc[:])
		clear(s.wet[:])
		for i := range s.voice {
			if v := &s.voice[i]; v.age < v.end {
				s.render(v, n)
			}
		}
		s.finish(out[:n])
		out = out[n:]
	}
}

// render adds n sample frames of a voice to the accumulators.
func (s *Synth) render(v *voice, n int) {
	buf := s.buf[:n]
	inc := v.inc
	if v.vib != 0 {
		lfo := int64(s.sine[uint32(v.age)*8/250&255])
		inc = uint32(int64(inc) + int64(inc)*int64(v.vib)*lfo>>31)
	}
	p := v.phase
	switch v.wave {
	case Sine:
		for i := range buf {
			buf[i] = int32(s.sine[p>>24])
			p += inc
		}
	case Triangle:
		for i := range buf {
			t := int32(p >> 15)
			if t > 65535 {
				t = 131071 - t
			}
			buf[i] = t - 32768
			p += inc
		}
	case Saw:
		for i := range buf {
			buf[i] = int32(p>>16) - 32768
			p += inc
		}
	case Square, Pulse:
		edge := uint32(1) << 31
		if v.wave == Pulse {
			edge = 1 << 30
		}
		for i := range buf {
			b := int32(-20000)
			if p < edge {
				b = 20000
			}
			buf[i] = b
			p += inc
		}
	case Noise:
		// A new value each time the phase passes half a turn.
		for i := range buf {
			q := p + inc
			if (p^q)>>31 != 0 {
				v.noise ^= v.noise << 13
				v.noise ^= v.noise >> 17
				v.noise ^= v.noise << 5
				v.value = int32(v.noise>>16) - 32768
			}
			buf[i] = v.value
			p = q
		}
	}
	v.phase = p
	v.inc = uint32(min(int64(v.inc)*v.slide>>16, 1<<31))

	// The envelope is a straight line over the chunk, so that it never clicks.
	e0 := v.envelope(v.age)
	v.age += int32(n)
	e1 := v.envelope(v.age)
	step := (e1 - e0) / int32(n)
	low, k := v.low, v.lowK
	l, r, w := v.left, v.right, v.echo
	for i, b := range buf {
		low += int32(int64(b-low) * int64(k) >> 15)
		x := low * (e0 >> 3) >> 12
		e0 += step
		s.acc[2*i] += x * l >> 12
		s.acc[2*i+1] += x * r >> 12
		s.wet[i] += x * w >> 12
	}
	v.low = low
}

// envelope is the voice's level at an age, Q15.
func (v *voice) envelope(age int32) int32 {
	switch {
	case age < v.attack:
		return int32(int64(age) << 15 / int64(v.attack))
	case age < v.hold:
		return 1 << 15
	case age < v.end:
		// Squared: the ear hears a straight fall as a sudden end.
		f := int32(int64(v.end-age) << 15 / int64(v.end-v.hold))
		return int32(int64(f) * int64(f) >> 15)
	}
	return 0
}

// finish adds the echo, bounds the sum softly and packs it.
func (s *Synth) finish(out []uint32) {
	for i := range out {
		at := s.echoAt
		el, er := int32(s.echo[2*at]), int32(s.echo[2*at+1])
		// The echo changes sides each time round.
		s.echo[2*at] = int16(bound(s.wet[i] + er*7/16))
		s.echo[2*at+1] = int16(bound(el * 7 / 8))
		if at++; at == echoFrames {
			at = 0
		}
		s.echoAt = at
		l := bound((s.acc[2*i] + el) * s.master >> 8)
		r := bound((s.acc[2*i+1] + er) * s.master >> 8)
		out[i] = uint32(uint16(l)) | uint32(uint16(r))<<16
	}
}

// bound squeezes what goes beyond ¾ of full scale and cuts at full scale.
func bound(x int32) int32 {
	const knee = 24000
	if x > knee {
		x = knee + (x-knee)>>2
	} else if x < -knee {
		x = -knee + (x+knee)>>2
	}
	return min(max(x, -32767), 32767)
}
