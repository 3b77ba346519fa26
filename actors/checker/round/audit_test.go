package round

import (
	"bytes"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

var playing = bytes.Repeat([]byte{5}, 16)

// second is a container's commitment to one second of a session.
func (k *kit) second(n key.Node, number uint32, state byte) *proof.Opened {
	k.t.Helper()
	root := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	o, err := proof.Sign(chain, k.keys[n], &proof.Statement{Says: &proof.Statement_Segment{Segment: &proof.SegCommit{Session: playing, Second: number,
		Previous: root(9), State: root(state), Inputs: root(2), Frames: root(3), Audio: root(4), App: root(5), Ticks: 60}}})
	if err != nil {
		k.t.Fatal(err)
	}
	return o
}

// busy commits both containers to a session, each naming second 40.
func (k *kit) busy() {
	k.t.Helper()
	k.now = k.times.T0 + 100
	for c := range k.plan.Batches[0].Containers {
		segment := k.second(k.container(c), 40, 1)
		o := k.commit(c, func(x *proof.CapCommit) {
			x.Frames, x.Roots, x.Busy = 0, nil, &proof.Busy{Session: playing, Segment: segment.Signed}
		})
		for i, r := range k.rounds {
			_, todo, err := r.Committed(k.now, k.container(c), o, 20)
			if err != nil {
				k.t.Fatal(err)
			}
			k.do(i, todo)
		}
	}
}

// What an audit found goes through votes into the certificate, though the container is busy;
// the one beside it stays busy, and members who found nothing are not blamed.
func TestAWrongSessionIsBad(t *testing.T) {
	k := newKit(t)
	k.busy()
	k.to(k.times.NonceReveal)
	k.to(k.times.OpeningsBy - 1)
	lots := map[[32]byte]int{}
	for i, r := range k.rounds {
		all := r.Busy()
		if len(all) != 2 || all[0].Segment == nil || all[0].Segment.Statement.GetSegment().GetSecond() != 40 || all[0].Lot == all[1].Lot {
			t.Fatalf("member %d sees %+v", i, all)
		}
		lots[all[0].Lot]++
		sample := &proof.Sample{AuditedSeconds: 10, Audit: proof.AuditEqual}
		if i < 3 {
			sample.Audit = proof.AuditWrong
			if !r.Accuse(all[0].Container, proof.ReasonSegment, [32]byte{byte(i + 1)}) {
				t.Errorf("member %d cannot say what it found", i)
			}
			if r.Accuse(all[0].Container, proof.ReasonModule, [32]byte{99}) || r.Accuse(key.Node{}, proof.ReasonSegment, [32]byte{}) || r.Accuse(all[1].Container, proof.ReasonTile, [32]byte{}) {
				t.Error("what cannot be said is taken")
			}
		}
		r.Measured(all[0].Container, 0, 0, sample)
	}
	if len(lots) != 1 {
		t.Errorf("members draw %d different lots", len(lots))
	}
	k.rest()
	res := k.result()
	e := res.Entries
	at, other := 0, 1
	if k.container(0) != k.rounds[0].Busy()[0].Container {
		at, other = 1, 0
	}
	if e[at].Verdict != proof.VerdictBad || e[at].Reason != proof.ReasonSegment || e[at].Evidence != (proof.Name{1}) {
		t.Errorf("the container that cheats: %v", e[at])
	}
	if e[at].QualityPPM != 1 {
		t.Errorf("its quality is %d", e[at].QualityPPM)
	}
	if e[other].Verdict != proof.VerdictBusy || e[other].Reason == proof.ReasonSegment {
		t.Errorf("the other: %v", e[other])
	}
	if res.Wrong != 0 {
		t.Errorf("wrong %b", res.Wrong)
	}
}

// Fewer than a quorum cannot bring down a container that others found nothing wrong with.
func TestTwoCannotAccuse(t *testing.T) {
	k := newKit(t)
	k.busy()
	k.to(k.times.OpeningsBy - 1)
	for _, r := range k.rounds[:2] {
		r.Accuse(k.container(0), proof.ReasonSegment, [32]byte{1})
	}
	k.rest()
	if e := k.result().Entries; e[0].Verdict != proof.VerdictBusy || len(k.frauds) != 0 {
		t.Errorf("%v, %d fraud proofs", e[0], len(k.frauds))
	}
}

func TestAFindingThatComesTooLate(t *testing.T) {
	k := newKit(t)
	k.busy()
	r := k.rounds[0]
	at := r.Votes(k.container(0))
	if at <= k.times.OpeningsBy || at >= k.times.VoteBy || r.Votes(key.Node{}) != 0 {
		t.Fatalf("votes are made at %d", at)
	}
	k.to(at)
	if r.Accuse(k.container(0), proof.ReasonSegment, [32]byte{1}) {
		t.Error("a vote that was made is changed")
	}
}

// Two commitments for one second convict without any vote.
func TestTwoCommitmentsForOneSecond(t *testing.T) {
	k := newKit(t)
	k.busy()
	c := k.container(0)
	a, b := k.second(c, 30, 1), k.second(c, 30, 7)
	if todo := k.rounds[0].TwoSeconds(c, a, a); len(todo) != 0 {
		t.Error("one commitment is two")
	}
	if todo := k.rounds[0].TwoSeconds(k.container(1), a, b); len(todo) != 0 {
		t.Error("another is accused")
	}
	if todo := k.rounds[0].TwoSeconds(c, a, k.second(c, 31, 7)); len(todo) != 0 {
		t.Error("two seconds are one")
	}
	todo := k.rounds[0].TwoSeconds(c, a, b)
	if len(todo) != 1 {
		t.Fatal(todo)
	}
	f := todo[0].(Fraud)
	if f.Accused != c || f.Proof.GetKind() != proof.FraudSeconds {
		t.Errorf("%+v", f)
	}
	if len(k.rounds[0].TwoSeconds(c, a, b)) != 0 {
		t.Error("it is accused twice")
	}
	k.rest()
	k.result()
}

func TestSamplesOfTwoKindsAreOne(t *testing.T) {
	seen := &proof.Sample{LaunchMs: 700, Seconds: 30, FpsMilli: 60_000, AskedFps: 60}
	audited := &proof.Sample{AuditedSeconds: 10, Audit: proof.AuditWrong, App: []byte{1}}
	for _, both := range []*proof.Sample{merge(merge(nil, seen), audited), merge(merge(nil, audited), seen)} {
		if both.GetLaunchMs() != 700 || both.GetSeconds() != 30 || both.GetAudit() != proof.AuditWrong || both.GetAuditedSeconds() != 10 {
			t.Errorf("%v", both)
		}
	}
	if seen.GetAudit() != 0 || audited.GetSeconds() != 0 {
		t.Error("a sample was changed that belongs to others")
	}
}
