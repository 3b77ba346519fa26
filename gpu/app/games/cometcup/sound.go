package main

import "github.com/framemesh/framemesh/gpu/app/sdk"

// sound is every effect and song of the game.
type sound struct {
	hit                             [2]sdk.Sound
	wall, goal, cup, whistle, count sdk.Sound
	calm, drive                     sdk.Song
	mute                            sdk.Synth // takes the effects of the machine's own matches
}

func (s *sound) compose() {
	s.hit[0] = sdk.Sound{Wave: sdk.Triangle, Freq: 330, Slide: -3, Attack: 0, Hold: 15, Release: 160, Volume: 0.42, Echo: 0.08}
	s.hit[1] = s.hit[0]
	s.hit[1].Freq = 440
	s.wall = sdk.Sound{Wave: sdk.Square, Freq: 190, Slide: -4, Hold: 10, Release: 90, Volume: 0.22, Cutoff: 1800, Echo: 0.05}
	s.goal = sdk.Sound{Wave: sdk.Saw, Freq: 165, Slide: 1.4, Vibrato: 1, Attack: 10, Hold: 420, Release: 700, Volume: 0.34, Cutoff: 2600, Echo: 0.25}
	s.cup = sdk.Sound{Wave: sdk.Square, Freq: 523, Slide: 0.5, Vibrato: 1.5, Attack: 10, Hold: 700, Release: 900, Volume: 0.3, Cutoff: 3000, Echo: 0.3}
	s.whistle = sdk.Sound{Wave: sdk.Sine, Freq: 1900, Vibrato: 1.2, Attack: 5, Hold: 200, Release: 150, Volume: 0.25, Echo: 0.15}
	s.count = sdk.Sound{Wave: sdk.Square, Hold: 60, Release: 120, Volume: 0.2, Cutoff: 3000, Echo: 0.1}

	kick := sdk.Sound{Wave: sdk.Sine, Freq: 140, Slide: -16, Hold: 30, Release: 120, Volume: 0.45}
	clap := sdk.Sound{Wave: sdk.Noise, Freq: 9000, Hold: 10, Release: 120, Volume: 0.14, Cutoff: 5000, Echo: 0.05}
	hat := sdk.Sound{Wave: sdk.Noise, Freq: 22000, Release: 30, Volume: 0.05, Pan: -0.3}
	bass := sdk.Sound{Wave: sdk.Square, Attack: 2, Hold: 60, Release: 80, Volume: 0.2, Cutoff: 500}
	pluck := sdk.Sound{Wave: sdk.Pulse, Attack: 1, Hold: 30, Release: 180, Volume: 0.10, Cutoff: 2600, Echo: 0.09, Pan: 0.2}
	pad := sdk.Sound{Wave: sdk.Saw, Attack: 400, Hold: 900, Release: 900, Volume: 0.06, Cutoff: 800, Vibrato: 0.1, Echo: 0.03}

	chords := sdk.Track{Inst: pad, Notes: "D4 . . . . . . . . . . . . . . . Bb3 . . . . . . . . . . . . . . . F4 . . . . . . . . . . . . . . . C4 . . . . . . . . . . . . . . ."}
	plucks := sdk.Track{Inst: pluck, Notes: "D5 . . F5 . . A5 . . F5 . . D5 . E5 . | D5 . . F5 . . Bb5 . . F5 . . D5 . C5 . | C5 . . F5 . . A5 . . F5 . . C5 . E5 . | C5 . . E5 . . G5 . . E5 . . C5 . A4 ."}
	s.calm = sdk.Song{StepsPerMinute: 400, Tracks: []sdk.Track{chords, plucks}}
	s.drive = sdk.Song{StepsPerMinute: 500, Tracks: []sdk.Track{
		chords, plucks,
		{Inst: kick, Notes: "x . . . x . . . x . . . x . . ."},
		{Inst: clap, Notes: ". . . . x . . . . . . . x . . x"},
		{Inst: hat, Notes: ". . x . . . x . . . x . . x x ."},
		{Inst: bass, Notes: "D2 . D2 . . D2 . D3 . D2 . D2 . D2 C2 . | Bb2 . Bb2 . . Bb2 . Bb2 . Bb2 . Bb2 . Bb2 A2 . | F2 . F2 . . F2 . F3 . F2 . F2 . F2 E2 . | C3 . C3 . . C3 . C3 . C3 . C3 . C2 C2 ."},
	}}
	s.calm.Compile()
	s.drive.Compile()
}
