package player

import (
	"bytes"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// reorder is how many packets behind a missing one are kept before it is given up.
const reorder = 128

// frame is a complete coded picture.
type frame struct {
	timestamp uint32 // 90 kHz
	data      []byte // Annex B; valid until the next packet
	key       bool
	decodable bool // a key frame came before it, and nothing was lost since
}

// assembler puts RTP packets back into order and into frames. It is pure: what arrives
// goes in, what is complete comes out.
type assembler struct {
	depacket codecs.H264Packet
	held     map[uint16]*rtp.Packet
	next     uint16
	begun    bool
	data     []byte
	spoiled  bool // a packet of the current frame is missing
	intact   bool // since the last key frame
	lost     uint64
}

// push takes in a packet and calls emit for each frame that is complete with it. It
// reports whether the picture is broken until a key frame comes.
func (a *assembler) push(p *rtp.Packet, emit func(frame)) (broken bool) {
	if a.held == nil {
		a.held = map[uint16]*rtp.Packet{}
	}
	if !a.begun {
		a.next, a.begun = p.SequenceNumber, true
	}
	if int16(p.SequenceNumber-a.next) < 0 {
		return !a.intact // late or repeated
	}
	a.held[p.SequenceNumber] = p
	a.drain(emit)
	if len(a.held) > reorder {
		for a.held[a.next] == nil {
			a.next++
			a.lost++
		}
		a.spoiled, a.intact = true, false
		a.drain(emit)
	}
	return !a.intact
}

func (a *assembler) drain(emit func(frame)) {
	for {
		p := a.held[a.next]
		if p == nil {
			return
		}
		delete(a.held, a.next)
		a.next++
		nal, err := a.depacket.Unmarshal(p.Payload)
		if err != nil {
			a.spoiled = true
		}
		a.data = append(a.data, nal...)
		if !p.Marker {
			continue
		}
		if !a.spoiled && len(a.data) > 0 {
			f := frame{timestamp: p.Timestamp, data: a.data, key: isKey(a.data)}
			a.intact = a.intact || f.key
			f.decodable = a.intact
			emit(f)
		} else {
			a.intact = false
		}
		a.data, a.spoiled = a.data[:0], false
	}
}

// isKey reports whether an access unit holds an IDR slice.
func isKey(au []byte) bool {
	for {
		i := bytes.Index(au, []byte{0, 0, 1})
		if i < 0 || i+3 >= len(au) {
			return false
		}
		if au[i+3]&0x1F == 5 {
			return true
		}
		au = au[i+3:]
	}
}
