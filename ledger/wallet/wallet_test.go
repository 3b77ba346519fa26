package wallet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
)

const pass = "correct horse battery"

var when = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) (*Wallet, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wallet")
	w, err := Open(dir, Options{Work: 1, Now: func() time.Time { return when }})
	if err != nil {
		t.Fatal(err)
	}
	return w, dir
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode().Perm()
}

func TestAKeyIsMadeListedAndUnlocked(t *testing.T) {
	w, dir := open(t)
	if list, err := w.List(); err != nil || len(list) != 0 {
		t.Fatalf("before the first: %v, %v", list, err)
	}
	savings, err := w.Create("savings", pass)
	if err != nil {
		t.Fatal(err)
	}
	play, err := w.Create("play", pass)
	if err != nil {
		t.Fatal(err)
	}
	if play == savings {
		t.Fatal("two keys are one")
	}
	list, err := w.List()
	want := []Entry{{"play", play, when}, {"savings", savings, when}}
	if err != nil || len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("%v, %v", list, err)
	}
	k, err := w.Unlock("savings", pass)
	if err != nil || key.Address(k[ed25519.SeedSize:]) != savings {
		t.Fatalf("%v, %v", k, err)
	}
	if !key.Verify(savings[:], "testnet", key.KindTx, nil, key.Sign(k, "testnet", key.KindTx, nil)) {
		t.Error("the key does not sign for its address")
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "savings.age"): 0o600, filepath.Join(dir, "savings.json"): 0o600} {
		if got := mode(t, path); got != want {
			t.Errorf("%s has mode %04o", path, got)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Errorf("files left over: %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || bytes.Contains(b, []byte(hex.EncodeToString(k.Seed()))) {
			t.Errorf("%s shows the seed (%v)", f.Name(), err)
		}
	}
}

