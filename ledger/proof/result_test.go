package proof_test

import (
	"crypto/ed25519"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestResultsHaveOneEncodingAndLimits(t *testing.T) {
	good := goodResult()
	b := mustResult(t, good)
	got, err := proof.DecodeResult(b)
	if err != nil || !proto.Equal(got, good) {
		t.Fatalf("%v came back as %v: %v", good, got, err)
	}
	if got.Entries[2].OnlinePPM() != 200_000 || got.Entries[0].OnlinePPM() != proof.PPM {
		t.Error("online is not what offline leaves")
	}
	for name, spoil := range map[string]func(*proof.Result){
		"entries":     func(r *proof.Result) { r.Entries = nil },
		"votes":       func(r *proof.Result) { r.Votes = fill(1, 31) },
		"attempt":     func(r *proof.Result) { r.Attempt = 2 },
		"correct":     func(r *proof.Result) { r.Correct = 1 << proof.MaxMembers },
		"wrong":       func(r *proof.Result) { r.Wrong = r.Correct },
		"verdict":     func(r *proof.Result) { r.Entries[0].Verdict = 7 },
		"rp_milli":    func(r *proof.Result) { r.Entries[2].RpMilli = 1 },
		"reason":      func(r *proof.Result) { r.Entries[0].Reason = uint32(proof.ReasonLate) },
		"offline_ppm": func(r *proof.Result) { r.Entries[0].OfflinePpm = proof.PPM + 1 },
		"quality_ppm": func(r *proof.Result) { r.Entries[0].QualityPpm = proof.PPM + 1 },
		"evidence":    func(r *proof.Result) { r.Entries[3].Evidence = nil },
		"found":       func(r *proof.Result) { r.Entries[0].Found = 1 },
		" found": func(r *proof.Result) {
			r.Entries[3].Reason, r.Entries[3].Found = uint32(proof.ReasonSegment), 1<<proof.MaxMembers
		},
		" evidence": func(r *proof.Result) { r.Entries[0].Evidence = fill(1, 32) },
	} {
		r := proto.CloneOf(good)
		spoil(r)
		if _, err := proof.EncodeResult(r); !errors.Is(err, proof.ErrMalformed) || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := proof.DecodeResult(make([]byte, proof.MaxResult+1)); !errors.Is(err, proof.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := proof.DecodeResult(append(b, b...)); !errors.Is(err, proof.ErrMalformed) {
		t.Errorf("twice: %v", err)
	}
}

// TestACertificateIsSmall: 16 containers and 7 signers, submitted by a node key for its
// account, are at most 1 KiB as the body of a transaction.
func TestACertificateIsSmall(t *testing.T) {
	body := func(entry *proof.Entry) int {
		r := &proof.Result{Epoch: 1 << 20, Batch: 624, Correct: 1<<7 - 1, Votes: fill(5, 32)}
		for range 16 {
			r.Entries = append(r.Entries, proto.CloneOf(entry))
		}
		result := mustResult(t, r)
		var keys []ed25519.PrivateKey
		for n := range byte(7) {
			keys = append(keys, testKey(n+1))
		}
		slices.SortFunc(keys, func(a, b ed25519.PrivateKey) int { return strings.Compare(string(a[32:]), string(b[32:])) })
		c := &tx.VoteCertificate{Epoch: r.Epoch, Batch: r.Batch, Result: result}
		for _, k := range keys {
			c.Attestations = append(c.Attestations, tx.Attest(chain, k, r.Epoch, r.Batch, result))
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
		return proto.Size(got.Body)
	}
	plain := body(&proof.Entry{Verdict: proof.VerdictOK, RpMilli: 120_000})
	measured := body(&proof.Entry{Verdict: proof.VerdictOK, RpMilli: 50_000_000, QualityPpm: 987_654})
	flaky := body(&proof.Entry{Verdict: proof.VerdictOK, RpMilli: 50_000_000, QualityPpm: 987_654, OfflinePpm: 133_333})
	bad := body(&proof.Entry{Verdict: proof.VerdictBad, Reason: uint32(proof.ReasonTile), Evidence: fill(1, 32), OfflinePpm: 133_333})
	t.Logf("body of a certificate for 16 containers and 7 signers: %d B all proven, %d B all fast and with quality, %d B all flaky besides, %d B all bad", plain, measured, flaky, bad)
	if measured > 1024 {
		t.Errorf("%d bytes with 16 scores and qualities, at most 1024", measured)
	}
	if plain > 960 {
		t.Errorf("%d bytes when all are proven", plain)
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
