package sdk

import (
	"encoding/binary"
	"testing"
)

// probe is a game that uses a bit of everything.
type probe struct {
	img  *Image
	snd  Sound
	seen Input
	rng  Rand
	fps  int
}

func (p *probe) Info() Info {
	return Info{Width: 64, Height: 48, FPS: p.fps, Seats: 4, Pointer: true, PointerLock: true, WallClock: true}
}

func (p *probe) Init(seed uint64) {
	p.rng = NewRand(seed)
	p.img = Glow(5, RGB(255, 0, 0), 0.5)
	p.snd = Sound{Wave: Sine, Freq: 440, Hold: 10, Release: 10, Volume: 0.5}
}

func (p *probe) Tick(in *Input, pic *Canvas, snd *Synth) {
	p.seen = *in
	pic.Clear(RGB(0, 0, 0))
	pic.DrawAdd(p.img, p.rng.Intn(64), p.rng.Intn(48))
	pic.Number(0, 0, 1, int(in.Tick), 5, RGB(255, 255, 255))
	pic.Text(0, 20, 1, "HELLO", RGB(0, 255, 0))
	pic.Circle(30, 30, 10, RGB(0, 0, 255))
	snd.Play(&p.snd)
}

func TestATickDoesNotAllocate(t *testing.T) {
	c := NewConsole(&probe{fps: 60})
	c.Init(1)
	c.Tick()
	if n := testing.AllocsPerRun(100, c.Tick); n != 0 {
		t.Errorf("%.1f allocations per tick", n)
	}
}

func TestSoundKeepsPaceWithTheTicks(t *testing.T) {
	for _, fps := range []int{1, 7, 30, 59, 60, 120} {
		c := NewConsole(&probe{fps: fps})
		c.Init(1)
		total := 0
		for range fps {
			c.Tick()
			total += len(c.Sound())
			if n := len(c.Sound()); n > SampleRate/fps*2+16 {
				t.Fatalf("%d frames in one tick at %d fps", n, fps)
			}
		}
		if total != SampleRate {
			t.Errorf("%d sample frames in a second at %d fps", total, fps)
		}
	}
}

func TestTheInputBlockIsReadAsTheABISays(t *testing.T) {
	p := &probe{fps: 60}
	c := NewConsole(p)
	c.Init(1)
	b := c.Input()
	le := binary.LittleEndian
	le.PutUint64(b[0:], 1<<40+5)
	le.PutUint64(b[8:], 1767225600123)
	le.PutUint32(b[16:], 0b1000)
	s := b[32+3*80:]
	le.PutUint32(s[0:], 7)
	le.PutUint32(s[4:], 1<<9|1<<16)
	for i, v := range []int16{-32767, 32767, 5, -5} {
		le.PutUint16(s[8+2*i:], uint16(v))
	}
	s[16+0xe1/8] |= 1 << (0xe1 % 8)
	le.PutUint16(s[48:], 65535)
	le.PutUint16(s[50:], 1)
	for i, v := range []int32{-3, 4, -5} {
		le.PutUint32(s[52+4*i:], uint32(v))
	}
	s[64] = 5
	c.Tick()
	in := p.seen
	got := in.Seats[3]
	if in.Tick != 1<<40+5 || in.WallMS != 1767225600123 || in.Seats[0].Connected || !got.Connected || !got.Gamepad || !got.HasPointer {
		t.Errorf("head or flags: %+v", in)
	}
	if !got.PadPressed(PadStart) || !got.PadHeld(PadHome) || got.PadHeld(PadA) || got.Axes != [4]int16{-32767, 32767, 5, -5} {
		t.Errorf("gamepad: %+v", got)
	}
	if !got.Pressed(KeyLeftShift) || got.Held(KeyA) || !got.Anything() {
		t.Errorf("keys: %x", got.Keys)
	}
	if x, y := got.Pointer(640, 360); x != 639 || y != 0 || got.DX != -3 || got.DY != 4 || got.Wheel != -5 || !got.MousePressed(2) || got.MouseHeld(1) {
		t.Errorf("pointer: %+v", got)
	}
	c.Tick()
	got = p.seen.Seats[3]
	if got.Pressed(KeyLeftShift) || !got.Held(KeyLeftShift) || got.Anything() || got.PadPressed(PadStart) {
		t.Error("a key that stays down counts as pressed again")
	}
	clear(s[16:48])
	c.Tick()
	if got = p.seen.Seats[3]; !got.Released(KeyLeftShift) || got.Held(KeyLeftShift) {
		t.Error("a key that went up is not released")
	}
}

func TestStickMergesItsParts(t *testing.T) {
	var s Seat
	s.Keys[KeyD>>6] |= 1 << (KeyD & 63)
	if x, _ := s.Stick(true, false); x != 0 {
		t.Error("WASD counts though it was not asked for")
	}
	if x, _ := s.Stick(true, true); x != 1 {
		t.Errorf("D gives x = %v", x)
	}
	s.Axes = [4]int16{-32768, 32767, 0, 0}
	if x, y := s.Stick(true, true); x != 0 || y != 1 {
		t.Errorf("D against the stick gives %v, %v", x, y)
	}
	s.Axes = [4]int16{deadZone, -deadZone, 0, 0}
	if x, y := s.Stick(false, false); x != 0 || y != 0 {
		t.Errorf("a resting stick gives %v, %v", x, y)
	}
}

func TestInfoWords(t *testing.T) {
	c := NewConsole(&probe{fps: 60})
	if want := [8]uint32{64, 48, 60, 48000, 2, 4, 7, 0}; c.words != want {
		t.Errorf("%v, want %v", c.words, want)
	}
}

func TestRand(t *testing.T) {
	a, b, c := NewRand(1), NewRand(1), NewRand(2)
	same := 0
	var seen [10]int
	for range 10000 {
		v := a.Uint32()
		if v != b.Uint32() {
			t.Fatal("equal seeds differ")
		}
		if v == c.Uint32() {
			same++
		}
		seen[a.Intn(10)]++
		b.Uint32()
		if f := a.Range(-2, 3); f < -2 || f >= 3 {
			t.Fatalf("Range gave %v", f)
		}
		b.Uint32()
	}
	if same > 3 {
		t.Errorf("two seeds agree %d times", same)
	}
	for d, n := range seen {
		if n < 850 || n > 1150 {
			t.Errorf("digit %d came %d times in 10000", d, n)
		}
	}
	if a.Intn(0) != 0 || a.Intn(-3) != 0 {
		t.Error("Intn of nothing is not 0")
	}
}

func TestSaveAndLoad(t *testing.T) {
	if Save(nil) || Save(make([]byte, MaxSave+1)) {
		t.Error("an empty or oversized save was taken")
	}
	if !Save([]byte("abc")) {
		t.Fatal("a small save was refused")
	}
	var b [8]byte
	if n := Load(b[:]); n != 3 || string(b[:n]) != "abc" {
		t.Errorf("loaded %q", b[:n])
	}
}