func TestWrongPassphraseAndMissingKey(t *testing.T) {
	w, _ := open(t)
	if _, err := w.Create("savings", pass); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", pass + " ", strings.ToUpper(pass)} {
		if _, err := w.Unlock("savings", p); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%q: %v", p, err)
		}
	}
	if _, err := w.Unlock("spendings", pass); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
	if _, err := w.Lookup("spendings"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
	for _, p := range []string{"", "1234567", "üüüüüüü"} {
		if _, err := w.Create("weak", p); !errors.Is(err, ErrWeak) {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, name := range []string{"", "A", "../up", "a/b", ".hidden", "-flag", "a b", strings.Repeat("a", 65), "a.age", "a\n"} {
		if _, err := w.Create(name, pass); !errors.Is(err, ErrName) {
			t.Errorf("create %q: %v", name, err)
		}
		if _, err := w.Unlock(name, pass); !errors.Is(err, ErrName) {
			t.Errorf("unlock %q: %v", name, err)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	w, dir := open(t)
	address, err := w.Create("savings", pass)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "savings.age"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create("savings", pass); !errors.Is(err, ErrExists) {
		t.Errorf("create again: %v", err)
	}
	if _, err := w.ImportSeed("savings", strings.Repeat("01", 32), pass); !errors.Is(err, ErrExists) {
		t.Errorf("import over it: %v", err)
	}
	if err := w.Export("savings", pass, filepath.Join(dir, "savings.age"), pass); !errors.Is(err, ErrExists) {
		t.Errorf("export over it: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "savings.age"))
	if err != nil || !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
	if e, err := w.Lookup("savings"); err != nil || e.Address != address {
		t.Errorf("%v, %v", e, err)
	}
}

func TestOfManyWhoCreateAtOnceOneWins(t *testing.T) {
	w, _ := open(t)
	const n = 8
	var wg sync.WaitGroup
	addresses, errs := make([]key.Address, n), make([]error, n)
	for i := range n {
		wg.Go(func() { addresses[i], errs[i] = w.Create("savings", pass) })
	}
	wg.Wait()
	k, err := w.Unlock("savings", pass)
	if err != nil {
		t.Fatal(err)
	}
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			if addresses[i] != key.Address(k[ed25519.SeedSize:]) {
				t.Error("the winner's key is not the one that was kept")
			}
		case !errors.Is(err, ErrExists):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
}

func TestSeedsAndFilesAreImported(t *testing.T) {
	w, dir := open(t)
	seed := strings.Repeat("07", 32)
	want := key.Address(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))[32:])
	if got, err := w.ImportSeed("old", " "+seed+"\n", pass); err != nil || got != want {
		t.Fatalf("%s, %v", got, err)
	}
	for _, bad := range []string{"", seed[:63], seed + "00", strings.Repeat("zz", 32)} {
		_, err := w.ImportSeed("bad", bad, pass)
		if !errors.Is(err, ErrSeed) {
			t.Errorf("%q: %v", bad, err)
		}
		if bad != "" && strings.Contains(err.Error(), bad[:10]) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	out := filepath.Join(t.TempDir(), "backup.age")
	const other = "another passphrase"
	if err := w.Export("old", pass, out, "short"); !errors.Is(err, ErrWeak) {
		t.Errorf("export with a weak passphrase: %v", err)
	}
	if err := w.Export("old", "wrong one", out, other); !errors.Is(err, ErrPassphrase) {
		t.Errorf("export with a wrong passphrase: %v", err)
	}
	if err := w.Export("old", pass, out, other); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, out); got != 0o600 {
		t.Errorf("exported with mode %04o", got)
	}
	w2, _ := open(t)
	if _, err := w2.ImportFile("new", out, pass); !errors.Is(err, ErrPassphrase) {
		t.Errorf("import with the old passphrase: %v", err)
	}
	if got, err := w2.ImportFile("new", out, other); err != nil || got != want {
		t.Fatalf("%s, %v", got, err)
	}
	if k, err := w2.Unlock("new", other); err != nil || hex.EncodeToString(k.Seed()) != seed {
		t.Errorf("unlock: %v", err)
	}
	if _, err := w2.ImportFile("new", out, other); !errors.Is(err, ErrExists) {
		t.Errorf("import over it: %v", err)
	}
	if _, err := w2.ImportFile("none", filepath.Join(dir, "none.age"), other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("import of nothing: %v", err)
	}
}

func TestOptionsAreBounded(t *testing.T) {
	for _, work := range []int{-1, MaxWork + 1} {
		if _, err := Open(t.TempDir(), Options{Work: work}); err == nil {
			t.Errorf("work factor %d is taken", work)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil {
		t.Error("a file is taken for a folder")
	}
}

// FuzzWalletFile: no file makes opening panic, and what opens holds the key of its address.
func FuzzWalletFile(f *testing.F) {
	s := newSecret(bytes.Repeat([]byte{7}, 32), when)
	good, err := seal(s, pass, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(sealed(f, `{"version":1}`, 1))
	f.Add([]byte(`{"version":1,"address":"` + s.address.String() + `","created":"2026-03-01T12:00:00Z"}`))
	f.Add([]byte(`{"version":1,"address":"` + s.address.String() + `","created":"2026-03-01T12:00:00Z","seed":"` + strings.Repeat("07", 32) + `"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := unseal(b, pass, 2); err == nil && got.address != newSecret(got.seed, when).address {
			t.Fatal("a file opens with another's address")
		}
		if got, err := parseSecret(b); err == nil && got.address != newSecret(got.seed, when).address {
			t.Fatal("a secret with another's address")
		}
		if e, err := parsePublic("x", b); err == nil && e.Address == (key.Address{}) {
			t.Fatal("a key of nobody")
		}
	})
}

func BenchmarkUnlock(b *testing.B) {
	w, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.Create("savings", pass); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.Unlock("savings", pass); err != nil {
			b.Fatal(err)
		}
	}
}
