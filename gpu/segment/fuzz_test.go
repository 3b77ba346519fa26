package segment

import (
	"bytes"
	"errors"
	"testing"
)

// aSecond is one with everything in it.
func aSecond() Second {
	return Second{Number: 7, Restored: true, Tick: 420, Start: [32]byte{1}, TickRoot: [32]byte{2},
		Roots: Roots{State: [32]byte{3}, Input: [32]byte{4}, Frame: [32]byte{5}, Audio: [32]byte{6}, Ticks: 3},
		Wall:  []int64{-1, 0, 1},
		Events: []Event{{Kind: EventSit, Seat: 3}, {Kind: EventState, Seat: 3, State: message(9, keyZ)},
			{Tick: 2, Kind: EventRelease}, {Tick: 2, Seat: 1, Kind: EventLeave}}}
}

func aState() []byte {
	s := State{Params: Params{App: [32]byte{1}, Arch: "amd64", Seed: 7, Memory: 1 << 20, Save: []byte("save")}, Number: 9}
	return append(s.AppendHead(nil), "snapshot"...)
}

func aWindow() Window {
	first, second := aSecond(), aSecond()
	second.Number, second.Restored, second.Wall, second.Events = 8, false, nil, nil
	return Window{Params: Params{App: [32]byte{1}, Arch: "arm64", Memory: 1 << 20, Save: []byte("s")}, Base: true,
		Packed: pack([]byte("delta")), Seconds: []Second{first, second}}
}

// FuzzSecond: what is taken is written the same way again, and is within its limits.
func FuzzSecond(f *testing.F) {
	s := aSecond()
	f.Add(s.Append(nil))
	f.Add([]byte{secondVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSecond(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(s.Append(nil), b) {
			t.Fatal("not the canonical encoding")
		}
		if s.Roots.Ticks > MaxTicks || len(s.Events) > MaxEvents {
			t.Fatalf("%d ticks, %d events", s.Roots.Ticks, len(s.Events))
		}
		s.InputRoot()
		var seats Seats
		for i := range s.Events {
			seats.Apply(&s.Events[i])
			for _, in := range seats.Tick() {
				for _, a := range in.Axes {
					if a == -32768 {
						t.Fatal("an axis beyond its range")
					}
				}
			}
		}
	})
}

// FuzzWindow reads windows, and unpacks their states.
func FuzzWindow(f *testing.F) {
	w := aWindow()
	f.Add(w.Append(nil))
	f.Add([]byte(windowMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ParseWindow(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if len(w.Seconds) > MaxSeconds || !bytes.Equal(w.Append(nil), b) {
			t.Fatal("not the canonical encoding")
		}
		w.Params.Memory = min(w.Params.Memory, 1<<20)
		if _, err := w.unpackState(nil); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}

// FuzzState reads what a worker that was taken over might hand over.
func FuzzState(f *testing.F) {
	f.Add(aState())
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseState(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(append(s.AppendHead(nil), s.App...), b) {
			t.Fatal("not the canonical encoding")
		}
	})
}

// FuzzLog reads files that a kill or a failing disk left behind.
func FuzzLog(f *testing.F) {
	s := aSecond()
	one := appendRecord(nil, &s)
	f.Add(append(bytes.Clone(one), one[:20]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		seconds, whole := parseLog(b)
		if whole > len(b) || len(seconds) > len(b)/secondFixed {
			t.Fatalf("%d seconds in %d of %d bytes", len(seconds), whole, len(b))
		}
		var again []byte
		for i := range seconds {
			again = appendRecord(again, &seconds[i])
		}
		if !bytes.Equal(again, b[:whole]) {
			t.Fatal("records that are not written like this")
		}
	})
}
