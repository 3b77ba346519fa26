package main

import "github.com/framemesh/framemesh/gpu/app/sdk"

// band is every sound and song of the game.
type band struct {
	shot, hit, pop, boom, mote, up, nova, crack, lost, life, siren, blip, begin sdk.Sound
	calm, drive, fight                                                          sdk.Song
	mute                                                                        sdk.Synth // takes the attract mode's effects
}

func (b *band) compose() {
	b.shot = sdk.Sound{Wave: sdk.Pulse, Freq: 1250, Slide: -14, Attack: 1, Hold: 8, Release: 60, Volume: 0.10, Cutoff: 5000}
	b.hit = sdk.Sound{Wave: sdk.Noise, Freq: 9000, Attack: 0, Hold: 4, Release: 30, Volume: 0.10}
	b.pop = sdk.Sound{Wave: sdk.Noise, Freq: 5200, Slide: -9, Hold: 20, Release: 240, Volume: 0.30, Cutoff: 5200, Echo: 0.08}
	b.boom = sdk.Sound{Wave: sdk.Noise, Freq: 2600, Slide: -4, Hold: 60, Release: 700, Volume: 0.50, Cutoff: 2400, Echo: 0.15}
	b.mote = sdk.Sound{Wave: sdk.Sine, Freq: 1568, Slide: 5, Hold: 10, Release: 70, Volume: 0.09, Echo: 0.05}
	b.up = sdk.Sound{Wave: sdk.Square, Freq: 520, Slide: 5, Attack: 4, Hold: 120, Release: 220, Volume: 0.18, Cutoff: 3200, Echo: 0.12}
	b.nova = sdk.Sound{Wave: sdk.Noise, Freq: 6000, Slide: -2.2, Attack: 20, Hold: 300, Release: 1300, Volume: 0.60, Cutoff: 1800, Echo: 0.2}
	b.crack = sdk.Sound{Wave: sdk.Saw, Freq: 900, Slide: -6, Hold: 30, Release: 300, Volume: 0.30, Echo: 0.1}
	b.lost = sdk.Sound{Wave: sdk.Saw, Freq: 420, Slide: -2.6, Vibrato: 2, Hold: 120, Release: 1000, Volume: 0.40, Cutoff: 2600, Echo: 0.2}
	b.life = sdk.Sound{Wave: sdk.Triangle, Freq: 660, Slide: 2, Vibrato: 1, Hold: 200, Release: 500, Volume: 0.35, Echo: 0.2}
	b.siren = sdk.Sound{Wave: sdk.Saw, Freq: 330, Slide: 1.6, Attack: 30, Hold: 250, Release: 160, Volume: 0.22, Cutoff: 1800, Echo: 0.1}
	b.blip = sdk.Sound{Wave: sdk.Square, Freq: 880, Hold: 20, Release: 60, Volume: 0.15, Cutoff: 4000}
	b.begin = sdk.Sound{Wave: sdk.Saw, Freq: 220, Slide: 3, Attack: 5, Hold: 250, Release: 500, Volume: 0.3, Cutoff: 3500, Echo: 0.3}

	kick := sdk.Sound{Wave: sdk.Sine, Freq: 150, Slide: -16, Hold: 30, Release: 130, Volume: 0.50}
	snare := sdk.Sound{Wave: sdk.Noise, Freq: 12000, Hold: 8, Release: 130, Volume: 0.16, Cutoff: 7000}
	hat := sdk.Sound{Wave: sdk.Noise, Freq: 22000, Release: 35, Volume: 0.06, Pan: 0.3}
	bass := sdk.Sound{Wave: sdk.Saw, Attack: 2, Hold: 70, Release: 90, Volume: 0.26, Cutoff: 620}
	lead := sdk.Sound{Wave: sdk.Pulse, Attack: 4, Hold: 110, Release: 200, Volume: 0.11, Vibrato: 0.25, Cutoff: 2800, Echo: 0.09, Pan: -0.15}
	arp := sdk.Sound{Wave: sdk.Triangle, Attack: 1, Hold: 40, Release: 130, Volume: 0.13, Echo: 0.06, Pan: 0.25}
	pad := sdk.Sound{Wave: sdk.Saw, Attack: 500, Hold: 900, Release: 900, Volume: 0.06, Cutoff: 900, Vibrato: 0.12, Echo: 0.03}
	high := pad
	high.Pan, pad.Pan = 0.4, -0.4

	b.calm = sdk.Song{StepsPerMinute: 300, Tracks: []sdk.Track{
		{Inst: pad, Notes: "A3 . . . . . . . F3 . . . . . . . C3 . . . . . . . G3 . . . . . . ."},
		{Inst: high, Notes: "E4 . . . . . . . C4 . . . . . . . G4 . . . . . . . D4 . . . . . . ."},
		{Inst: arp, Notes: "A4 . E5 . C5 . A5 . F4 . C5 . A4 . F5 . C5 . G5 . E5 . C6 . G4 . D5 . B4 . G5 ."},
		{Inst: bass, Notes: "A2 . . . . . A2 . F2 . . . . . F2 . C3 . . . . . C3 . G2 . . . . . G2 ."},
	}}
	b.drive = sdk.Song{StepsPerMinute: 528, Tracks: []sdk.Track{
		{Inst: kick, Notes: "x . . . x . . . x . . . x . x ."},
		{Inst: snare, Notes: ". . . . x . . . . . . . x . . ."},
		{Inst: hat, Notes: "x . x x . . x . x . x x . . x x"},
		{Inst: bass, Notes: "A2 . A2 A2 . A2 . A2 A2 . A2 A2 . A2 C3 . | F2 . F2 F2 . F2 . F2 F2 . F2 F2 . F2 A2 . | C3 . C3 C3 . C3 . C3 C3 . C3 C3 . C3 E3 . | G2 . G2 G2 . G2 . G2 G2 . G2 B2 . B2 G2 ."},
		{Inst: arp, Notes: "A4 C5 E5 A5 E5 C5 A4 C5 E5 A5 C6 A5 E5 C5 A4 E5 | F4 A4 C5 F5 C5 A4 F4 A4 C5 F5 A5 F5 C5 A4 F4 C5 | C5 E5 G5 C6 G5 E5 C5 E5 G5 C6 E6 C6 G5 E5 C5 G5 | G4 B4 D5 G5 D5 B4 G4 B4 D5 G5 B5 G5 D5 B4 G4 D5"},
		{Inst: lead, Notes: "A4 . . . . . C5 . E5 . . . D5 . C5 . | F4 . . . . . A4 . C5 . . . B4 . A4 . | G4 . . . . . C5 . E5 . . . G5 . E5 . | D5 . . . . . B4 . G4 . . . B4 . . . | E5 . . . D5 . C5 . E5 . . . A5 . G5 . | F5 . . . E5 . C5 . A4 . . . C5 . . . | G5 . . . E5 . C5 . G4 . C5 . E5 . . . | D5 . . . . . . . B4 . D5 . G5 . . ."},
		{Inst: pad, Notes: "A3 . . . . . . . . . . . . . . . F3 . . . . . . . . . . . . . . . C4 . . . . . . . . . . . . . . . G3 . . . . . . . . . . . . . . ."},
	}}
	growl := bass
	growl.Cutoff, growl.Volume = 1100, 0.28
	b.fight = sdk.Song{StepsPerMinute: 608, Tracks: []sdk.Track{
		{Inst: kick, Notes: "x . x . x . . x x . x . x . x ."},
		{Inst: snare, Notes: ". . . . x . . . . . . x x . . x"},
		{Inst: hat, Notes: "x x x x"},
		{Inst: growl, Notes: "D2 D2 . D2 D2 . D2 . D2 D2 . D2 Eb2 . F2 . | D2 D2 . D2 D2 . D2 . Bb2 Bb2 . A2 A2 . G#2 ."},
		{Inst: lead, Notes: "D5 . . A4 . . F5 . E5 . . . C#5 . . . | D5 . . A4 . . Bb4 . A4 . . . . . . . | F5 . . D5 . . A5 . G5 . . . E5 . . . | Bb5 . A5 . G5 . F5 . E5 . C#5 . A4 . . ."},
		{Inst: arp, Notes: "D4 A4 D5 A4 F4 A4 D5 A4 | C#4 A4 C#5 A4 E4 A4 C#5 A4 | D4 Bb4 D5 Bb4 F4 Bb4 D5 Bb4 | E4 A4 E5 A4 C#4 A4 C#5 A4"},
	}}
	b.calm.Compile()
	b.drive.Compile()
	b.fight.Compile()
}
