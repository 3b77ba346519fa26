package wasm4

import (
	"encoding/binary"
	"errors"
)

// SampleRate is the rate of the sound in Hz; each tick gives TickSamples frames
// of two samples.
const (
	SampleRate  = 48000
	TickSamples = SampleRate / FPS
)

// Flags of Tone.
const (
	toneChannel = 3      // 0 and 1 pulse, 2 triangle, 3 noise
	toneDuty    = 3 << 2 // of a pulse: 12.5, 25, 50, 75 %
	tonePan     = 3 << 4 // 0 both, 1 left, 2 right
	toneNote    = 1 << 6 // frequencies are notes: MIDI number and bend in 1/256
)

const (
	noise       = 3
	triangle    = 2
	maxPulse    = 0x1333 // loudest sample of a pulse or of noise: four of them cannot clip
	maxTriangle = 0x2000 // a triangle sounds softer than it is
)

// channel is one voice. Times are in samples since the chip started; frequencies
// are 16.16 fixed-point Hz.
type channel struct {
	From, To                   uint64 // frequencies at the begin and at the end
	Start, Attack, Decay, Hold uint64 // begin, and the ends of the parts of the envelope
	Release                    uint64 // end of the sound
	Peak, Sustain              uint32 // sample values
	Phase                      uint32 // of one period, in 2^-32
	Noise                      uint32 // state of the noise; never 0
	Level                      uint32 // the noise's present bit
	Duty                       uint32 // of one period, in 2^-32
	Pan                        uint32
}

// Sound is the console's sound chip: four channels, computed with integers.
type Sound struct {
	time  uint64 // samples made
	voice [4]channel
}

// NewSound returns a silent chip.
func NewSound() *Sound {
	s := &Sound{}
	for i := range s.voice {
		s.voice[i].Noise = 1
	}
	return s
}

// Tone plays a sound on one channel, as a cart asks for it: frequency in Hz (low
// half at the begin, high half at the end, 0 for no slide), duration in ticks (a
// byte each for sustain, release, decay and attack), volume in per cent (low byte
// sustain, next byte peak, 0 for 100) and flags.
func (s *Sound) Tone(frequency, duration, volume, flags uint32) {
	i := flags & toneChannel
	v := &s.voice[i]
	from, to := hertz(frequency&0xffff, flags), uint64(0)
	if frequency>>16 != 0 {
		to = hertz(frequency>>16, flags)
	} else {
		to = from
	}
	if s.time >= v.Release { // the channel was silent: begin at the wave's zero
		v.Phase = 0
		if i == triangle {
			v.Phase = 1 << 30
		}
	}
	part := func(shift uint) uint64 { return uint64(duration>>shift&0xff) * TickSamples }
	v.From, v.To = from, to
	v.Start = s.time
	v.Attack = v.Start + part(24)
	v.Decay = v.Attack + part(16)
	v.Hold = v.Decay + part(0)
	v.Release = v.Hold + part(8)
	loudest := uint32(maxPulse)
	if i == triangle {
		loudest = maxTriangle
		if v.Release == v.Hold { // a triangle that stops dead would click
			v.Release += SampleRate / 1000
		}
	}
	v.Sustain = loudest * min(volume&0xff, 100) / 100
	v.Peak = loudest
	if p := volume >> 8 & 0xff; p != 0 {
		v.Peak = loudest * min(p, 100) / 100
	}
	v.Duty = [4]uint32{1 << 29, 1 << 30, 1 << 31, 3 << 30}[flags&toneDuty>>2]
	v.Pan = flags & tonePan >> 4
}

// semitones are 2^(i/12) in 2^-32, the last an octave up.
var semitones = [13]uint64{4294967296, 4550359342, 4820937788, 5107605667, 5411319705, 5733093519, 6074001000,
	6435179895, 6817835604, 7223245206, 7652761717, 8107818609, 8589934592}

// hertz reads a frequency as 16.16 fixed point. Between two semitones a bend goes
// in a straight line, at most 0.7 cents off.
func hertz(f, flags uint32) uint64 {
	if flags&toneNote == 0 {
		return uint64(f) << 16
	}
	// Octaves are counted up from the A of 6.875 Hz, which would be note -3.
	const lowest = 6875 << 16 / 1000
	note, bend := uint64(f&0xff), uint64(f>>8)
	octave, step := (note+3)/12, (note+3)%12
	ratio := semitones[step] + (semitones[step+1]-semitones[step])*bend/256
	return min(lowest*ratio>>(32-octave), 0xffff<<16)
}

// ramp goes from a at t0 to b at t1.
func ramp(a, b int64, t0, t1, t uint64) int64 {
	if t >= t1 {
		return b
	}
	return a + (b-a)*int64(t-t0)/int64(t1-t0)
}

func (v *channel) volume(t uint64) int64 {
	switch {
	case t >= v.Hold:
		return ramp(int64(v.Sustain), 0, v.Hold, v.Release, t)
	case t >= v.Decay:
		return int64(v.Sustain)
	case t >= v.Attack:
		return ramp(int64(v.Peak), int64(v.Sustain), v.Attack, v.Decay, t)
	}
	return ramp(0, int64(v.Peak), v.Start, v.Attack, t)
}

