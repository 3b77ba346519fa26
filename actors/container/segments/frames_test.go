package segments

import (
	"bytes"
	"errors"
	"testing"

	"github.com/framemesh/framemesh/ledger/witness"
)

func FuzzFrames(f *testing.F) {
	whole := appendFrame(appendFrame(nil, kindSegment, []byte("abc")), kindReceipt, make([]byte, witness.ReceiptSize))
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{kindInputs, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		err := eachFrame(b, func(kind byte, body []byte) error {
			if len(body) > most[kind] {
				t.Fatalf("a frame of kind %d with %d bytes", kind, len(body))
			}
			again = appendFrame(again, kind, body)
			return nil
		})
		if err != nil && !errors.Is(err, ErrBroken) {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func TestPlainTextIsCut(t *testing.T) {
	for in, want := range map[string]string{"": "", "left": "left", "a\nb": "a?b", "é": "?", "0123456789 x": "0123456789"} {
		if got := plain(in, 11); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}
