package app_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

func snapshot(t testing.TB, r app.Runtime) []byte {
	t.Helper()
	b, err := r.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reseal repairs length and checksum, so that a change gets past them.
func reseal(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
	body := b[:len(b)-4]
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func TestRestoreRefuses(t *testing.T) {
	r := open(t, read(t, "probe.wasm"), app.Options{})
	play(t, r, 5)
	good := snapshot(t, r)
	hash := stateHash(t, r)
	cart := open(t, read(t, "ball.wasm"), app.Options{})
	play(t, cart, 5)
	edit := func(f func(b []byte) []byte) []byte { return f(append([]byte(nil), good...)) }
	for name, b := range map[string][]byte{
		"nothing":        nil,
		"text":           []byte("a snapshot, I promise, and quite a long one at that: it must get past the length check"),
		"another module": snapshot(t, cart),
		"cut short":      good[:len(good)-1],
		"one bit":        edit(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		"newer":          edit(func(b []byte) []byte { b[7] = 2; return reseal(b) }),
		"more memory":    edit(func(b []byte) []byte { b[44] = 255; b[45] = 255; return reseal(b) }),
		"less memory":    edit(func(b []byte) []byte { b[44] = 1; return reseal(b) }),
		"more globals":   edit(func(b []byte) []byte { b[48]++; return reseal(b) }),
		"longer":         edit(func(b []byte) []byte { return reseal(append(b, 0, 0, 0, 0)) }),
	} {
		if err := r.Restore(b); !errors.Is(err, app.ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
		if stateHash(t, r) != hash {
			t.Fatalf("%s: a refused snapshot changed the state", name)
		}
	}
}

func TestSnapshotIsSparse(t *testing.T) {
	r := open(t, read(t, "probe.wasm"), app.Options{})
	play(t, r, 5)
	before := snapshot(t, r)
	// A page more, with one byte set at its end: 4 KiB, not 64, and the memory a
	// restore gives is as large.
	if err := press(t, r, app.ButtonR2); err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, r)
	if grown := len(after) - len(before); grown < 4096 || grown > 3*4096 {
		t.Fatalf("one byte in a new page takes %d bytes", grown)
	}
	hash := stateHash(t, r)
	if err := r.Restore(before); err != nil { // memory has to shrink
		t.Fatal(err)
	}
	if stateHash(t, r) == hash {
		t.Fatal("the old state has the new hash")
	}
	if err := r.Restore(after); err != nil { // and to grow
		t.Fatal(err)
	}
	if stateHash(t, r) != hash {
		t.Fatal("memory that grew did not come back")
	}
}

// TestHostStateTravels takes the clock, the random numbers and the save along.
func TestHostStateTravels(t *testing.T) {
	a := open(t, read(t, "probe.wasm"), app.Options{Save: []byte("old")})
	play(t, a, 5)
	for _, b := range []uint32{app.ButtonSelect, app.ButtonStart, app.ButtonL2} { // save, sleep, NaN
		if err := press(t, a, b); err != nil {
			t.Fatal(err)
		}
	}
	save, n := a.Saved()
	if len(save) != 4 || n != 1 {
		t.Fatalf("saved %q, %d times", save, n)
	}
	b := open(t, read(t, "probe.wasm"), app.Options{})
	if err := b.Restore(snapshot(t, a)); err != nil {
		t.Fatal(err)
	}
	if got, n := b.Saved(); string(got) != string(save) || n != 1 {
		t.Fatalf("the save did not travel: %q, %d times", got, n)
	}
	if play(t, a, 20) != play(t, b, 20) || stateHash(t, a) != stateHash(t, b) {
		t.Fatal("a game that slept and saved goes on differently")
	}
}

// TestSnapshotAtStart holds before the first tick too.
func TestSnapshotAtStart(t *testing.T) {
	for _, name := range []string{"probe.wasm", "ball.wasm", "draws.wasm"} {
		a, b := open(t, read(t, name), app.Options{}), open(t, read(t, name), app.Options{Seed: 1})
		play(t, b, 3)
		if err := b.Restore(snapshot(t, a)); err != nil {
			t.Fatal(err)
		}
		if b.NextTick() != 0 || play(t, a, 5) != play(t, b, 5) {
			t.Fatalf("%s: a game restored to its start goes on differently", name)
		}
	}
}

// FuzzRestore feeds snapshots, whole and resealed, to one runtime: no panic, and
// what is refused changes nothing.
func FuzzRestore(f *testing.F) {
	r := open(f, read(f, "ball.wasm"), app.Options{})
	play(f, r, 5)
	good := snapshot(f, r)
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte("FMSTATE\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 16 {
			b = reseal(append([]byte(nil), b...))
		}
		before := stateHash(t, r)
		err := r.Restore(b)
		switch {
		case err == nil:
			in := input(r.NextTick())
			if _, _, err := r.Tick(t.Context(), in); err != nil {
				t.Skip("a foreign state may well trap")
			}
		case !errors.Is(err, app.ErrSnapshot):
			t.Fatalf("refused with %v", err)
		case stateHash(t, r) != before:
			t.Fatal("a refused snapshot changed the state")
		}
		if err := r.Restore(good); err != nil {
			t.Fatal(err)
		}
	})
}

func TestInputBlock(t *testing.T) {
	in := input(12345)
	in.Seats[2] = app.Seat{Flags: app.SeatConnected, DX: -5, DY: 7, Wheel: -1}
	var b [app.InputSize]byte
	for i := range b {
		b[i] = 0xaa // what was there must go
	}
	in.MarshalTo(b[:])
	back, err := app.UnmarshalInput(b[:])
	if err != nil || back != *in {
		t.Fatalf("%+v, %v", back, err)
	}
	if b[16] != 0b101 {
		t.Fatalf("seat mask %b", b[16])
	}
	b[351] = 1
	if _, err := app.UnmarshalInput(b[:]); err == nil {
		t.Fatal("a block with junk in it was read")
	}
	if _, err := app.UnmarshalInput(b[:350]); err == nil {
		t.Fatal("a short block was read")
	}
}

func FuzzUnmarshalInput(f *testing.F) {
	var b [app.InputSize]byte
	input(7).MarshalTo(b[:])
	f.Add(b[:])
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := app.UnmarshalInput(b)
		if err != nil {
			return
		}
		var again [app.InputSize]byte
		if in.MarshalTo(again[:]); string(again[:]) != string(b) {
			t.Fatal("an input block does not survive being read and written")
		}
	})
}
