package checker

import (
	"encoding/binary"
	"testing"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Whatever the lot and however long a session lasts: at most ten whole seconds that are
// signed for, begin at a state that is kept, and leave out the newest.
func TestWindowsOfAudits(t *testing.T) {
	for newest := range uint32(1000) {
		seen := map[uint32]bool{}
		for i := range uint64(64) {
			var lot [32]byte
			binary.BigEndian.PutUint64(lot[:], i*0x9e3779b97f4a7c15)
			from, seconds, ok := window(lot, newest)
			if !ok {
				if newest >= auditMargin {
					t.Fatalf("nothing is audited at second %d", newest)
				}
				continue
			}
			last := from + seconds - 1
			if from%segment.StateEvery != 0 || seconds < 1 || seconds > proof.MaxWindow || last+auditMargin > newest || newest-from > auditBack+auditMargin+segment.StateEvery {
				t.Fatalf("at second %d: %d seconds from %d on", newest, seconds, from)
			}
			if newest >= 13 && seconds != proof.MaxWindow {
				t.Fatalf("at second %d only %d seconds are audited", newest, seconds)
			}
			seen[from] = true
		}
		if newest > 300 && len(seen) < 10 {
			t.Fatalf("at second %d only %d windows are possible", newest, len(seen))
		}
	}
}
