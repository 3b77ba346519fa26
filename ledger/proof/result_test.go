package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestResultsHaveLimits(t *testing.T) {
	good := goodResult()
	b := mustResult(t, good)
	got, err := proof.DecodeResult(b)
	if err != nil || !reflect.DeepEqual(got, good) {
		t.Fatalf("%v came back as %v: %v", good, got, err)
	}
	if got.Entries[2].OnlinePPM() != 200_000 || got.Entries[0].OnlinePPM() != proof.PPM {
		t.Error("online is not what offline leaves")
	}
	for name, spoil := range map[string]func(*proof.Result){
		"entries":     func(r *proof.Result) { r.Entries = nil },
		" entries":    func(r *proof.Result) { r.Entries = make([]proof.Entry, proof.MaxBatch+1) },
		"attempt":     func(r *proof.Result) { r.Attempt = 2 },
		"correct":     func(r *proof.Result) { r.Correct = 1 << proof.MaxMembers },
		"wrong":       func(r *proof.Result) { r.Wrong = r.Correct },
		" wrong":      func(r *proof.Result) { r.Wrong = 1 << proof.MaxMembers },
		"verdict":     func(r *proof.Result) { r.Entries[0].Verdict = 7 },
		"rp_milli":    func(r *proof.Result) { r.Entries[2].RPMilli = 1 },
		"reason":      func(r *proof.Result) { r.Entries[0].Reason = proof.ReasonLate },
		"offline_ppm": func(r *proof.Result) { r.Entries[0].OfflinePPM = proof.PPM + 1 },
		"quality_ppm": func(r *proof.Result) { r.Entries[0].QualityPPM = proof.PPM + 1 },
		" rp_milli":   func(r *proof.Result) { r.Entries[0].RPMilli = proof.MaxScore + 1 },
		"evidence":    func(r *proof.Result) { r.Entries[0].Evidence = proof.NameOf(fill(1, 32)) },
		"dropped":     func(r *proof.Result) { r.Entries[0].Dropped = fill(1, 15) },
		" dropped":    func(r *proof.Result) { r.Entries[3].Dropped = fill(1, 16) },
		"  dropped": func(r *proof.Result) {
			r.Entries[3] = proof.Entry{Verdict: proof.VerdictBad, Reason: proof.ReasonSegment, Dropped: fill(1, 16)}
		},
		"found":   func(r *proof.Result) { r.Entries[0].Found = 1 },
		"  found": func(r *proof.Result) { r.Entries[0].Found, r.Entries[0].Dropped = 1<<proof.MaxMembers, fill(1, 16) },
		" found": func(r *proof.Result) {
			r.Entries[3].Reason, r.Entries[3].Found = proof.ReasonSegment, 1<<proof.MaxMembers
		},
	} {
		r := goodResult()
		spoil(r)
		if _, err := proof.EncodeResult(r); !errors.Is(err, proof.ErrMalformed) || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Whatever the members name as evidence is a result.
	good.Entries[3].Evidence = proof.Name{}
	mustResult(t, good)
}

// A result has one encoding: what says the same in other bytes is none, nor is what goes on
// behind it or stops before its end.
func TestResultsHaveOneEncoding(t *testing.T) {
	votes := string(fill(5, 32))
	head := "\x2a\x01\x00\x03\x04" + votes
	if _, err := proof.DecodeResult([]byte(head + "\x01")); err != nil {
		t.Fatal(err)
	}
	name := string(fill(3, 20))
	for what, raw := range map[string]string{
		"nothing":                       "",
		"no entry":                      head,
		"no votes":                      "\x2a\x01\x00\x03\x04",
		"votes cut off":                 head[:36],
		"an epoch in two bytes":         "\xaa\x00\x01\x00\x03\x04" + votes + "\x01",
		"an epoch over 64 bits":         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01\x00\x03\x04" + votes + "\x01",
		"a batch over 32 bits":          "\x2a\x80\x80\x80\x80\x10\x00\x03\x04" + votes + "\x01",
		"attempt 2":                     "\x2a\x01\x02\x03\x04" + votes + "\x01",
		"a member that is both":         "\x2a\x01\x00\x03\x02" + votes + "\x01",
		"a member beyond the widest":    "\x2a\x01\x00\x80\x80\x80\x80\x80\x80\x02\x04" + votes + "\x01",
		"a session cut off":             head + "\x81" + name[:15],
		"a session beside a name":       head + "\x83" + name[:16] + name,
		"a session where one is forged": head + "\x8b\x23" + name[:16],
		"a score over 2^32":             head + "\x11\x81\x80\x80\x80\x10",
		"verdict 7":                     head + "\x07",
		"a score of 0 announced":        head + "\x11\x00",
		"a score in needless bytes":     head + "\x11\x81\x00",
		"a score announced, not given":  head + "\x11",
		"a score of an absent one":      head + "\x14\x01",
		"a share of more than all":      head + "\x21\xc1\x84\x3d",
		"a reason of another verdict":   head + "\x09\x14",
		"a reason that nobody knows":    head + "\x0b\x7f" + name,
		"bad without a name":            head + "\x03",
		"bad with a name cut off":       head + "\x03" + name[:19],
		"a second entry cut off":        head + "\x01\x11",
		"33 entries":                    head + strings.Repeat("\x01", 33),
		"the protobuf of older results": "\x08\x2a\x10\x01\x22\x02\x08\x01\x28\x03\x3a\x20" + votes,
	} {
		if r, err := proof.DecodeResult([]byte(raw)); !errors.Is(err, proof.ErrMalformed) {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
	if _, err := proof.DecodeResult(make([]byte, proof.MaxResult+1)); !errors.Is(err, proof.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	full := &proof.Result{Epoch: 1<<64 - 1, Batch: 1<<32 - 1, Attempt: 1, Correct: 1 << (proof.MaxMembers - 1), Wrong: 1<<(proof.MaxMembers-1) - 1}
	for range proof.MaxBatch {
		full.Entries = append(full.Entries, proof.Entry{Verdict: proof.VerdictBad, Reason: proof.ReasonSegment, OfflinePPM: proof.PPM, QualityPPM: proof.PPM,
			Found: 1<<proof.MaxMembers - 1, Evidence: proof.NameOf(fill(255, 32))})
	}
	if b := mustResult(t, full); len(b) != 1181 {
		t.Errorf("the longest result has %d bytes", len(b))
	}
}

// A name is the beginning of a digest and of no other.
func TestNamesAreBeginnings(t *testing.T) {
	sha := [32]byte(fill(7, 32))
	other := sha
	other[19]++
	n := proof.NameOf(sha[:])
	if !n.Names(sha) || n.Names(other) || n.IsZero() || n.String() != strings.Repeat("07", 20) {
		t.Errorf("%s names %x: %t, %x: %t", n, sha, n.Names(sha), other, n.Names(other))
	}
	if none := proof.NameOf(nil); !none.IsZero() || none.String() != "" || none.Names([32]byte{}) || !bytes.Equal(none[:], make([]byte, 20)) {
		t.Errorf("none is %q", none)
	}
}

// certificateSizes are the bytes of a certificate (result and attestations), and of the body of
// the transaction that a node key brings it in for its account, with as many signers.
func certificateSizes(t *testing.T, signers int, entry proof.Entry) (certificate, body int) {
	t.Helper()
	r := &proof.Result{Epoch: 1 << 20, Batch: 624, Correct: 1<<signers - 1, Votes: [32]byte(fill(5, 32)), Entries: slices.Repeat([]proof.Entry{entry}, 16)}
	result := mustResult(t, r)
	c := &tx.VoteCertificate{Epoch: r.Epoch, Batch: r.Batch, Result: result}
	var keys []ed25519.PrivateKey
	for n := range signers {
		keys = append(keys, testKey(byte(n+1)))
		c.AddAttestation(n, tx.Attest(chain, keys[n], r.Epoch, r.Batch, result))
	}
	account := key.Address(node(99))
	raw, err := tx.Sign(chain, keys[0], &tx.Body{Nonce: 1 << 20, ValidUntilMs: 1 << 41, Account: account[:], Op: &tx.Body_Certificate{Certificate: c}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tx.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return proto.Size(got.Body.GetCertificate()), proto.Size(got.Body)
}

// TestACertificateIsSmall: 16 containers and 7 signers (all of a committee of N = 3) are at most
// 1 KiB, whatever was found of the containers; so is the body of the transaction around it.
func TestACertificateIsSmall(t *testing.T) {
	for _, c := range []struct {
		what  string
		entry proof.Entry
		want  [3]int // bytes of the certificate with 5 and 7 signers, and of the body with 7
	}{
		{"all proven", proof.Entry{Verdict: proof.VerdictOK, RPMilli: 120_000}, [3]int{438, 566, 615}},
		{"all fast and with a quality", proof.Entry{Verdict: proof.VerdictOK, RPMilli: 50_000_000, QualityPPM: 987_654}, [3]int{503, 631, 680}},
		{"all partly offline besides", proof.Entry{Verdict: proof.VerdictOK, RPMilli: 50_000_000, QualityPPM: 987_654, OfflinePPM: 133_333}, [3]int{551, 679, 728}},
		{"all absent", proof.Entry{Verdict: proof.VerdictAbsent, Reason: proof.ReasonAbsent, OfflinePPM: proof.PPM}, [3]int{454, 582, 631}},
		{"all bad, with evidence", proof.Entry{Verdict: proof.VerdictBad, Reason: proof.ReasonTile, Evidence: proof.NameOf(fill(1, 32))}, [3]int{727, 855, 904}},
		{"all bad, offline and with a quality", proof.Entry{Verdict: proof.VerdictBad, Reason: proof.ReasonTile, Evidence: proof.NameOf(fill(1, 32)),
			OfflinePPM: 133_333, QualityPPM: 987_654}, [3]int{823, 951, 1000}},
		{"all fast, offline, with a quality, gone from a session", proof.Entry{Verdict: proof.VerdictOK, RPMilli: proof.MaxScore, QualityPPM: 987_654, OfflinePPM: 133_333,
			Dropped: fill(9, 16), Found: 1<<5 - 1}, [3]int{839, 967, 1016}},
		{"all accused of a wrong second, offline and with a quality", proof.Entry{Verdict: proof.VerdictBad, Reason: proof.ReasonSegment, Evidence: proof.NameOf(fill(1, 32)),
			Found: 1<<5 - 1, OfflinePPM: 133_333, QualityPPM: 987_654}, [3]int{839, 967, 1016}},
		{"all silent about their tiles, gone from a session", proof.Entry{Verdict: proof.VerdictBad, Reason: proof.ReasonUnopened, QualityPPM: 987_654, OfflinePPM: 133_333,
			Dropped: fill(9, 16), Found: 1<<5 - 1}, [3]int{775, 903, 952}},
	} {
		five, _ := certificateSizes(t, 5, c.entry)
		seven, body := certificateSizes(t, 7, c.entry)
		t.Logf("16 containers, %s: %d B with 5 signers, %d B with 7, %d B as the body of a transaction", c.what, five, seven, body)
		if got := [3]int{five, seven, body}; got != c.want {
			t.Errorf("%s: %v bytes, the documents say %v", c.what, got, c.want)
		}
		if body > 1024 {
			t.Errorf("%s: %d bytes, at most 1024", c.what, body)
		}
	}
}

func TestReasonsAreCompleteAndInTheSpecification(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/proof.md")
	if err != nil {
		t.Fatal(err)
	}
	codes, names := map[proof.Reason]bool{}, map[string]bool{}
	last := proof.Reason(0)
	for _, r := range proof.Reasons() {
		if codes[r.Code] || names[r.Name] || r.Code <= last {
			t.Errorf("%d %s: twice, or out of order", r.Code, r.Name)
		}
		codes[r.Code], names[r.Name], last = true, true, r.Code
		if !strings.HasSuffix(r.Text, ".") || strings.Count(r.Text, ".") != 1 || r.Next == "" || strings.HasSuffix(r.Next, ".") {
			t.Errorf("%s: one sentence and a next step: %q, %q", r.Name, r.Text, r.Next)
		}
		if got := r.Code.String(); got != r.Name {
			t.Errorf("%d is %s, not %s", r.Code, got, r.Name)
		}
		for _, v := range r.Verdict {
			if !r.Code.Fits(v) {
				t.Errorf("%s does not fit %s", r.Name, proof.VerdictName(v))
			}
		}
		if line := "| " + itoa(uint32(r.Code)) + " | `" + r.Name + "` | " + r.Text + " |"; !strings.Contains(string(raw), line) {
			t.Errorf("the specification lacks: %s", line)
		}
	}
	for v := uint32(proof.VerdictOK) + 1; v <= proof.VerdictRefused; v++ {
		if !slices.ContainsFunc(proof.Reasons(), func(r proof.ReasonInfo) bool { return slices.Contains(r.Verdict, v) }) {
			t.Errorf("no reason goes with %s", proof.VerdictName(v))
		}
	}
	if proof.Reason(0).String() != "" || proof.Reason(9999).Fits(proof.VerdictBad) {
		t.Error("numbers that are no reason have a meaning")
	}
}
