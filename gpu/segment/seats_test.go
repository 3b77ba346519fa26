package segment

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

// one is a player's seat among the four.
type one struct{ all Seats }

func (s *one) tick() app.Seat { return s.all.Tick()[2] }

func (s *one) acked() uint32 { return s.all.Acked()[2] }

func (s *one) seat(connected bool) {
	e := Event{Seat: 2, Kind: EventLeave}
	if connected {
		e.Kind = EventSit
	}
	s.all.Apply(&e)
}

func (s *one) release() { s.all.Apply(&Event{Kind: EventRelease}) }

// put hands a message to the seat, and sends the seats through their encoding.
func put(t *testing.T, s *one, seq uint32, change func([]byte)) {
	t.Helper()
	s.all.Apply(&Event{Seat: 2, Kind: EventState, State: state(seq, change)})
	again, err := ParseSeats(s.all.Append(nil))
	if err != nil || again != s.all {
		t.Fatalf("the seats' encoding: %v", err)
	}
	s.all = again
}

func seated() *one {
	var s one
	s.seat(true)
	return &s
}

func TestTapShorterThanATickIsSeenByOneTick(t *testing.T) {
	s := seated()
	put(t, s, 1, func(b []byte) { b[8], b[68] = 1, 2; withKey(0x1d)(b) })
	put(t, s, 2, nil)
	in := s.tick()
	if !in.Key(0x1d) || in.Buttons != app.ButtonA || in.PointerButtons != 2 {
		t.Errorf("the tap is lost: %+v", in)
	}
	if in = s.tick(); in.Key(0x1d) || in.Buttons != 0 || in.PointerButtons != 0 {
		t.Errorf("the tap stays: %+v", in)
	}
}

func TestHeldStaysHeld(t *testing.T) {
	s := seated()
	put(t, s, 1, withKey(4))
	for range 3 {
		if in := s.tick(); !in.Key(4) {
			t.Fatal("let go")
		}
	}
	put(t, s, 2, nil)
	// A key that was held before is not a tap: the tick after its release sees none.
	if in := s.tick(); in.Key(4) {
		t.Error("a released key is still held")
	}
}

func TestOlderMessagesAreLeftOut(t *testing.T) {
	s := seated()
	put(t, s, 0xffff_fffe, withKey(4))
	put(t, s, 0xffff_fffd, withKey(5)) // late
	put(t, s, 0xffff_fffe, withKey(6)) // twice
	in := s.tick()
	if !in.Key(4) || in.Key(5) || in.Key(6) || s.acked() != 0xffff_fffe {
		t.Errorf("%+v", in)
	}
	put(t, s, 1, withKey(7)) // newer, past the wrap
	if in = s.tick(); !in.Key(7) || s.acked() != 1 {
		t.Error("a sequence number past the wrap is not newer")
	}
}

func TestRelativeMotionAddsUpBetweenTicks(t *testing.T) {
	move := func(dx, dy, wheel int32) func([]byte) {
		return func(b []byte) {
			binary.LittleEndian.PutUint32(b[56:], uint32(dx))
			binary.LittleEndian.PutUint32(b[60:], uint32(dy))
			binary.LittleEndian.PutUint32(b[64:], uint32(wheel))
		}
	}
	s := seated()
	put(t, s, 1, move(1000, -1000, 7)) // where the page's sums stand when it connects
	if in := s.tick(); in.DX != 0 || in.DY != 0 || in.Wheel != 0 {
		t.Errorf("the first message moved: %+v", in)
	}
	put(t, s, 2, move(1010, -1000, 7))
	put(t, s, 3, move(1015, -1005, 8))
	if in := s.tick(); in.DX != 15 || in.DY != -5 || in.Wheel != 1 {
		t.Errorf("%d %d %d", in.DX, in.DY, in.Wheel)
	}
	if in := s.tick(); in.DX != 0 || in.DY != 0 || in.Wheel != 0 {
		t.Error("motion comes twice")
	}
	put(t, s, 4, move(-0x8000_0000, 0, 8))
	s.tick()
	put(t, s, 5, move(0x7fff_ffff, 0, 8))
	if in := s.tick(); in.DX != -1 {
		t.Errorf("a wrapping sum moved by %d", in.DX)
	}
}

func TestSeatingReleasesAndStartsAnew(t *testing.T) {
	s := seated()
	put(t, s, 900, withKey(4))
	s.seat(true) // the page was reloaded: its sequence numbers begin again
	if in := s.tick(); in.Key(4) || in.Flags&app.SeatConnected == 0 {
		t.Errorf("%+v", in)
	}
	put(t, s, 1, withKey(5))
	if in := s.tick(); !in.Key(5) {
		t.Error("the new connection is not heard")
	}
	s.seat(false)
	put(t, s, 2, withKey(6))
	if in := s.tick(); in != (app.Seat{}) {
		t.Errorf("an empty seat plays: %+v", in)
	}
}

func TestReleaseKeepsTheConnection(t *testing.T) {
	s := seated()
	put(t, s, 5, withKey(4))
	s.release()
	if in := s.tick(); in.Key(4) || in.Flags&app.SeatConnected == 0 {
		t.Errorf("%+v", in)
	}
	put(t, s, 4, withKey(4)) // old
	if in := s.tick(); in.Key(4) {
		t.Error("an old message came back")
	}
}

func TestAxisNeverOverflows(t *testing.T) {
	s := seated()
	put(t, s, 1, func(b []byte) { binary.LittleEndian.PutUint16(b[12:], 0x8000) })
	if in := s.tick(); in.Axes[0] != -32767 {
		t.Errorf("axis %d", in.Axes[0])
	}
}

func TestWhatNoRecorderWritesIsIgnored(t *testing.T) {
	s := seated()
	before := s.all
	for _, e := range []Event{{Kind: 9}, {Seat: 4, Kind: EventSit}, {Seat: 2, Kind: EventState}, {Seat: 1, Kind: EventRelease}} {
		if s.all.Apply(&e); s.all != before {
			t.Errorf("%+v changed the seats", e)
		}
	}
	if _, err := ParseSeats(make([]byte, SeatsSize-1)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// state makes the 72 bytes of a seat state.
func state(seq uint32, change func([]byte)) [StateSize]byte {
	b := message(seq)
	clear(b[56:])
	if change != nil {
		change(b[:])
	}
	return b
}

func withKey(usage int) func([]byte) {
	return func(b []byte) { b[20+usage/8] |= 1 << (usage % 8) }
}
