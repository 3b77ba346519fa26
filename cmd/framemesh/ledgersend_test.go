package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// scripted is a ledger that does as it is told. Each wait is one block.
type scripted struct {
	nonce     uint64 // of the account as proven now
	head      light.Summary
	refuse    []error // of each submission in turn; then none
	submitted [][]byte
	after     int    // blocks until a transaction that was taken is found; 0 = never
	code      uint32 // of its result
	text      string
	perBlock  uint64 // ms
}

func (s *scripted) Value(_ context.Context, _ []byte) (light.Proven, error) {
	return light.Proven{Value: state.Account{Balance: 5, Nonce: s.nonce}.Encode(), Height: s.head.Height}, nil
}

func (s *scripted) Submit(_ context.Context, raw []byte) ([32]byte, error) {
	s.submitted = append(s.submitted, raw)
	if len(s.refuse) > 0 {
		err := s.refuse[0]
		s.refuse = s.refuse[1:]
		return sha256.Sum256(raw), err
	}
	return sha256.Sum256(raw), nil
}

func (s *scripted) Tx(context.Context, [32]byte) (light.Inclusion, error) {
	if s.after == 0 || s.after > 1 {
		s.after = max(s.after-1, 0)
		return light.Inclusion{}, light.ErrNotFound
	}
	return light.Inclusion{Height: 77, Code: s.code, Text: s.text}, nil
}

func (s *scripted) Wait(context.Context, uint64) error {
	s.head.Height++
	s.head.TimeMS += s.perBlock
	s.nonce++
	return nil
}

func (s *scripted) Head() light.Summary { return s.head }

func sendOver(t *testing.T, l *scripted, wait bool) (receipt, error) {
	t.Helper()
	k := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	s := newSender(l, "test", wait, new(bytes.Buffer))
	s.now = func() time.Time { return time.UnixMilli(int64(l.head.TimeMS)) }
	s.retake = 0
	return s.send(t.Context(), k, key.Address(k.Public().(ed25519.PublicKey)), &tx.Body{Op: &tx.Body_Claim{Claim: &tx.Claim{}}})
}

func nonces(t *testing.T, raws [][]byte) (out []uint64) {
	t.Helper()
	for _, raw := range raws {
		x, err := tx.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x.Body.GetNonce())
	}
	return out
}

func TestSendSeesTheTransactionIntoABlock(t *testing.T) {
	l := &scripted{head: light.Summary{Height: 9, TimeMS: 1_000_000}, after: 3, perBlock: 1000}
	r, err := sendOver(t, l, true)
	if err != nil || !r.Included || r.Height != 77 || len(l.submitted) != 1 || r.Operation != "claim" {
		t.Fatalf("%+v, %v after %d submissions", r, err, len(l.submitted))
	}
	x, err := tx.Decode(l.submitted[0])
	if err != nil {
		t.Fatal(err)
	}
	if until := x.Body.GetValidUntilMs(); until != 1_000_000+120_000 {
		t.Errorf("valid until %d", until)
	}
	l = &scripted{head: light.Summary{Height: 9}}
	if r, err := sendOver(t, l, false); err != nil || r.Included || r.Hash == "" {
		t.Errorf("without waiting: %+v, %v", r, err)
	}
}

func TestSendTakesTheNextNonce(t *testing.T) {
	stale := &light.Rejected{Code: state.ErrNonce.Code, Text: "it signs number 1 next"}
	l := &scripted{head: light.Summary{Height: 9}, after: 1, refuse: []error{stale, stale}}
	r, err := sendOver(t, l, true)
	if got := nonces(t, l.submitted); err != nil || !r.Included || len(got) != 3 || got[0] != 0 || got[1] != 1 || got[2] != 2 {
		t.Errorf("%+v, %v with nonces %v", r, err, got)
	}
	l = &scripted{refuse: []error{stale, stale, stale, stale, stale, stale, stale, stale}}
	if _, err := sendOver(t, l, true); !errors.Is(err, state.ErrNonce) || len(l.submitted) != sendTries {
		t.Errorf("%v after %d submissions", err, len(l.submitted))
	}
}

