package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/module"
)

// Add checks a module and puts it into the store with its manifest and, unless it
// is nil, its picture (PNG). Adding a module again replaces manifest and picture.
func (s *Store) Add(code []byte, m Manifest, picture []byte) (App, error) {
	kind, err := app.Kind(code)
	if err != nil {
		return App{}, fmt.Errorf("store: add %q: %w", m.Name, err)
	}
	if m.Kind == "" {
		m.Kind = kind
	}
	if err := m.check(); err != nil {
		return App{}, err
	}
	if m.Kind != kind {
		return App{}, fmt.Errorf("%w: kind is %q, but the module is %q; leave kind out", ErrManifest, m.Kind, kind)
	}
	if picture != nil {
		if err := checkPicture(picture); err != nil {
			return App{}, err
		}
	}
	text, err := toml.Marshal(m)
	if err != nil {
		return App{}, fmt.Errorf("store: write manifest: %w", err)
	}
	a := App{SHA: sha256.Sum256(code), Size: int64(len(code)), Manifest: m}
	s.write.Lock()
	defer s.write.Unlock()
	if e, ok := s.builtin[a.SHA]; ok {
		return App{}, fmt.Errorf("%w under the name %q", ErrBuiltin, e.app.Manifest.Name)
	}
	apps, _ := s.List()
	for _, other := range apps {
		if other.Manifest.Name == m.Name && other.SHA != a.SHA {
			return App{}, fmt.Errorf("%w: %q is %.12s…; choose another name in app.toml, or remove that app first", ErrTaken, m.Name, other.ID())
		}
	}
	return a, s.place(a, code, text, picture)
}

// place writes an app's folder beside its place and moves it there, so that at no
// moment half an app is in the store.
func (s *Store) place(a App, code, manifest, picture []byte) (err error) {
	tmp, err := os.MkdirTemp(s.dir, newPrefix)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer os.RemoveAll(tmp)
	for _, f := range []struct {
		name string
		data []byte
	}{{moduleFile, code}, {manifestFile, manifest}, {pictureFile, picture}} {
		if f.data == nil {
			continue
		}
		if err := writeSynced(filepath.Join(tmp, f.name), f.data); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	to := filepath.Join(s.dir, a.ID())
	old := tmp + "-old"
	defer os.RemoveAll(old)
	if err := os.Rename(to, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	if err := os.Rename(tmp, to); err != nil {
		os.Rename(old, to) // put back what was there
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func checkPicture(b []byte) error {
	if len(b) > MaxPicture {
		return fmt.Errorf("%w: %d bytes (the limit is %d)", ErrPicture, len(b), MaxPicture)
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%w: not a PNG: %w", ErrPicture, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPictureSide || c.Height > maxPictureSide {
		return fmt.Errorf("%w: %d×%d px (the limit is %d a side)", ErrPicture, c.Width, c.Height, maxPictureSide)
	}
	return nil
}

// AddFiles adds an app from files; picture may be "".
func (s *Store) AddFiles(modulePath, manifestPath, picturePath string) (App, error) {
	manifest, err := readFile(manifestPath, MaxManifest)
	if err != nil {
		return App{}, fmt.Errorf("store: %w", err)
	}
	m, err := ParseManifest(manifest)
	if err != nil {
		return App{}, fmt.Errorf("%s: %w", manifestPath, err)
	}
	code, err := readFile(modulePath, module.MaxSize)
	if err != nil {
		return App{}, fmt.Errorf("store: %w", err)
	}
	var picture []byte
	if picturePath != "" {
		if picture, err = readFile(picturePath, MaxPicture); err != nil {
			return App{}, fmt.Errorf("store: %w", err)
		}
	}
	return s.Add(code, m, picture)
}

// readFile reads at most one byte more than the limit: enough for the caller's own
// check to refuse it.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// Remove takes an app out of the store, by what Get takes; also a broken one, by
// its full SHA-256.
func (s *Store) Remove(ref string) error {
	sha, ok := parseSHA(strings.ToLower(ref))
	if !ok {
		a, err := s.Get(ref)
		if err != nil {
			return err
		}
		sha = a.SHA
	}
	s.write.Lock()
	defer s.write.Unlock()
	if _, ok := s.builtin[sha]; ok {
		return fmt.Errorf("%w: %s comes with the program", ErrBuiltin, ref)
	}
	dir := filepath.Join(s.dir, hex.EncodeToString(sha[:]))
	// Moved first: whoever reads it sees all of it or nothing.
	gone, err := os.MkdirTemp(s.dir, newPrefix)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer os.RemoveAll(gone)
	if err := os.Rename(dir, filepath.Join(gone, "app")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %.64q", ErrNotFound, ref)
	} else if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
