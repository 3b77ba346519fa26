package worker

import (
	"encoding/binary"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

// put sends a message through the same way as the pipe's.
func put(t *testing.T, s *seatInput, seq uint32, change func([]byte)) {
	t.Helper()
	m, ok := parseState(state(seq, change))
	if !ok {
		t.Fatal("not a state")
	}
	s.put(m)
}

func seated() *seatInput {
	var s seatInput
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
	m, ok := parseState(state(1, func(b []byte) { binary.LittleEndian.PutUint16(b[12:], 0x8000) }))
	if !ok || m.axes[0] != -32767 {
		t.Errorf("axis %d", m.axes[0])
	}
}

// state makes the 72 bytes of a seat state.
func state(seq uint32, change func([]byte)) []byte {
	b := make([]byte, stateLen)
	b[0], b[2] = stateKind, 1
	binary.LittleEndian.PutUint32(b[4:], seq)
	if change != nil {
		change(b)
	}
	return b
}

func withKey(usage int) func([]byte) {
	return func(b []byte) { b[20+usage/8] |= 1 << (usage % 8) }
}
