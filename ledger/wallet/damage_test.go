package wallet

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/framemesh/framemesh/ledger/key"
)

func TestDamageIsNamedAndNothingIsLost(t *testing.T) {
	w, dir := open(t)
	address, err := w.Create("savings", pass)
	if err != nil {
		t.Fatal(err)
	}
	secretFile, publicFile := filepath.Join(dir, "savings.age"), filepath.Join(dir, "savings.json")
	good, err := os.ReadFile(secretFile)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := func(b []byte) []byte { // one byte of the ciphertext's end changed
		out := bytes.Clone(b)
		i := bytes.LastIndex(out[:len(out)-40], []byte("\n")) - 6
		if out[i] == 'A' {
			out[i] = 'B'
		} else {
			out[i] = 'A'
		}
		return out
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "text": []byte("hello"), "cut off": good[:len(good)/2], "a byte changed": binary(good),
		"too large": bytes.Repeat([]byte("x"), maxFile+1), "something behind it": append(bytes.Clone(good), good...),
	} {
		rewrite(secretFile, b)
		if _, err := w.Unlock("savings", pass); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(secretFile); err != nil || !bytes.Equal(after, b) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	rewrite(secretFile, good)

	// What is told in clear: lost, it comes back; changed, it is not believed.
	if err := os.Remove(publicFile); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create("other", pass); err != nil {
		t.Fatal(err)
	}
	if list, err := w.List(); !errors.Is(err, ErrDamaged) || len(list) != 1 || list[0].Name != "other" {
		t.Errorf("with one lost: %v, %v", list, err)
	}
	if _, err := w.Unlock("savings", pass); err != nil {
		t.Fatal(err)
	}
	if e, err := w.Lookup("savings"); err != nil || e != (Entry{"savings", address, when}) {
		t.Errorf("after unlocking: %v, %v", e, err)
	}
	thief, err := os.ReadFile(filepath.Join(dir, "other.json"))
	if err != nil {
		t.Fatal(err)
	}
	rewrite(publicFile, thief)
	if _, err := w.Unlock("savings", pass); !errors.Is(err, ErrDamaged) {
		t.Errorf("with somebody else's address: %v", err)
	}
	for _, b := range []string{"", "{}", `{"version":2}`, string(thief) + "x", `{"version":1,"address":"frm1"}`} {
		rewrite(publicFile, []byte(b))
		if _, err := w.Lookup("savings"); !errors.Is(err, ErrDamaged) {
			t.Errorf("told in clear %q: %v", b, err)
		}
	}
}

func TestFilesOthersMayReadAreRefused(t *testing.T) {
	w, dir := open(t)
	if _, err := w.Create("savings", pass); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "savings.age")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Unlock("savings", pass); !errors.Is(err, ErrOpenToAll) {
		t.Errorf("%v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".real"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".real", path); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Unlock("savings", pass); !errors.Is(err, ErrDamaged) {
		t.Errorf("through a link: %v", err)
	}
}

// sealed encrypts anything as an age file.
func sealed(t testing.TB, plain string, work int) []byte {
	t.Helper()
	r, err := age.NewScryptRecipient(pass)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(work)
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	e, err := age.Encrypt(a, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsInsideIsChecked(t *testing.T) {
	seed := strings.Repeat("07", 32)
	address := key.Address(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))[32:]).String()
	other := key.Address(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))[32:]).String()
	inside := func(version, address, seed string) string {
		return `{"version":` + version + `,"address":"` + address + `","created":"2026-03-01T12:00:00Z","seed":"` + seed + `"}`
	}
	if s, err := unseal(sealed(t, inside("1", address, seed), 1), pass, 1); err != nil || s.address.String() != address || !s.created.Equal(when) {
		t.Fatalf("the good one: %v", err)
	}
	for name, plain := range map[string]string{
		"nothing": "", "text": "hello", "an empty object": "{}", "a newer version": inside("2", address, seed),
		"a short seed": inside("1", address, seed[:62]), "no hex": inside("1", address, strings.Repeat("zz", 32)),
		"another's address": inside("1", other, seed), "something behind it": inside("1", address, seed) + "{}",
		"much": strings.Repeat(" ", maxSecret) + inside("1", address, seed),
	} {
		_, err := unseal(sealed(t, plain, 1), pass, 1)
		if !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), seed[:10]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := unseal(sealed(t, inside("1", address, seed), 3), pass, 2); !errors.Is(err, ErrDamaged) {
		t.Errorf("a file that takes too much memory to open: %v", err)
	}
}

// TestFilesOfTheFirstVersionOpen reads files that were written once and are never to be
// made again: whoever has an old wallet still has their money.
func TestFilesOfTheFirstVersionOpen(t *testing.T) {
	w, dir := open(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"savings.age", "savings.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", "v1", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := key.Address(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))[32:])
	if e, err := w.Lookup("savings"); err != nil || e != (Entry{"savings", want, when}) {
		t.Errorf("told in clear: %v, %v", e, err)
	}
	k, err := w.Unlock("savings", pass)
	if err != nil || key.Address(k[32:]) != want {
		t.Errorf("unlocked: %v", err)
	}
}
