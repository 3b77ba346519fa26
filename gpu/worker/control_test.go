package worker

import (
	"encoding/binary"
	"testing"

	"github.com/framemesh/framemesh/gpu/segment"
)

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

func tell(t *testing.T, c *control, typ byte, body ...byte) {
	t.Helper()
	if err := c.apply(typ, body); err != nil {
		t.Fatal(err)
	}
}

func TestEventsKeepTheirOrder(t *testing.T) {
	c := newControl()
	tell(t, c, msgSeat, 1, 1)
	tell(t, c, msgInput, append([]byte{1}, state(1, withKey(4))...)...)
	tell(t, c, msgPause, 1)
	tell(t, c, msgSeat, 1, 0)
	events, _ := c.take()
	var kinds []byte
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if string(kinds) != string([]byte{segment.EventSit, segment.EventState, segment.EventRelease, segment.EventLeave}) ||
		events[1].Seat != 1 || events[1].State != [stateLen]byte(state(1, withKey(4))) {
		t.Errorf("%v", events)
	}
	if again, _ := c.take(); len(again) != 0 {
		t.Errorf("%d events come twice", len(again))
	}
}

// While no tick runs the newest state is what counts, and who sits stays seated.
func TestTooManyMessagesLoseTheOldest(t *testing.T) {
	c := newControl()
	tell(t, c, msgSeat, 0, 1)
	for seq := range uint32(5000) {
		tell(t, c, msgInput, append([]byte{0}, state(seq+1, nil)...)...)
	}
	events, _ := c.take()
	var seats segment.Seats
	for i := range events {
		seats.Apply(&events[i])
	}
	if len(events) != maxWaiting || seats.Acked()[0] != 5000 {
		t.Errorf("%d events, the newest number %d", len(events), seats.Acked()[0])
	}
	for range 1000 {
		tell(t, c, msgPause, 0)
	}
	if events, _ = c.take(); len(events) != maxWaiting {
		t.Errorf("%d events", len(events))
	}
}
