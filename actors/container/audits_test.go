package container

import (
	"testing"
	"time"
)

// A checker whose answer was lost, or that was started again, gets it again, a few times;
// another question has to wait for its minute.
func TestTheSameAuditIsAnsweredAgain(t *testing.T) {
	a, now := newAudits(nil), time.Unix(1_000, 0)
	p := auditPair{checker: "one", epoch: 7}
	q := auditQuestion{from: 20, seconds: 10, named: 44}
	for i := range auditAgain {
		if wait := a.due(p, q, now.Add(time.Duration(i)*time.Second)); wait != 0 {
			t.Fatalf("the question is asked for the %d. time, and waits %v", i+1, wait)
		}
	}
	later := now.Add(10 * time.Second)
	if wait := a.due(p, q, later); wait != auditEvery-10*time.Second {
		t.Errorf("asked once too often, it waits %v", wait)
	}
	others := []auditQuestion{{from: 30, seconds: 10, named: 44}, {from: 20, seconds: 9, named: 44}, {from: 20, seconds: 10, named: 45}, {newest: true}}
	b := newAudits(nil)
	b.due(p, q, now)
	for _, o := range others {
		if wait := b.due(p, o, later); wait != auditEvery-10*time.Second {
			t.Errorf("%+v: waits %v", o, wait)
		}
	}
	if wait := b.due(p, q, later); wait != 0 {
		t.Errorf("after other questions the first waits %v", wait)
	}
	for _, x := range []auditPair{{checker: "two", epoch: 7}, {checker: "one", epoch: 8}, {checker: "one", epoch: 7, session: [16]byte{1}}} {
		if wait := b.due(x, q, later); wait != 0 {
			t.Errorf("%+v: waits %v", x, wait)
		}
	}
	if wait := a.due(p, others[0], now.Add(auditEvery)); wait != 0 {
		t.Errorf("after its minute it waits %v", wait)
	}
	b.again(p)
	if wait := b.due(p, others[0], later); wait != 0 {
		t.Errorf("what was not answered costs %v", wait)
	}
}
