package wallet

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/framemesh/framemesh/ledger/key"
)

// Errors of this package.
var (
	ErrName       = errors.New("wallet: not a name for a key")
	ErrExists     = errors.New("wallet: there is one already")
	ErrNotFound   = errors.New("wallet: no such key")
	ErrPassphrase = errors.New("wallet: wrong passphrase")
	ErrWeak       = errors.New("wallet: passphrase too short")
	ErrDamaged    = errors.New("wallet: damaged file")
	ErrOpenToAll  = errors.New("wallet: file may be read by other users")
	ErrSeed       = errors.New("wallet: not a seed")
)

// MinPassphrase is the least number of characters that protects a new file.
const MinPassphrase = 8

// Work factors: scrypt with N = 2^work, r = 8, p = 1 takes 2^work KiB of memory.
const (
	DefaultWork = 17 // 128 MiB, about half a second
	MaxWork     = 20 // of files from elsewhere: 1 GiB
)

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Options of a Wallet; the zero value is right for people.
type Options struct {
	Work int              // work factor of new files, 1 to MaxWork; 0 = DefaultWork
	Now  func() time.Time // nil = time.Now
}

// Wallet is a folder of keys. Methods may be called from many goroutines and processes.
type Wallet struct {
	dir  string
	work int
	now  func() time.Time
}

// Open uses the folder dir; it is made, with mode 0700, when the first key is written.
func Open(dir string, o Options) (*Wallet, error) {
	w := &Wallet{dir: dir, work: o.Work, now: o.Now}
	if w.work == 0 {
		w.work = DefaultWork
	}
	if w.work < 1 || w.work > MaxWork {
		return nil, fmt.Errorf("wallet: work factor %d; choose 1 to %d", w.work, MaxWork)
	}
	if w.now == nil {
		w.now = time.Now
	}
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return nil, fmt.Errorf("wallet: %s is not a folder; choose another", dir)
	}
	return w, nil
}

// Entry is what a wallet tells of a key without its passphrase.
type Entry struct {
	Name    string      `json:"name"`
	Address key.Address `json:"address"`
	Created time.Time   `json:"created"`
}

// Create makes a new key. It returns ErrName, ErrWeak or ErrExists.
func (w *Wallet) Create(name, passphrase string) (key.Address, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return key.Address{}, fmt.Errorf("wallet: no randomness: %w", err)
	}
	return w.put(name, seed, passphrase)
}

// ImportSeed keeps the key of an Ed25519 seed, 64 hex digits. It returns ErrSeed and what
// Create returns.
func (w *Wallet) ImportSeed(name, text, passphrase string) (key.Address, error) {
	seed, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(seed) != ed25519.SeedSize { // the text is a secret: it is not shown
		return key.Address{}, fmt.Errorf("%w: %d characters; a seed is %d hex digits", ErrSeed, len(text), 2*ed25519.SeedSize)
	}
	return w.put(name, seed, passphrase)
}

// ImportFile keeps the key of a file that Export wrote, or of another wallet's .age file,
// under the passphrase it has. It returns ErrDamaged, ErrPassphrase and what Create
// returns.
func (w *Wallet) ImportFile(name, path, passphrase string) (key.Address, error) {
	b, err := readFile(path, false)
	if err != nil {
		return key.Address{}, err
	}
	s, err := unseal(b, passphrase, MaxWork)
	if err != nil {
		return key.Address{}, fmt.Errorf("%s: %w", path, err)
	}
	return w.put(name, s.seed, passphrase)
}

// Export writes the key to a new file at path, encrypted with newPassphrase. It overwrites
// nothing.
func (w *Wallet) Export(name, passphrase, path, newPassphrase string) error {
	if err := strong(newPassphrase); err != nil {
		return err
	}
	s, err := w.open(name, passphrase)
	if err != nil {
		return err
	}
	b, err := seal(s, newPassphrase, w.work)
	if err != nil {
		return err
	}
	return create(path, b)
}

// Unlock gives the private key out. It returns ErrNotFound, ErrPassphrase, ErrDamaged or
// ErrOpenToAll.
func (w *Wallet) Unlock(name, passphrase string) (ed25519.PrivateKey, error) {
	s, err := w.open(name, passphrase)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(s.seed), nil
}

// Lookup tells of one key without its passphrase. It returns ErrNotFound, and ErrDamaged
// when address and time are lost; Unlock writes them again.
func (w *Wallet) Lookup(name string) (Entry, error) {
	if err := check(name); err != nil {
		return Entry{}, err
	}
	if _, err := os.Lstat(w.path(name, secretExt)); err != nil {
		return Entry{}, w.notFound(name, err)
	}
	b, err := readFile(w.path(name, publicExt), false)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %s does not tell its address: %w; unlock the key once", ErrDamaged, name, err)
	}
	return parsePublic(name, b)
}

// List tells of every key by name. Keys that Lookup finds damaged are left out of entries
// and named in the error, which is then joined of one for each; the entries are good all
// the same.
func (w *Wallet) List() (entries []Entry, err error) {
	files, err := os.ReadDir(w.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("wallet: %w; check who owns the folder", err)
	}
	var bad []error
	for _, f := range files { // sorted by name
		name, ok := strings.CutSuffix(f.Name(), secretExt)
		if !ok || !nameRule.MatchString(name) {
			continue
		}
		e, err := w.Lookup(name)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		entries = append(entries, e)
	}
	return entries, errors.Join(bad...)
}

func (w *Wallet) put(name string, seed []byte, passphrase string) (key.Address, error) {
	if err := check(name); err != nil {
		return key.Address{}, err
	}
	if err := strong(passphrase); err != nil {
		return key.Address{}, err
	}
	s := newSecret(seed, w.now())
	b, err := seal(s, passphrase, w.work)
	if err != nil {
		return key.Address{}, err
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return key.Address{}, fmt.Errorf("wallet: %w; choose a folder you may write to", err)
	}
	if err := create(w.path(name, secretExt), b); err != nil {
		return key.Address{}, err
	}
	return s.address, w.publish(name, s)
}

// open decrypts a key and mends what is told of it in clear.
func (w *Wallet) open(name, passphrase string) (secret, error) {
	if err := check(name); err != nil {
		return secret{}, err
	}
	path := w.path(name, secretExt)
	b, err := readFile(path, true)
	if err != nil {
		return secret{}, w.notFound(name, err)
	}
	s, err := unseal(b, passphrase, MaxWork)
	if err != nil {
		return secret{}, fmt.Errorf("%s: %w", path, err)
	}
	switch e, err := w.Lookup(name); {
	case err != nil:
		return s, w.publish(name, s)
	case e.Address != s.address:
		// Whoever changed it wanted payments to go elsewhere: that must not pass in silence.
		return secret{}, fmt.Errorf("%w: %s says %s, but the key is that of %s; remove %s and check who can write to %s",
			ErrDamaged, w.path(name, publicExt), e.Address, s.address, w.path(name, publicExt), w.dir)
	}
	return s, nil
}

func (w *Wallet) path(name, ext string) string { return filepath.Join(w.dir, name+ext) }

func (w *Wallet) notFound(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s in %s; list the keys or create it", ErrNotFound, name, w.dir)
	}
	return err
}

func check(name string) error {
	if !nameRule.MatchString(name) {
		return fmt.Errorf("%w: %.80q; use 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit", ErrName, name)
	}
	return nil
}

func strong(passphrase string) error {
	if n := utf8.RuneCountInString(passphrase); n < MinPassphrase {
		return fmt.Errorf("%w: %d characters; use at least %d, better several words", ErrWeak, n, MinPassphrase)
	}
	return nil
}
