package ledger

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/key"
)

// Whoever makes up names without end makes this node ask the ledger about a few of them.
func TestStrangersRaiseFewQuestions(t *testing.T) {
	l, f, _ := fakeLedger(t)
	made := uint64(0)
	another := func() peer.ID {
		made++
		var n key.Node
		binary.BigEndian.PutUint64(n[:], made)
		id, err := n.Peer()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	until(t, "as many questions as may be asked at once", func() bool {
		if l.Registered(another()) {
			t.Fatal("a made up name is registered")
		}
		return l.registry.known.Len() == lookBurst
	})
	f.grow(lookGap)
	until(t, "one more a moment later", func() bool {
		l.Registered(another())
		return l.registry.known.Len() == lookBurst+1
	})
	for range 500 {
		l.Registered(another())
	}
	if _, err := l.Send(within(t), Signer{}, nil); err == nil { // comes after all of these
		t.Fatal("nothing was sent")
	}
	if n := l.registry.known.Len(); n != lookBurst+1 {
		t.Errorf("of %d made up names %d were asked for", made, n)
	}
}

// grow makes block time pass.
func (f *fake) grow(d time.Duration) {
	defer f.hold()()
	f.head.TimeMS += uint64(d.Milliseconds())
}
