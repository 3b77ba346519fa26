package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/proof"
)

// TestAMachineThatIsSwitchedOffWentFromNothing: anybody can open a session with whoever is
// registered, and complain. So a round must have heard of the machine in the epoch before the
// session was opened, or later.
func TestAMachineThatIsSwitchedOffWentFromNothing(t *testing.T) {
	ok, absent := proof.Entry{Verdict: proof.VerdictOK, RPMilli: 100_000}, proof.Entry{Verdict: proof.VerdictAbsent, Reason: proof.ReasonAbsent}
	for name, c := range map[string]struct {
		rounds  []proof.Entry // of the epochs from 1 on; the session is opened in epoch 4
		then    proof.Entry   // in epoch 5, and that it went
		accused bool
	}{
		"it never was there":              {[]proof.Entry{absent, absent, absent, absent}, absent, false},
		"it went long before":             {[]proof.Entry{ok, ok, absent, absent}, absent, false},
		"it was there the epoch before":   {[]proof.Entry{ok, ok, ok, absent}, absent, true},
		"it was there in the same epoch":  {[]proof.Entry{absent, absent, absent, ok}, absent, true},
		"it was there before it went":     {[]proof.Entry{absent, absent, absent, absent}, ok, true},
		"it was there, and wrong":         {[]proof.Entry{absent, absent, absent, absent}, bad(proof.ReasonUnopened), true},
		"it was busy when it was last on": {[]proof.Entry{ok, ok, {Verdict: proof.VerdictBusy}, absent}, absent, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newRounds(t)
			var session []byte
			for i, e := range c.rounds {
				b.pass(1)
				if i == 3 {
					session = b.open(b.order(1, 600)).Session
				}
				b.certify(uint64(i)+1, b.on(uint64(i)+1, "c1", e))
			}
			b.next(16_500)
			e := c.then
			e.Evidence, e.Dropped, e.Found = proof.Name{}, session, 7
			b.certify(5, b.on(5, "c1", e))
			if _, ok := b.accusation(droppedID(5)); ok != c.accused {
				t.Errorf("accused: %v", ok)
			}
			b.end()
		})
	}
}
