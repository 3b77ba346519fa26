package gossip

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A neighbour that brings ever new signers is heard for a few of them; another is not
// affected, nor are signers that are followed already.
func TestNeighboursBringFewStrangers(t *testing.T) {
	a := newPeer(t, func(c *Config) {
		c.Topics = []string{LedgerTopic("test")}
		c.Now = func() time.Time { return t0 }
	})
	n, err := a.Notices(a.key)
	if err != nil {
		t.Fatal(err)
	}
	from := func(neighbour peer.ID, seed byte, seq uint64) Reason {
		key, id := testKey(t, seed)
		_, reason := n.t.judgeFrom(neighbour, sealNoticeAt(t, key, id, uint64(t0.UnixMilli())+seq, []byte("x")), t0)
		return reason
	}
	taken := 0
	for seed := range byte(100) {
		switch r := from("crowd", 100+seed, 1); r {
		case "":
			taken++
		case Crowd:
		default:
			t.Fatalf("newcomer %d: %s", seed, r)
		}
	}
	if taken != newcomersBurst {
		t.Errorf("%d of 100 strangers were heard, want %d", taken, newcomersBurst)
	}
	if r := from("crowd", 100, 2); r != "" {
		t.Errorf("a signer who is followed: %s", r)
	}
	if r := from("other", 250, 1); r != "" {
		t.Errorf("a stranger by another neighbour: %s", r)
	}
	if r := from(a.host.ID(), 251, 1); r != "" {
		t.Errorf("this node's own: %s", r)
	}
}
