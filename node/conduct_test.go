package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestConductFallsForgivesAndStaysBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	var out []peer.ID
	c := newConduct(func() time.Time { return now }, func(id peer.ID) { out = append(out, id) })
	if c.score("stranger") != 0 {
		t.Fatal("a stranger has no past")
	}
	for range 16 {
		c.misbehaved("spammer", "malformed")
	}
	if s := c.score("spammer"); s > -159 || c.bad("spammer") || len(out) != 0 {
		t.Fatal(s, out)
	}
	for range 5 {
		c.misbehaved("spammer", "oversize")
	}
	if !c.bad("spammer") || len(out) == 0 || out[0] != "spammer" {
		t.Fatal("a peer that goes on is put out", c.score("spammer"), out)
	}
	now = now.Add(4 * time.Minute)
	if !c.bad("spammer") || c.score("spammer") < conductOut {
		t.Fatal("it is back too early", c.score("spammer"))
	}
	now = now.Add(conductHalfLife - 4*time.Minute)
	if c.bad("spammer") || c.score("spammer") < -106 || c.score("spammer") > -104 {
		t.Fatal("half is forgiven after the half-life", c.score("spammer"))
	}
	for i := range 2 * conductMax {
		c.misbehaved(peer.ID(fmt.Sprint("p", i)), "slow")
	}
	if len(c.peers) > conductMax {
		t.Fatal(len(c.peers))
	}
	if c.bad("stranger") {
		t.Fatal("a stranger is put out")
	}
	if c.score("spammer") == 0 {
		t.Fatal("the worst is remembered when room is made")
	}
}
