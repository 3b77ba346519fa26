package player

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// frames makes the packets of n frames, the first of them a key frame.
func frames(n int) (packets []*rtp.Packet) {
	pl := &codecs.H264Payloader{}
	seq := uint16(65530) // wraps around
	for i := range n {
		au := append([]byte{0, 0, 0, 1, 0x41}, bytes.Repeat([]byte{byte(i + 1)}, 2500)...)
		if i == 0 {
			au = append([]byte{0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 4, 0, 0, 0, 1, 0x65}, bytes.Repeat([]byte{9}, 2500)...)
		}
		parts := pl.Payload(1000, au)
		for k, p := range parts {
			packets = append(packets, &rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: uint32(i * 1500), Marker: k == len(parts)-1}, Payload: p})
			seq++
		}
	}
	return packets
}

type seen struct{ frames, decodable, keys int }

func run(a *assembler, packets []*rtp.Packet) (s seen, broken bool) {
	for _, p := range packets {
		broken = a.push(p, func(f frame) {
			s.frames++
			if f.decodable {
				s.decodable++
			}
			if f.key {
				s.keys++
			}
		})
	}
	return s, broken
}

func TestAssembler(t *testing.T) {
	all := frames(100)
	reordered := append([]*rtp.Packet(nil), all...)
	for i := 4; i+1 < len(reordered); i += 7 {
		reordered[i], reordered[i+1] = reordered[i+1], reordered[i]
	}
	late := append([]*rtp.Packet(nil), all[:10]...)
	late = append(late, all[11:60]...)
	late = append(late, all[10])
	late = append(late, all[60:]...)
	for name, c := range map[string]struct {
		in     []*rtp.Packet
		want   seen
		broken bool
		lost   uint64
	}{
		"in order":            {all, seen{100, 100, 1}, false, 0},
		"neighbours swapped":  {reordered, seen{100, 100, 1}, false, 0},
		"one repeated late":   {late, seen{100, 100, 1}, false, 0},
		"twice":               {append(append([]*rtp.Packet(nil), all...), all...), seen{100, 100, 1}, false, 0},
		"one lost":            {append(append([]*rtp.Packet(nil), all[:20]...), all[21:]...), seen{99, 6, 1}, true, 1},
		"without a key frame": {all[4:], seen{99, 0, 0}, true, 0},
	} {
		var a assembler
		got, broken := run(&a, c.in)
		if got != c.want || broken != c.broken || a.lost != c.lost {
			t.Errorf("%s: %+v, broken %v, lost %d; want %+v, %v, %d", name, got, broken, a.lost, c.want, c.broken, c.lost)
		}
	}
}

func TestAKeyFrameMendsThePicture(t *testing.T) {
	var a assembler
	all := frames(100)
	if _, broken := run(&a, append(all[:20:20], all[21:]...)); !broken {
		t.Fatal("a lost packet went unnoticed")
	}
	again := frames(10)
	for i, p := range again {
		p.SequenceNumber = all[len(all)-1].SequenceNumber + 1 + uint16(i)
	}
	if got, broken := run(&a, again); broken || got.decodable != 10 {
		t.Errorf("%+v, broken %v", got, broken)
	}
}

func FuzzAssembler(f *testing.F) {
	f.Add([]byte{0, 1, 0x65, 2, 1, 0x41, 1, 0, 0x41})
	f.Add([]byte{0, 0, 0x7C, 0, 1, 0x1C, 0, 1, 0x18})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a assembler
		n := 0
		for ; len(b) >= 3; b = b[3:] {
			p := &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(b[0]) << 3, Marker: b[1]&1 != 0}, Payload: append([]byte(nil), b[2:min(len(b), 2+int(b[1]>>1))]...)}
			n++
			a.push(p, func(f frame) {
				if len(f.data) == 0 {
					t.Fatal("an empty frame")
				}
			})
			if len(a.held) > reorder+1 {
				t.Fatalf("%d packets are held", len(a.held))
			}
		}
	})
}
