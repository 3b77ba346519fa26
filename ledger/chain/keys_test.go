package chain

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestKeysAreMadeOnceAndStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v")
	a, err := ConsensusKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := VRFKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ConsensusKey(dir)
	w, err2 := VRFKey(dir)
	if err != nil || err2 != nil || a != b || v != w {
		t.Fatalf("%x %x, %x %x: %v %v", a, b, v, w, err, err2)
	}
	if a == v {
		t.Error("one key for two purposes")
	}
	for _, name := range []string{ConsensusKeyFile, SignStateFile, VRFKeyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
}

func TestPossessionIsWhatARegistrationNeeds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v")
	owner, node := seeded("owner", 1), seeded("node", 1)
	account := key.Address(public(owner))
	signature, proof, err := Possession(dir, "test-1", account, key.Node(public(node)))
	if err != nil {
		t.Fatal(err)
	}
	consensus, err := ConsensusKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	prover, err := VRFKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	for chain, want := range map[string]error{"test-1": nil, "test-2": tx.ErrEvidence} {
		r := &tx.Register{Roles: 4, ConsensusKey: consensus[:], VrfKey: prover[:], ConsensusSignature: signature, VrfProof: proof}
		r.Consent(chain, node, account)
		raw, err := tx.Sign(chain, owner, &tx.Body{Op: &tx.Body_Register{Register: r}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := tx.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.VerifyEvidence(chain); !errors.Is(err, want) {
			t.Errorf("on %s: %v, want %v", chain, err, want)
		}
	}
}

// Whoever followed the chain and now registers gets keys; who lost them and just starts does
// not get others.
func TestAFullNodeCanBecomeAValidator(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, storeDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSigner(dir, false); !errors.Is(err, ErrKey) {
		t.Fatalf("it starts with a key that nobody knows: %v", err)
	}
	want, err := ConsensusKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	pv, err := loadSigner(dir, false)
	if err != nil || [32]byte(pv.Key.PubKey.Bytes()) != want {
		t.Fatalf("%v", err)
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		ok    bool
	}{
		{"key lost, sign state and chain there", func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, ConsensusKeyFile)), os.Mkdir(filepath.Join(d, storeDir), 0o700))
		}, false},
		{"key lost, sign state there", func(d string) error { return os.Remove(filepath.Join(d, ConsensusKeyFile)) }, false},
		{"sign state lost, chain there", func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, SignStateFile)), os.Mkdir(filepath.Join(d, storeDir), 0o700))
		}, false},
		{"key brought to a new directory", func(d string) error { return os.Remove(filepath.Join(d, SignStateFile)) }, true},
		{"key damaged", func(d string) error { return os.WriteFile(filepath.Join(d, ConsensusKeyFile), []byte("{"), 0o600) }, false},
		{"key of another kind", func(d string) error {
			return os.WriteFile(filepath.Join(d, ConsensusKeyFile), []byte(`{"priv_key":null}`), 0o600)
		}, false},
		{"sign state damaged", func(d string) error { return os.WriteFile(filepath.Join(d, SignStateFile), nil, 0o600) }, false},
		{"readable by others", func(d string) error { return os.Chmod(filepath.Join(d, ConsensusKeyFile), 0o644) }, false},
		{"huge", func(d string) error {
			return os.WriteFile(filepath.Join(d, ConsensusKeyFile), make([]byte, maxKeyFile+1), 0o600)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			before, err := ConsensusKey(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			after, err := ConsensusKey(dir)
			switch {
			case c.ok && (err != nil || after != before):
				t.Fatalf("%x instead of %x: %v", after, before, err)
			case !c.ok && !errors.Is(err, ErrKey):
				t.Fatalf("taken: %v", err)
			}
		})
	}
}
