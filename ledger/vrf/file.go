package vrf

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// header opens a key file, so that a key of another kind put in its place is refused.
const header = "framemesh vrf key 1\n"

const fileSize = len(header) + 2*ed25519.SeedSize + 1

// GenerateKey makes a key from r, or from the system's randomness when r is nil.
func GenerateKey(r io.Reader) (PrivateKey, error) {
	if r == nil {
		r = rand.Reader
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(r, seed); err != nil {
		return PrivateKey{}, fmt.Errorf("%w: drawing one: %w", ErrKey, err)
	}
	return PrivateKey{ed25519.NewKeyFromSeed(seed)}, nil
}

// Load reads the key at path. When there is none it makes one and writes it with mode
// 0600, whole or not at all. It wraps ErrKey for a file that holds no key, and for one
// that others of this machine can read.
func Load(path string) (PrivateKey, error) {
	k, err := read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = GenerateKey(nil); err != nil {
		return k, err
	}
	if err := create(path, k); errors.Is(err, fs.ErrExist) {
		return read(path) // another start of this node was faster: its key counts
	} else if err != nil {
		return PrivateKey{}, fmt.Errorf("vrf: writing the key %s: %w; check that the directory can be written", path, err)
	}
	return k, nil
}

func read(path string) (PrivateKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("vrf: reading the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("vrf: reading the key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return PrivateKey{}, fmt.Errorf("%w: others can read %s (mode %04o); run chmod 600 on it, and register a new key if this machine is shared", ErrKey, path, mode)
	}
	raw, err := io.ReadAll(io.LimitReader(f, int64(fileSize)+1))
	if err != nil {
		return PrivateKey{}, fmt.Errorf("vrf: reading the key %s: %w", path, err)
	}
	text, ok := bytes.CutPrefix(raw, []byte(header))
	seed, bad := hex.DecodeString(string(bytes.TrimSuffix(text, []byte("\n"))))
	if !ok || bad != nil || len(seed) != ed25519.SeedSize {
		return PrivateKey{}, fmt.Errorf("%w: %s is damaged or not a VRF key; put back a copy, or move it away to get a new key, which has to be registered again", ErrKey, path)
	}
	return PrivateKey{ed25519.NewKeyFromSeed(seed)}, nil
}

// create writes the file beside its place and links it there: a crash leaves a whole key
// or none, and an existing key is never overwritten.
func create(path string, k PrivateKey) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".vrf-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(header + hex.EncodeToString(k.secret[:ed25519.SeedSize]) + "\n")
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
