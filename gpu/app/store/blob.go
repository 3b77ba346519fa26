package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Module returns an app's module and makes sure that it is the one asked for.
func (s *Store) Module(sha [32]byte) ([]byte, error) {
	e, err := s.find(sha)
	if err != nil {
		return nil, err
	}
	code, err := e.module()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if sha256.Sum256(code) != sha {
		return nil, fmt.Errorf("%w: the module of %q is not what it was; remove the app and add it again", ErrCorrupt, e.app.Manifest.Name)
	}
	return code, nil
}

// Path returns a file that holds an app's module, checked like Module does. For a
// built-in app it is a copy in the store's folder.
func (s *Store) Path(sha [32]byte) (string, error) {
	if _, ok := s.builtin[sha]; !ok {
		_, err := s.Module(sha)
		return filepath.Join(s.dir, hex.EncodeToString(sha[:]), moduleFile), err
	}
	name := filepath.Join(s.dir, builtinDir, hex.EncodeToString(sha[:])+".wasm")
	s.write.Lock()
	defer s.write.Unlock()
	if b, err := os.ReadFile(name); err == nil && sha256.Sum256(b) == sha {
		return name, nil
	}
	code, err := s.Module(sha)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), newPrefix)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(code)
	if err := errors.Join(err, tmp.Close(), os.Rename(tmp.Name(), name)); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return name, nil
}

// Size returns the length of an app's module in bytes.
func (s *Store) Size(sha [32]byte) (int64, error) {
	e, err := s.find(sha)
	return e.app.Size, err
}

// ReadAt reads part of an app's module, like io.ReaderAt. It does not check the
// SHA-256: who reads in parts does so over the whole.
func (s *Store) ReadAt(sha [32]byte, p []byte, off int64) (int, error) {
	e, err := s.find(sha)
	if err != nil {
		return 0, err
	}
	f, err := e.files.Open(path.Join(e.dir, moduleFile))
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if !ok {
		b, err := readModule(f)
		if err != nil {
			return 0, fmt.Errorf("store: %w", err)
		}
		r = bytes.NewReader(b)
	}
	return r.ReadAt(p, off)
}

// Manifest returns the bytes of an app's app.toml.
func (s *Store) Manifest(sha [32]byte) ([]byte, error) {
	e, err := s.find(sha)
	if err != nil {
		return nil, err
	}
	return e.small(manifestFile, MaxManifest)
}

// Picture returns an app's picture, a PNG; fs.ErrNotExist when it has none.
func (s *Store) Picture(sha [32]byte) ([]byte, error) {
	e, err := s.find(sha)
	if err != nil {
		return nil, err
	}
	b, err := e.small(pictureFile, MaxPicture)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %s has no picture: %w", e.app.Manifest.Name, fs.ErrNotExist)
	}
	return b, err
}
