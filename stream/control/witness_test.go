package control

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestWitnessMessages(t *testing.T) {
	sig, root := strings.Repeat("ab", 64), strings.Repeat("0c", 32)
	leaves := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	in := func(leaves, sig string) string {
		return `{"t":"inputs","second":9,"first":4294967295,"leaves":"` + leaves + `","sig":"` + sig + `"}`
	}
	for text, want := range map[string]Message{
		in(leaves(8), sig):     Inputs{9, 1<<32 - 1, leaves(8), sig},
		in(leaves(8*300), sig): Inputs{9, 1<<32 - 1, leaves(8 * 300), sig},
		`{"t":"receipt","second":9,"frames":60,"lost":1,"packets":300,"p50":12,"p95":30,"acked":7,"stalls":0,"seen":"` + root + `","sig":"` + sig + `"}`: Receipt{9, 60, 1, 300, 12, 30, 7, 0, root, sig},
		`{"t":"receipt","second":9,"seen":"","sig":"` + sig + `"}`:                                                                                       Receipt{Second: 9, Sig: sig},
	} {
		if got, err := FromPage([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.90s gave %#v, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{
		in("", sig): ErrValue, in(leaves(7), sig): ErrValue, in(leaves(8*301), sig): ErrSize, in(leaves(8*600), sig): ErrSize, in("AAAAAAAAAAA", sig): ErrValue,
		in("AAAAAAAA\\nAAA=", sig): ErrValue, in(leaves(8), sig[2:]): ErrValue, in(leaves(8), "zz"+sig[2:]): ErrValue,
		`{"t":"inputs","second":-1}`: ErrValue, `{"t":"receipt"}`: ErrValue, `{"t":"receipt","seen":"00","sig":"` + sig + `"}`: ErrValue,
		`{"t":"receipt","frames":4294967296,"sig":"` + sig + `"}`: ErrValue, `{"t":"segment","second":1,"frames":"` + root + `"}`: ErrType,
	} {
		if m, err := FromPage([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.90s gave %#v, %v; want %v", text, m, err, want)
		}
	}
	b, err := Encode(Segment{7, root})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := FromContainer(b); err != nil || m != (Segment{7, root}) {
		t.Errorf("%s gave %#v, %v", b, m, err)
	}
	if _, err := FromContainer([]byte(`{"t":"segment","second":1,"frames":"00"}`)); !errors.Is(err, ErrValue) {
		t.Errorf("a short root: %v", err)
	}
	full := Inputs{1<<32 - 1, 1<<32 - 1, leaves(8 * 300), sig}
	if b, err := Encode(full); err != nil || len(b) > MaxSize {
		t.Errorf("the largest record has %d bytes: %v", len(b), err)
	}
}
