package round

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// TestPongsAddUp: what was asked and answered over an epoch goes into the vote as it was
// counted, and the share that was missed into the result.
func TestPongsAddUp(t *testing.T) {
	k := newKit(t)
	k.commits()
	for _, r := range k.rounds {
		for range 5 {
			r.Measured(k.container(0), 2, 1, nil)
		}
		r.Measured(k.container(0), 2, 2, nil)
		r.Measured(k.container(1), 3, 0, nil)
		r.Measured(key.Node{}, 9, 9, nil) // none of its containers
	}
	k.rest()
	votes := 0
	for _, o := range k.said {
		v := o.Statement.GetVote()
		if v == nil {
			continue
		}
		votes++
		for i, want := range [][2]uint32{{12, 7}, {3, 0}} {
			if f := v.GetFindings()[i]; f.GetPings() != want[0] || f.GetPongs() != want[1] {
				t.Errorf("container %d answered %d of %d, not %d of %d", i, f.GetPongs(), f.GetPings(), want[1], want[0])
			}
		}
	}
	if votes != len(k.rounds) {
		t.Fatalf("%d votes", votes)
	}
	if e := k.result().Entries; e[0].OfflinePPM != 416_666 || e[1].OfflinePPM != 1_000_000 {
		t.Errorf("offline %d and %d ppm", e[0].OfflinePPM, e[1].OfflinePPM)
	}
}

// TestPingsHaveABound: whatever is counted, a vote can say it.
func TestPingsHaveABound(t *testing.T) {
	k := newKit(t)
	r := k.rounds[0]
	for range 3 {
		r.Measured(k.container(0), proof.MaxPings-1, 1<<31, nil)
	}
	d, place, _ := r.subject(k.container(0))
	if s := d.subjects[place]; s.pings != proof.MaxPings || s.pongs != proof.MaxPings {
		t.Errorf("%d of %d", s.pongs, s.pings)
	}
}

// TestTheFirstInRankDoesNotWait: it brings the certificate in the moment in which it has the
// quorum; of the others, who would come later, none has to.
func TestTheFirstInRankDoesNotWait(t *testing.T) {
	k := newKit(t)
	k.commits()
	for _, at := range k.moments() {
		if at > k.now {
			k.to(at)
		}
		d := k.rounds[0].duties[0]
		for _, dr := range d.drafts {
			if len(dr.by) >= k.params.Quorum() && len(k.certs) == 0 {
				t.Fatalf("at %d ms a quorum attests and nobody brought it", k.now-k.times.Start)
			}
		}
	}
	if len(k.certs) != 1 {
		t.Errorf("%d certificates", len(k.certs))
	}
}

// TestOnlyWhoIsJudgedCanHaveGone: and only until this checker has voted.
func TestOnlyWhoIsJudgedCanHaveGone(t *testing.T) {
	k := newKit(t)
	k.commits()
	r := k.rounds[0]
	if r.Missed(key.Node{}, [16]byte{1}) {
		t.Error("a container of nobody's batch")
	}
	if !r.Missed(k.container(0), [16]byte{1}) {
		t.Error("one of this checker's is refused")
	}
	k.rest()
	if r.Missed(k.container(1), [16]byte{2}) {
		t.Error("after the vote")
	}
}

// TestWhoRenderedIsInNoSession: only what a commitment names is audited.
func TestWhoRenderedIsInNoSession(t *testing.T) {
	k := newKit(t)
	k.commits()
	for i, r := range k.rounds {
		if all := r.Busy(); len(all) != 0 {
			t.Errorf("member %d sees %+v", i, all)
		}
	}
}
