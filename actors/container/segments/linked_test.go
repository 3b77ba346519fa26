package segments_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/ledger/proof"
)

// However long a session lasts, an answer leads from its seconds to the one that was named,
// over the files of several minutes, and stays small.
func TestAnswersLeadToTheNamedSecond(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	l, p := begin(t, s, id, nil)
	ctx := context.Background()
	for range 22 { // what comes so much faster than it is written that it does not fit is left out
		p.Seconds(29)
		_, _ = s.Data(ctx, id, 0, 1) // waits until all is written
	}
	const from = 390
	named := s.Latest(id).Statement.GetSegment().GetSecond()
	if named != 637 {
		t.Fatalf("the newest second is %d", named)
	}
	want := s.Latest(id).Digest
	for _, when := range []string{"while it runs", "after it ended"} {
		o, err := s.Linked(ctx, id, from, 10, named)
		if err != nil {
			t.Fatal(when, err)
		}
		a := o.Statement.GetAudit()
		if len(a.GetSegments()) != 11 || len(a.GetAfter()) != int(named-from-9) || len(a.GetInputs()) > 8*proof.MaxWindow {
			t.Fatalf("%s: %d commitments, %d after them, %d records", when, len(a.GetSegments()), len(a.GetAfter()), len(a.GetInputs()))
		}
		var previous [32]byte
		bytesOf := 0
		for i, raw := range append(a.GetSegments(), a.GetAfter()...) {
			x, err := proof.OpenSigned("demo", raw)
			if err != nil {
				t.Fatal(err)
			}
			c := x.Statement.GetSegment()
			if c.GetSecond() != from-1+uint32(i) || i > 0 && !bytes.Equal(c.GetPrevious(), previous[:]) {
				t.Fatalf("%s: second %d does not follow", when, c.GetSecond())
			}
			previous = x.Digest
			bytesOf += len(x.Raw)
		}
		if previous != want {
			t.Errorf("%s: it leads elsewhere", when)
		}
		if most := 400 * (len(a.GetSegments()) + len(a.GetAfter())); bytesOf > most {
			t.Errorf("%s: the commitments take %d bytes, of %d", when, bytesOf, most)
		}
		if when == "while it runs" {
			end(s, l)
		}
	}
	if a := data(t, s, from, 10); len(a.GetAfter()) != 0 {
		t.Errorf("%d commitments that nobody asked for", len(a.GetAfter()))
	}
	for n, want := range map[uint32]error{from - 1: segments.ErrOptions, from + proof.MaxAfter: segments.ErrOptions, 1<<32 - 1: segments.ErrOptions, named + 1: segments.ErrGone} {
		if _, err := s.Linked(ctx, id, from, 10, n); !errors.Is(err, want) {
			t.Errorf("to second %d: %v", n, err)
		}
	}
	// A hole on the way gives no answer: it would speak against its container.
	file := filepath.Join(dir, hex.EncodeToString(id[:]), "00000008.seg")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Linked(ctx, id, from, 10, named); !errors.Is(err, segments.ErrGone) {
		t.Errorf("over a minute that is lost: %v", err)
	}
	if a := data(t, s, from, 10); len(a.GetSegments()) != 11 {
		t.Errorf("%d commitments of the seconds themselves", len(a.GetSegments()))
	}
}
