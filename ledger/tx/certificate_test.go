package tx_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// A certificate holds for the panel in which its places are those of the signers, and for
// nothing but what they signed.
func TestAttestationsAreOfPlaces(t *testing.T) {
	if err := certificate().VerifyBy(chain, panel()); err != nil {
		t.Fatal(err)
	}
	places := certificate().Attestations()
	if len(places) != 2 || places[0].Place != 1 || places[1].Place != 3 {
		t.Errorf("attested by %+v", places)
	}
	for name, c := range map[string]struct {
		spoil func(x *tx.VoteCertificate, p []key.Node) []key.Node
		want  error
	}{
		"another epoch":       {func(x *tx.VoteCertificate, p []key.Node) []key.Node { x.Epoch++; return p }, tx.ErrEvidence},
		"another batch":       {func(x *tx.VoteCertificate, p []key.Node) []key.Node { x.Batch++; return p }, tx.ErrEvidence},
		"another result":      {func(x *tx.VoteCertificate, p []key.Node) []key.Node { x.Result = []byte("all bad"); return p }, tx.ErrEvidence},
		"another place":       {func(x *tx.VoteCertificate, p []key.Node) []key.Node { x.Signers = 1<<1 | 1<<4; return p }, tx.ErrEvidence},
		"a changed signature": {func(x *tx.VoteCertificate, p []key.Node) []key.Node { x.Signatures[70] ^= 1; return p }, tx.ErrEvidence},
		"signatures exchanged": {func(x *tx.VoteCertificate, p []key.Node) []key.Node {
			x.Signatures = slices.Concat(x.Signatures[64:], x.Signatures[:64])
			return p
		}, tx.ErrEvidence},
		"another order of the panel": {func(_ *tx.VoteCertificate, p []key.Node) []key.Node { slices.Reverse(p); return p }, tx.ErrEvidence},
		"a smaller panel":            {func(_ *tx.VoteCertificate, p []key.Node) []key.Node { return p[:3] }, tx.ErrPlace},
		"no panel":                   {func(*tx.VoteCertificate, []key.Node) []key.Node { return nil }, tx.ErrPlace},
	} {
		x := certificate()
		if err := x.VerifyBy(chain, c.spoil(x, panel())); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := certificate().VerifyBy("othernet", panel()); !errors.Is(err, tx.ErrEvidence) {
		t.Errorf("another network: %v", err)
	}
}

func TestAttestationsAreAddedInOrder(t *testing.T) {
	x := new(tx.VoteCertificate)
	for _, c := range []struct {
		place int
		size  int
		want  int
	}{{2, 64, 1}, {2, 64, 1}, {1, 64, 1}, {-1, 64, 1}, {3, 63, 1}, {3, 0, 1}, {tx.MaxMembers, 64, 1}, {tx.MaxMembers - 1, 64, 2}} {
		x.AddAttestation(c.place, make([]byte, c.size))
		if x.Attested() != c.want || len(x.Signatures) != 64*c.want {
			t.Errorf("after place %d with %d bytes %d attest with %d bytes", c.place, c.size, x.Attested(), len(x.Signatures))
		}
	}
}

// A Verifier says what VerifyBy says, and what it remembers is of one transaction and one
// panel: of another panel nothing is known.
func TestVerifierRemembersThePanel(t *testing.T) {
	good := signed(t, find(t, "certificate"), nil)
	e := find(t, "certificate")
	e.body.GetCertificate().Signatures[5] ^= 1
	bad := signed(t, e, nil)
	other := panel()
	other[3] = other[2]
	v := tx.NewVerifier(chain, 10)
	for _, sure := range []bool{false, true} {
		if sure {
			for _, got := range []*tx.Tx{good, bad} {
				if err := v.Verify(got); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			if err := v.VerifyBy(good, panel()); err != nil {
				t.Errorf("good: %v", err)
			}
			if err := v.VerifyBy(good, other); !errors.Is(err, tx.ErrEvidence) {
				t.Errorf("by another panel: %v", err)
			}
			if err := v.VerifyBy(bad, panel()); !errors.Is(err, tx.ErrEvidence) {
				t.Errorf("bad: %v", err)
			}
		}
	}
	// What was not decoded may have anybody's hash.
	forged := &tx.Tx{Hash: good.Hash, Body: bad.Body}
	if err := v.VerifyBy(forged, panel()); !errors.Is(err, tx.ErrEvidence) {
		t.Errorf("forged: %v", err)
	}
}
