package session

import (
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// notebook is a Work that writes down what it is told.
type notebook struct {
	mu      sync.Mutex
	tell    func(control.Message)
	seconds []segment.Second
	states  int
	signed  []stream.Signed
	ended   []Ended
}

func (n *notebook) note(f func())                     { n.mu.Lock(); defer n.mu.Unlock(); f() }
func (n *notebook) Attach(tell func(control.Message)) { n.note(func() { n.tell = tell }) }
func (n *notebook) Second(s segment.Second)           { n.note(func() { n.seconds = append(n.seconds, s) }) }
func (n *notebook) State(func() ([]byte, error))      { n.note(func() { n.states++ }) }
func (n *notebook) Signed(m stream.Signed)            { n.note(func() { n.signed = append(n.signed, m) }) }
func (n *notebook) End(e Ended)                       { n.note(func() { n.ended = append(n.ended, e) }) }

var _ Work = (*notebook)(nil)

// What the worker recorded and the pages signed reaches whoever keeps the proof, over a
// crash too; the last word says when the session was asked for, answered and seen.
func TestTheProofIsHandedOn(t *testing.T) {
	n := &notebook{}
	begin(t, func(o *Options, _ *fakeSlot) { o.Work = n }, func(p *play) {
		time.Sleep(50 * time.Millisecond)
		if _, err := p.ask(Join{Token: p.token(stream.RoleOwner), Offer: "page"}); err != nil {
			t.Fatal(err)
		}
		p.out.h.Joined("page", stream.RoleOwner)
		time.Sleep(time.Second)
		b := p.out.h.(*bridge)
		for life := range 2 {
			f := &feed{b: b, life: life + 1}
			f.State(0, func() ([]byte, error) { return nil, nil })
			f.Segment(segment.Second{Number: uint32(life)})
			f.Video(worker.AccessUnit{})
		}
		p.out.h.Signed(stream.Signed{Peer: "page", Message: control.Receipt{Second: 3}})
		n.tell(control.Segment{Second: 1})
		if _, err := p.ask(Leave{Token: p.token(stream.RoleOwner), Peer: "page", End: true}); err != nil {
			t.Fatal(err)
		}
		if !p.ended() {
			t.Fatal("it goes on")
		}
		if len(n.seconds) != 2 || n.seconds[1].Number != 1 || n.states != 2 || len(n.signed) != 1 || len(p.out.told) != 1 {
			t.Errorf("%d seconds, %d states, %d words; the page was told %d", len(n.seconds), n.states, len(n.signed), len(p.out.told))
		}
		if len(n.ended) != 1 {
			t.Fatalf("%d last words", len(n.ended))
		}
		e := n.ended[0]
		if e.Offered.Sub(e.Requested) != 50*time.Millisecond || e.FirstFrame.Sub(e.Requested) != 1050*time.Millisecond || e.At.Before(e.FirstFrame) || e.Why == "" {
			t.Errorf("%+v", e)
		}
	})
}

// A power cut says nothing to anybody, so what is on the disk is all there is.
func TestACrashWritesNoLastWord(t *testing.T) {
	n := &notebook{}
	begin(t, func(o *Options, _ *fakeSlot) { o.Work = n }, func(p *play) {
		p.abrupt = true
		p.ref.Stop()
		if !p.ended() || len(n.ended) != 0 {
			t.Errorf("%d last words", len(n.ended))
		}
	})
}
