package p2p

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// ErrKeyFile is wrapped by everything that is wrong with a key file. The file is
// never changed: a key that was lost by a repair is an identity that was lost.
var ErrKeyFile = errors.New("p2p: key file")

// keyHeader is the first line of a key file; the version is part of it.
const keyHeader = "framemesh node key v1 ed25519 (secret: whoever reads this file is this node)"

// maxKeyFile bounds a key file in bytes; a real one has about 190.
const maxKeyFile = 4096

// keyRemedy ends every error about a key file's content.
const keyRemedy = "restore it from a backup, or move it away to start as a new node"

// LoadOrCreateKey reads the Ed25519 node key at path, or makes one there if no file
// exists. A new file has mode 0600 and appears complete or not at all; of two
// processes that start at once, both get the same key. A file that is corrupted, or
// that other users may read, is refused with ErrKeyFile and left as it is.
func LoadOrCreateKey(path string) (crypto.PrivKey, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, _, err = crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("p2p: make a node key: %w", err)
	}
	text, err := formatKey(key)
	if err != nil {
		return nil, err
	}
	switch err := createFile(path, text, 0o600); {
	case errors.Is(err, fs.ErrExist): // another process was first: its key counts
		return loadKey(path)
	case err != nil:
		return nil, fmt.Errorf("%w: cannot write %s: %w; choose a data directory you may write to", ErrKeyFile, path, err)
	}
	return key, nil
}

// loadKey reads and checks the file at path; fs.ErrNotExist when there is none.
func loadKey(path string) (crypto.PrivKey, error) {
	st, err := os.Lstat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w; check who owns the data directory", ErrKeyFile, err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file; move it away", ErrKeyFile, path)
	}
	if perm := st.Mode().Perm(); runtime.GOOS != "windows" && perm&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s may be read by other users (mode %04o); run chmod 600 %s, and make a new key if others had access", ErrKeyFile, path, perm, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; check who owns the file", ErrKeyFile, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrKeyFile, path, err)
	}
	key, err := parseKey(text, path)
	if err != nil {
		return nil, err
	}
	return key, nil
}

// formatKey writes a key as three lines: header, seed, peer id. The peer id is
// there to be compared: without it a flipped bit would silently be another node.
func formatKey(key crypto.PrivKey) ([]byte, error) {
	raw, err := key.Raw()
	if err != nil {
		return nil, fmt.Errorf("p2p: node key: %w", err)
	}
	if key.Type() != crypto.Ed25519 || len(raw) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("p2p: node key is not Ed25519")
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("p2p: node key: %w", err)
	}
	seed := base64.StdEncoding.EncodeToString(ed25519.PrivateKey(raw).Seed())
	return fmt.Appendf(nil, "%s\nseed %s\npeer %s\n", keyHeader, seed, id), nil
}

// parseKey reads what formatKey wrote; name is the file's name in errors.
func parseKey(text []byte, name string) (crypto.PrivKey, error) {
	bad := func(line int, why string) (crypto.PrivKey, error) {
		return nil, fmt.Errorf("%w: %s:%d: %s; %s", ErrKeyFile, name, line, why, keyRemedy)
	}
	if len(text) > maxKeyFile {
		return bad(1, fmt.Sprintf("longer than %d bytes, so not a node key", maxKeyFile))
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if lines[0] != keyHeader {
		return bad(1, "the header of a node key (version 1) is missing")
	}
	if len(lines) < 2 || !strings.HasPrefix(lines[1], "seed ") {
		return bad(2, `"seed" is missing`)
	}
	seed, err := base64.StdEncoding.Strict().DecodeString(lines[1][len("seed "):])
	if err != nil || len(seed) != ed25519.SeedSize || strings.Contains(lines[1], "\r") {
		return bad(2, "the seed is not 32 bytes of base64")
	}
	if len(lines) < 3 || !strings.HasPrefix(lines[2], "peer ") {
		return bad(3, `"peer" is missing`)
	}
	if len(lines) > 3 {
		return bad(4, "nothing may follow the peer id")
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return bad(2, "the seed is not an Ed25519 key")
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return bad(2, "the seed gives no peer id")
	}
	if lines[2] != "peer "+id.String() {
		return bad(3, "the peer id is not that of the seed")
	}
	return key, nil
}

// createFile writes a file that must not exist yet: complete and on the disk before
// it gets its name, and never over another. It returns fs.ErrExist if one is there.
func createFile(path string, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := tmp.Chmod(mode); err != nil {
		return err
	}
	if _, err := tmp.Write(content); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	// link fails if the name is taken, rename would replace it
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
