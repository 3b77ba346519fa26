package chain

import (
	"bytes"
	"testing"

	"github.com/framemesh/framemesh/ledger/tx"
)

func TestBeaconEntries(t *testing.T) {
	proof := [proofSize]byte{1, 2, 3}
	entry := encodeBeacon(proof)
	if got, err := decodeBeacon(entry); err != nil || got != proof {
		t.Fatalf("%x, %v", got, err)
	}
	for name, bad := range map[string][]byte{
		"nothing":  nil,
		"mark":     beaconMark,
		"short":    entry[:len(entry)-1],
		"long":     append(bytes.Clone(entry), 0),
		"unmarked": proof[:],
		"version":  append([]byte{0, 'v', 'r', 'f', 2}, proof[:]...),
	} {
		if _, err := decodeBeacon(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// FuzzBeacon: whatever is an entry of one kind is none of the other.
func FuzzBeacon(f *testing.F) {
	f.Add(encodeBeacon([proofSize]byte{9}))
	f.Add([]byte{0x0a, 0})
	f.Add(beaconMark)
	f.Fuzz(func(t *testing.T, raw []byte) {
		proof, err := decodeBeacon(raw)
		if err == nil && !bytes.Equal(encodeBeacon(proof), raw) {
			t.Fatal("two encodings of one proof")
		}
		if isBeacon(raw) {
			if _, err := tx.Decode(raw); err == nil {
				t.Fatal("a proof that is a transaction")
			}
		}
	})
}
