package gpu

import (
	"testing"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/gpu/worker"
)

// proven is a sink that also wants the proof of what is played.
type proven struct {
	sink
	seconds []uint32
	states  []string
}

func (p *proven) Segment(s segment.Second) { p.seconds = append(p.seconds, s.Number) }

func (p *proven) State(_ uint32, read func() ([]byte, error)) {
	b, err := read()
	if err != nil {
		b = []byte(err.Error())
	}
	p.states = append(p.states, string(b))
}

var _ worker.SegmentSink = (*proven)(nil)

func TestProofReachesWhoWantsIt(t *testing.T) {
	read := func() ([]byte, error) { return []byte("state"), nil }
	r := newRelay(nil)
	r.Segment(segment.Second{Number: 1}) // nobody has attached: a worker that waits plays nothing
	r.State(1, read)
	var p proven
	if !r.attach(&p) {
		t.Fatal("a living worker cannot be attached to")
	}
	r.State(2, read)
	r.Segment(segment.Second{Number: 2})
	if len(p.seconds) != 1 || p.seconds[0] != 2 || len(p.states) != 1 || p.states[0] != "state" {
		t.Errorf("%v %v", p.seconds, p.states)
	}
	plain := newRelay(nil)
	plain.attach(&sink{}) // wants no proof
	plain.State(3, func() ([]byte, error) { t.Error("read for nobody"); return nil, nil })
	plain.Segment(segment.Second{})
}
