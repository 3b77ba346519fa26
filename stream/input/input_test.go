package input

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func sample() State {
	s := State{Pad: 2, Flags: FlagConnected | FlagPointer, Seq: 0x01020304, Buttons: 1<<16 | 1, Axes: [4]int16{-32767, 32767, 1, -1},
		X: 0xABCD, Y: 0x1234, DX: -2, DY: 7, Wheel: math.MinInt32, Pointer: 5}
	s.Hold(0x04, true)
	s.Hold(0xE1, true)
	return s
}

// The layout is a contract with the page: these bytes were written by hand from the
// table in docs/spec/session.md.
func TestStateLayout(t *testing.T) {
	s := sample()
	want := "01" + "02" + "0500" + "04030201" + "01000100" + "0180ff7f0100ffff" +
		"1000000000000000000000000000000000000000000000000000000002000000" +
		"cdab" + "3412" + "feffffff" + "07000000" + "00000080" + "05" + "000000"
	if got := hex.EncodeToString(s.Append(nil)); got != want {
		t.Errorf("state\n got %s\nwant %s", got, want)
	}
	if got := hex.EncodeToString(Slack{Samples: 15, MS: 1.5, PeriodMS: 16}.Append(nil)); got != "02000f000000c03f00008041" {
		t.Errorf("slack: %s", got)
	}
}

func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := State{
			Pad: rapid.Uint8Range(0, 3).Draw(t, "pad"), Flags: rapid.Uint16Range(0, 7).Draw(t, "flags"), Seq: rapid.Uint32().Draw(t, "seq"),
			Buttons: rapid.Uint32Range(0, buttonsKnown).Draw(t, "buttons"), X: rapid.Uint16().Draw(t, "x"), Y: rapid.Uint16().Draw(t, "y"),
			DX: rapid.Int32().Draw(t, "dx"), DY: rapid.Int32().Draw(t, "dy"), Wheel: rapid.Int32().Draw(t, "wheel"), Pointer: rapid.Uint8Range(0, 7).Draw(t, "pointer"),
		}
		for i := range s.Axes {
			s.Axes[i] = rapid.Int16Range(-32767, 32767).Draw(t, "axis")
		}
		copy(s.Keys[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "keys"))
		got, err := Decode(s.Append(nil))
		if err != nil || got != s {
			t.Fatalf("%+v, %v; want %+v", got, err, s)
		}
	})
}

func TestRefused(t *testing.T) {
	s := sample()
	good := s.Append(nil)
	with := func(off int, v byte) []byte { b := bytes.Clone(good); b[off] = v; return b }
	axis := bytes.Clone(good)
	axis[offAxes], axis[offAxes+1] = 0, 0x80
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"short": {good[:71], ErrSize}, "long": {append(bytes.Clone(good), 0), ErrSize}, "empty": {nil, ErrSize},
		"kind": {with(0, 2), ErrKind}, "pad": {with(1, 4), ErrValue}, "flag": {with(2, 8), ErrValue}, "button": {with(10, 2), ErrValue},
		"pointer": {with(68, 8), ErrValue}, "reserved": {with(71, 1), ErrValue}, "axis": {axis, ErrValue},
	} {
		if _, err := Decode(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	nan := float32(math.NaN())
	for name, s := range map[string]Slack{
		"nan slack": {1, nan, 16}, "nan period": {1, 1, nan}, "infinite": {1, float32(math.Inf(1)), 16},
		"period zero": {1, 1, 0}, "period long": {1, 1, 51}, "slack far": {1, -1001, 16},
	} {
		if _, err := DecodeSlack(s.Append(nil)); !errors.Is(err, ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewerWrapsAround(t *testing.T) {
	for _, c := range []struct {
		a, b uint32
		want bool
	}{{1, 0, true}, {0, 1, false}, {5, 5, false}, {0, math.MaxUint32, true}, {math.MaxUint32, 0, false}, {1 << 31, 1, true}} {
		if got := Newer(c.a, c.b); got != c.want {
			t.Errorf("Newer(%d, %d) = %v", c.a, c.b, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := sample()
	f.Add(s.Append(nil))
	f.Add(make([]byte, StateSize))
	f.Add(Slack{15, 1.5, 16.7}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Decode(b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatalf("%x decodes to %+v, which codes to %x", b, s, s.Append(nil))
		}
		if s, err := DecodeSlack(b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatalf("%x decodes to %+v", b, s)
		}
	})
}
