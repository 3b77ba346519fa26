package tx

import (
	"encoding/binary"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
)

// Who signs again and again is not forgotten for those who sign once, and these do not pile
// up.
func TestKeyringKeepsWhoSignsAgain(t *testing.T) {
	var r keyring
	signer := func(i int) (a key.Address) {
		binary.BigEndian.PutUint64(a[:], uint64(i))
		return a
	}
	often := new(key.Expanded)
	r.add(signer(0), often)
	for i := 1; i < 10*halfRing; i++ {
		x := new(key.Expanded)
		if r.add(signer(i), x); r.get(signer(i)) != x {
			t.Fatalf("key %d is not kept", i)
		}
		if i%halfRing == 0 && r.get(signer(0)) != often {
			t.Fatalf("after %d others the first is forgotten", i)
		}
		if n := len(r.newer) + len(r.older); n > 2*halfRing {
			t.Fatalf("%d keys are kept", n)
		}
	}
	if r.get(signer(1)) != nil {
		t.Error("one that signed once, long ago, is still kept")
	}
}