func TestSendAsksAgainWhoIsBusy(t *testing.T) {
	l := &scripted{after: 1, refuse: []error{light.ErrBusy, light.ErrBusy}}
	if r, err := sendOver(t, l, true); err != nil || !r.Included || len(l.submitted) != 3 {
		t.Errorf("%+v, %v after %d submissions", r, err, len(l.submitted))
	}
}

func TestSendGivesUpWhenItIsVoid(t *testing.T) {
	l := &scripted{head: light.Summary{TimeMS: 1}, perBlock: 10_000}
	r, err := sendOver(t, l, true)
	if !errors.Is(err, errVoid) || r.Included {
		t.Fatalf("%+v, %v", r, err)
	}
	// twelve blocks of ten seconds, and again after each four
	if n := len(l.submitted); n < 3 || n > 5 {
		t.Errorf("%d submissions", n)
	}
	for _, raw := range l.submitted[1:] {
		if !bytes.Equal(raw, l.submitted[0]) {
			t.Error("another transaction was submitted: both could take effect")
		}
	}
}

func TestRefusalsAreWords(t *testing.T) {
	l := &scripted{after: 1, code: state.ErrNothing.Code, text: "state: nothing is free to be claimed: later\x1b[2J; wait"}
	r, err := sendOver(t, l, true)
	if !errors.Is(err, state.ErrNothing) || !r.Included || strings.Contains(err.Error(), "\x1b") || strings.Contains(err.Error(), "state:") {
		t.Errorf("%+v, %q", r, err)
	}
	for _, rule := range state.Rules() {
		err := refusal(rule.Code, "")
		if !errors.Is(err, rule) || !strings.Contains(err.Error(), strings.TrimPrefix(rule.Error(), "state: ")) {
			t.Errorf("code %d: %v", rule.Code, err)
		}
		var h hint
		if !errors.As(err, &h) {
			t.Errorf("code %d without words of a peer does not say what to try", rule.Code)
		}
	}
	if err := refusal(4_000_000, "who knows"); !strings.Contains(err.Error(), "4000000") {
		t.Error(err)
	}
}

func TestKeysOfTheStateAreRead(t *testing.T) {
	a, n := key.Address{1}, key.Node{}
	copy(n[:], ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey))
	for text, want := range map[string][]byte{
		"acct/" + a.String():                                  state.AccountKey(a),
		"node/" + n.String():                                  state.NodeKey(n),
		"dele/" + a.String() + "/" + n.String():               state.DelegationKey(a, n),
		"sess/" + n.String() + "/" + strings.Repeat("01", 16): state.SessionKey(n, [16]byte(bytes.Repeat([]byte{1}, 16))),
		"vest/" + a.String() + "/7/9":                         state.VestingKey(a, 7, 9),
		"unb/" + a.String() + "/" + n.String() + "/5":         state.UnbondingKey(a, n, 5),
		"seed/18446744073709551615":                           state.SeedKey(1<<64 - 1),
		"cert/1/2":                                            state.CertificateKey(1, 2),
		"total":                                               state.TotalsKey(),
		"hex:00ff":                                            {0, 0xff},
	} {
		if got, _, err := parseKey(text); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is %x, %v; want %x", text, got, err, want)
		}
	}
	for _, text := range []string{"", "acct", "acct/", "acct/" + a.String() + "/x", "cert/1/4294967296", "hex:", "hex:f", "seed/-1", "pool/none", "sess/" + n.String() + "/01", "hex:" + strings.Repeat("00", light.MaxKey+1)} {
		if k, _, err := parseKey(text); err == nil {
			t.Errorf("%q is %x", text, k)
		}
	}
}
