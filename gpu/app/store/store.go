// Package store keeps apps in a folder: each under the SHA-256 of its module, with
// the module, its manifest and its picture. Apps that come with the binary are
// read from a file system handed in and look the same.
//
// A module enters the store only when it could be run. What lies broken in the
// folder is reported and left alone, and never hides the rest.
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
	"slices"
	"strings"
	"sync"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/module"
)

// Names of the files of an app.
const (
	moduleFile   = "module.wasm"
	manifestFile = "app.toml"
	pictureFile  = "picture.png"
	builtinDir   = ".builtin" // copies of built-in modules, for those who need a path
	newPrefix    = ".new-"    // an app that is being added
)

// Limits of a picture, in bytes and px.
const (
	MaxPicture     = 200 << 10
	maxPictureSide = 1920
)

// minPrefix is the shortest part of a SHA-256 that names an app, in hex digits.
const minPrefix = 6

// Errors of a Store.
var (
	// ErrNotFound says that no app has this name; it is an fs.ErrNotExist.
	ErrNotFound = fmt.Errorf("store: no such app: %w", fs.ErrNotExist)
	// ErrAmbiguous says that several apps begin with these digits.
	ErrAmbiguous = errors.New("store: several apps match")
	// ErrTaken says that another app has this short name.
	ErrTaken = errors.New("store: the name is taken")
	// ErrBuiltin says that an app is part of the binary.
	ErrBuiltin = errors.New("store: the app is built in")
	// ErrPicture says that a picture cannot be taken.
	ErrPicture = errors.New("store: bad picture")
	// ErrCorrupt says that files of the store are not what they were.
	ErrCorrupt = errors.New("store: corrupted")
)

// App is one app of the store.
type App struct {
	SHA      [32]byte // of the module
	Size     int64    // of the module, in bytes
	Manifest Manifest
	Builtin  bool
}

// ID is the SHA-256 in hex.
func (a App) ID() string { return hex.EncodeToString(a.SHA[:]) }

// Problem is an entry of the store that cannot be used.
type Problem struct {
	Entry string // folder name
	Err   error
}

// Error says which entry has which problem.
func (p Problem) Error() string { return p.Entry + ": " + p.Err.Error() }

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }

// Store is a folder of apps. Its methods may be called from several goroutines.
type Store struct {
	dir     string
	builtin map[[32]byte]entry
	broken  []Problem // among the built-in ones
	write   sync.Mutex
}

// entry is where an app's files are.
type entry struct {
	files fs.FS
	dir   string // within files
	app   App
}

// Open uses dir as a store and makes it if need be, with mode 0700. Builtin may be
// nil, or hold one folder per app with module.wasm, app.toml and picture.png.
func Open(dir string, builtin fs.FS) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w; name a folder you may write", err)
	}
	s := &Store{dir: dir, builtin: map[[32]byte]entry{}}
	if builtin == nil {
		return s, nil
	}
	folders, err := fs.ReadDir(builtin, ".")
	if err != nil {
		return nil, fmt.Errorf("store: built-in apps: %w", err)
	}
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		if _, err := fs.Stat(builtin, path.Join(f.Name(), moduleFile)); errors.Is(err, fs.ErrNotExist) {
			continue // a folder of sources
		}
		e := entry{files: builtin, dir: f.Name()}
		code, err := e.module()
		if err == nil {
			e.app, err = e.describe(sha256.Sum256(code))
		}
		if err != nil {
			s.broken = append(s.broken, Problem{f.Name(), err})
			continue
		}
		e.app.Builtin = true
		s.builtin[e.app.SHA] = e
	}
	return s, nil
}

// module reads a module, never more than may be.
func (e entry) module() ([]byte, error) {
	f, err := e.files.Open(path.Join(e.dir, moduleFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readModule(f)
}

func readModule(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, module.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(b) > module.MaxSize {
		return nil, fmt.Errorf("%w: more than %d bytes", app.ErrTooLarge, module.MaxSize)
	}
	return b, nil
}

// small reads one of the small files.
func (e entry) small(name string, limit int) ([]byte, error) {
	f, err := e.files.Open(path.Join(e.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrCorrupt, name, limit)
	}
	return b, err
}

// describe reads all about an app but its module's content.
func (e entry) describe(sha [32]byte) (App, error) {
	info, err := fs.Stat(e.files, path.Join(e.dir, moduleFile))
	if err != nil {
		return App{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > module.MaxSize {
		return App{}, fmt.Errorf("%w: %s is no module", ErrCorrupt, moduleFile)
	}
	b, err := e.small(manifestFile, MaxManifest)
	if err != nil {
		return App{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	m, err := ParseManifest(b)
	if err != nil {
		return App{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return App{SHA: sha, Size: info.Size(), Manifest: m}, nil
}

// find returns where an app is.
func (s *Store) find(sha [32]byte) (entry, error) {
	if e, ok := s.builtin[sha]; ok {
		return e, nil
	}
	e := entry{files: os.DirFS(s.dir), dir: hex.EncodeToString(sha[:])}
	if _, err := fs.Stat(e.files, e.dir); err != nil {
		return e, fmt.Errorf("%w: %s", ErrNotFound, e.dir)
	}
	var err error
	e.app, err = e.describe(sha)
	return e, err
}

// List returns all apps by name, and what in the folder cannot be used.
func (s *Store) List() ([]App, []Problem) {
	apps, problems := []App{}, slices.Clone(s.broken)
	for _, e := range s.builtin {
		apps = append(apps, e.app)
	}
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		problems = append(problems, Problem{s.dir, err})
	}
	for _, f := range folders {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		sha, ok := parseSHA(f.Name())
		if !ok || !f.IsDir() {
			problems = append(problems, Problem{f.Name(), fmt.Errorf("%w: it is no app's folder; move it away", ErrCorrupt)})
			continue
		}
		if _, ok := s.builtin[sha]; ok {
			continue
		}
		e, err := s.find(sha)
		if err != nil {
			problems = append(problems, Problem{f.Name(), err})
			continue
		}
		apps = append(apps, e.app)
	}
	slices.SortFunc(apps, func(a, b App) int {
		if c := strings.Compare(a.Manifest.Name, b.Manifest.Name); c != 0 {
			return c
		}
		return bytes.Compare(a.SHA[:], b.SHA[:])
	})
	return apps, problems
}

func parseSHA(s string) (sha [32]byte, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(sha) || strings.ToLower(s) != s {
		return sha, false
	}
	return [32]byte(b), true
}

// Get finds an app by its short name, its SHA-256 in hex, or the first six or more
// digits of that. A name goes before digits.
func (s *Store) Get(ref string) (App, error) {
	if sha, ok := parseSHA(strings.ToLower(ref)); ok {
		e, err := s.find(sha)
		return e.app, err
	}
	apps, _ := s.List()
	var found []App
	for _, a := range apps {
		if a.Manifest.Name == ref {
			return a, nil
		}
		if len(ref) >= minPrefix && strings.HasPrefix(a.ID(), strings.ToLower(ref)) {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 0:
		return App{}, fmt.Errorf("%w: %.64q; \"framemesh apps list\" shows what there is", ErrNotFound, ref)
	case 1:
		return found[0], nil
	}
	return App{}, fmt.Errorf("%w: %s begin with %q; use more digits", ErrAmbiguous, names(found), ref)
}

func names(apps []App) string {
	var s []string
	for _, a := range apps {
		s = append(s, a.Manifest.Name)
	}
	return strings.Join(s, ", ")
}
