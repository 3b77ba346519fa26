package sdk

// Track is one instrument's part of a song.
type Track struct {
	Inst Sound
	// Notes is one entry per step, split by spaces: a note ("C4", "F#3",
	// "Bb2"), "x" for the instrument's own pitch (drums), "." for nothing.
	// "|" may be used as a bar line. A short part repeats.
	Notes string
}

// Song is a looping piece of music.
type Song struct {
	StepsPerMinute int // a sixteenth at 120 beats a minute is 480
	Tracks         []Track
	steps          [][]int8
}

const (
	rest    = -1
	ownNote = -2
)

// Compile reads the notes; call it in Init. PlaySong does it otherwise.
func (g *Song) Compile() {
	if g.steps != nil {
		return
	}
	g.steps = make([][]int8, len(g.Tracks))
	for t := range g.Tracks {
		text := g.Tracks[t].Notes
		for len(text) > 0 {
			n := 0
			for n < len(text) && text[n] > ' ' {
				n++
			}
			if n > 0 && text[:n] != "|" {
				g.steps[t] = append(g.steps[t], parseNote(text[:n]))
			}
			text = text[min(n+1, len(text)):]
		}
	}
}

// parseNote reads "C4", "C#4" or "Db4" as a MIDI note, "x" as the
// instrument's own pitch and everything else as a rest.
func parseNote(s string) int8 {
	if s == "x" {
		return ownNote
	}
	if len(s) < 2 || s[0] < 'A' || s[0] > 'G' {
		return rest
	}
	n := [...]int{9, 11, 0, 2, 4, 5, 7}[s[0]-'A']
	switch s[1] {
	case '#':
		n++
	case 'b':
		n--
	}
	octave := s[len(s)-1]
	if octave < '0' || octave > '8' {
		return rest
	}
	return int8(n + 12*int(octave-'0'+1))
}

type player struct {
	song   *Song
	step   int
	left   int // sample frames to the next step
	volume float64
}

// PlaySong starts a song from its first step; nil stops the music. The song
// that already plays goes on undisturbed.
func (s *Synth) PlaySong(g *Song) {
	if s.song.song == g {
		return
	}
	s.song = player{song: g, volume: 1}
	if g != nil {
		g.Compile()
	}
}

// SetMusicVolume sets how loud the song plays beside the effects, 0..1.
func (s *Synth) SetMusicVolume(v float64) { s.song.volume = unit(v) }

func (p *player) advance(s *Synth, frames int) {
	if p.song == nil {
		return
	}
	for p.left <= 0 {
		for t := range p.song.Tracks {
			part := p.song.steps[t]
			if len(part) == 0 {
				continue
			}
			inst := &p.song.Tracks[t].Inst
			switch note := part[p.step%len(part)]; note {
			case rest:
			case ownNote:
				s.PlayAt(inst, inst.Pan, p.volume)
			default:
				s.PlayNote(inst, int(note), p.volume)
			}
		}
		p.step++
		p.left += SampleRate * 60 / max(p.song.StepsPerMinute, 1)
	}
	p.left -= frames
}
