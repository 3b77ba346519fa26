package worker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/segment"
)

func TestFramesThereAndBack(t *testing.T) {
	u := AccessUnit{Data: []byte{0, 0, 1, 9}, Key: true, Tick: 1 << 40, PTS: 3 * time.Hour, Acked: [Seats]uint32{1, 2, 3, 4}}
	a := AudioPacket{Data: []byte{1, 2}, PTS: time.Second, Duration: 10 * time.Millisecond}
	var pipe bytes.Buffer
	pipe.Write(appendVideo([]byte("old"), u))
	pipe.Write(appendAudio(nil, a))
	pipe.Write(appendFrame(nil, msgBeat, nil))
	r := newReader(&pipe, toParent)
	typ, body, err := r.next()
	if got, err2 := parseVideo(body); typ != msgVideo || err != nil || err2 != nil || !reflect.DeepEqual(got, u) {
		t.Errorf("%q %+v %v %v", typ, got, err, err2)
	}
	typ, body, err = r.next()
	if got, err2 := parseAudio(body); typ != msgAudio || err != nil || err2 != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%q %+v %v %v", typ, got, err, err2)
	}
	if typ, body, err = r.next(); typ != msgBeat || len(body) != 0 || err != nil {
		t.Error(typ, body, err)
	}
	if _, _, err = r.next(); err != io.EOF {
		t.Error(err)
	}
}

func TestReaderRefuses(t *testing.T) {
	long := binary.LittleEndian.AppendUint32([]byte{msgVideo}, 1<<31)
	for name, b := range map[string][]byte{
		"unknown type":     {'?', 0, 0, 0, 0},
		"too long":         long,
		"other direction":  appendFrame(nil, msgInput, make([]byte, 73)),
		"cut in the head":  {msgBeat, 0},
		"cut in the body":  {msgStats, 9, 0, 0, 0, '{'},
		"body where none":  {msgBeat, 1, 0, 0, 0, 0},
		"video of nothing": nil,
	} {
		if name == "video of nothing" {
			if _, err := parseVideo(nil); !errors.Is(err, ErrWire) {
				t.Error(name, err)
			}
			if _, err := parseAudio(nil); !errors.Is(err, ErrWire) {
				t.Error(name, err)
			}
			continue
		}
		if _, _, err := newReader(bytes.NewReader(b), toParent).next(); !errors.Is(err, ErrWire) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A length is not memory: a frame that claims 8 MiB and ends at once costs a page.
func TestALengthAloneCostsNothing(t *testing.T) {
	head := binary.LittleEndian.AppendUint32([]byte{msgVideo}, maxVideo)
	r := newReader(bytes.NewReader(head), toParent)
	if _, _, err := r.next(); !errors.Is(err, ErrWire) {
		t.Fatal(err)
	}
	if cap(r.buf) > 128<<10 {
		t.Errorf("%d bytes were set aside for a body that never came", cap(r.buf))
	}
}

// FuzzParent reads what a child that was taken over might send.
func FuzzParent(f *testing.F) {
	f.Add(appendVideo(nil, AccessUnit{Data: []byte{1}}))
	f.Add(appendAudio(nil, AudioPacket{Data: []byte{1}}))
	f.Add(append(appendFrame(nil, msgHello, nil), appendFrame(nil, msgReady, []byte(`{"width":640}`))...))
	f.Add(appendFrame(nil, msgEnd, []byte(`{"code":"app","text":"x"}`)))
	second := segment.Second{Number: 1, Roots: segment.Roots{Ticks: 1}, Events: []segment.Event{{Kind: segment.EventSit}}}
	f.Add(append(appendFrame(nil, msgState, []byte{1, 0, 0, 0}), appendFrame(nil, msgSegment, second.Append(nil))...))
	none, err := NewSnapshotFile()
	if err != nil {
		f.Fatal(err)
	}
	defer none.Close()
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &Process{sink: silent{}, snap: none, done: make(chan struct{})}
		end, err := p.dispatch(newReader(bytes.NewReader(b), toParent))
		if err != nil && !errors.Is(err, ErrWire) {
			t.Fatal(err)
		}
		if err := reason(nil, end, exit{code: 1}, string(b)); err == nil || err.Error() == "" {
			t.Fatal("an end without a reason")
		}
	})
}

// silent is a Sink that does nothing.
type silent struct{}

func (silent) Ready(Info)        {}
func (silent) Video(AccessUnit)  {}
func (silent) Audio(AudioPacket) {}
func (silent) Stats(Stats)       {}
func (silent) Exited(error)      {}

func (silent) Segment(segment.Second) {}
func (silent) State(_ uint32, read func() ([]byte, error)) {
	if _, err := read(); err == nil {
		panic("read a state out of an empty file")
	}
}

// FuzzChild reads what a parent might send, with inputs that came from a page.
func FuzzChild(f *testing.F) {
	f.Add(appendFrame(nil, msgInput, append([]byte{0}, state(1, withKey(4))...)))
	f.Add(append(appendFrame(nil, msgSeat, []byte{1, 1}), appendFrame(nil, msgInput, append([]byte{1}, state(7, nil)...))...))
	f.Add(appendFrame(nil, msgShift, []byte{255, 255, 255, 255, 255, 255, 255, 127}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newControl()
		if err := c.readAll(newReader(bytes.NewReader(b), toChild)); err != nil && !errors.Is(err, ErrWire) {
			t.Fatal(err)
		}
		events, o := c.take()
		if len(events) > maxWaiting {
			t.Fatalf("%d events wait", len(events))
		}
		clock := tickClock{period: time.Second / 60}
		clock.shift(o.shift)
		if clock.wanted > clock.period || clock.wanted < -clock.period {
			t.Fatalf("a shift of %v", clock.wanted)
		}
	})
}

// FuzzConfig reads configurations.
func FuzzConfig(f *testing.F) {
	c, err := Spec{Module: "/m", CacheDir: "/c", Save: []byte("x")}.config()
	if err != nil {
		f.Fatal(err)
	}
	b, _ := json.Marshal(c)
	f.Add(b)
	f.Add([]byte(`{"module":"/m","sha256":"zz","bitrate":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, _, err := parseConfig(b)
		if err != nil {
			if !errors.Is(err, ErrWire) {
				t.Fatal(err)
			}
			return
		}
		if !filepath.IsAbs(c.Module) || len(c.Save) > maxSave || c.Bitrate <= 0 {
			t.Fatalf("took %+v", c)
		}
	})
}