// blep is the correction that rounds a pulse's edge over two samples, so that it
// does not alias: phase and step in 2^-32 of a period, result in 2^-15.
func blep(phase, step uint32) int64 {
	if step == 0 {
		return 0
	}
	if phase < step {
		x := int64(uint64(phase) << 15 / uint64(step))
		return 2*x - x*x>>15 - 1<<15
	}
	if back := -phase; back < step {
		x := int64(uint64(back) << 15 / uint64(step))
		return x*x>>15 - 2*x + 1<<15
	}
	return 0
}

func (v *channel) sample(i int, t uint64) int64 {
	f := v.From
	if f != v.To {
		f = uint64(ramp(int64(f), int64(v.To), v.Start, v.Release, t))
	}
	loud := v.volume(t)
	if i == noise {
		// The bit changes f²/22.67 times a second: 1,000,000/44,100 is what makes
		// noise follow pitch on this console.
		hz := f >> 16
		step := (hz * hz * 441 << 16 / 10_000) << 16 / SampleRate
		turns := (uint64(v.Phase) + step) >> 32
		v.Phase += uint32(step)
		for range min(turns, 64) {
			v.Noise ^= v.Noise >> 7
			v.Noise ^= v.Noise << 9
			v.Noise ^= v.Noise >> 13
			v.Level = v.Noise & 1
		}
		return loud * (2*int64(v.Level) - 1)
	}
	step := uint32(min(f<<16/SampleRate, 1<<31))
	v.Phase += step
	if i == triangle {
		x := int64(v.Phase>>15) - 1<<16 // -1…1 in 2^-16
		return loud * (2*max(x, -x) - 1<<16) >> 16
	}
	y := int64(-1 << 15)
	if v.Phase < v.Duty {
		y = 1 << 15
	}
	y += blep(v.Phase, step) - blep(v.Phase-v.Duty, step)
	return loud * y >> 15
}

// Tick computes the sound of one tick into out: TickSamples pairs, left and right.
func (s *Sound) Tick(out []int16) {
	out = out[:2*TickSamples]
	clear(out)
	for i := range s.voice {
		v := &s.voice[i]
		for k := range TickSamples {
			t := s.time + uint64(k)
			if t >= v.Release {
				break
			}
			y := int16(v.sample(i, t))
			if v.Pan != 2 {
				out[2*k] += y
			}
			if v.Pan != 1 {
				out[2*k+1] += y
			}
		}
	}
	s.time += TickSamples
}

// Active says whether a channel still sounds.
func (s *Sound) Active() bool {
	for i := range s.voice {
		if s.time < s.voice[i].Release {
			return true
		}
	}
	return false
}

// ErrSound says that bytes are no state of the sound chip.
var ErrSound = errors.New("wasm4: not a state of the sound chip")

// SoundSize is the length of the sound chip's state in bytes.
const SoundSize = 8 + 4*(7*8+7*4)

// Append appends the chip's state to b.
func (s *Sound) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, s.time)
	for i := range s.voice {
		v := &s.voice[i]
		for _, w := range []uint64{v.From, v.To, v.Start, v.Attack, v.Decay, v.Hold, v.Release} {
			b = le.AppendUint64(b, w)
		}
		for _, w := range []uint32{v.Peak, v.Sustain, v.Phase, v.Noise, v.Level, v.Duty, v.Pan} {
			b = le.AppendUint32(b, w)
		}
	}
	return b
}

// DecodeSound reads what Append wrote and refuses what no chip could have.
func DecodeSound(b []byte) (*Sound, error) {
	if len(b) != SoundSize {
		return nil, ErrSound
	}
	le := binary.LittleEndian
	s := &Sound{time: le.Uint64(b)}
	b = b[8:]
	const farthest = 1 << 48 // samples; a session of 180 years
	ok := s.time < farthest
	for i := range s.voice {
		v := &s.voice[i]
		for _, w := range []*uint64{&v.From, &v.To, &v.Start, &v.Attack, &v.Decay, &v.Hold, &v.Release} {
			*w, b = le.Uint64(b), b[8:]
			ok = ok && *w < farthest
		}
		for _, w := range []*uint32{&v.Peak, &v.Sustain, &v.Phase, &v.Noise, &v.Level, &v.Duty, &v.Pan} {
			*w, b = le.Uint32(b), b[4:]
		}
		ok = ok && v.Start <= s.time && v.Start <= v.Attack && v.Attack <= v.Decay && v.Decay <= v.Hold && v.Hold <= v.Release &&
			v.Release-v.Start <= 5*255*TickSamples && v.Peak <= maxTriangle && v.Sustain <= maxTriangle &&
			v.Noise != 0 && v.Level <= 1 && v.Pan <= 3 && v.From < 1<<32 && v.To < 1<<32
	}
	if !ok {
		return nil, ErrSound
	}
	return s, nil
}
