package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/framemesh/framemesh/gpu/app"
)

// Limits of a manifest: MaxManifest in bytes, the others in characters or items.
const (
	MaxManifest    = 16 << 10
	MaxName        = 32
	maxTitle       = 64
	maxDescription = 1000
	maxCredit      = 100
	maxControls    = 16
	maxControl     = 120
)

// ErrManifest says that an app.toml cannot be taken.
var ErrManifest = errors.New("store: bad app.toml")

// Manifest is what an app says about itself to people, the content of app.toml.
type Manifest struct {
	Name        string   `toml:"name"`        // short name: a-z, 0-9 and -, 1 to 32 of them
	Title       string   `toml:"title"`       // 1 to 64 characters
	Description string   `toml:"description"` // at most 1000 characters
	Author      string   `toml:"author"`      // at most 100 characters
	License     string   `toml:"license"`     // at most 100 characters, an SPDX expression if there is one
	Controls    []string `toml:"controls"`    // at most 16 lines of 120 characters
	Kind        string   `toml:"kind"`        // app.ABI1 or app.WASM4; empty is found out from the module
	Category    string   `toml:"category"`    // CategoryGame (or empty) or CategoryTest
}

// Categories of apps. Test apps measure rather than entertain; a catalogue shows them
// after the games.
const (
	CategoryGame = "game"
	CategoryTest = "test"
)

// ParseManifest reads an app.toml from anywhere: unknown keys, control characters
// and texts over their limits are refused, with the line where it helps.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if len(b) > MaxManifest {
		return m, fmt.Errorf("%w: %d bytes (the limit is %d)", ErrManifest, len(b), MaxManifest)
	}
	err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&m)
	var unknown *toml.StrictMissingError
	var broken *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		e := unknown.Errors[0]
		row, _ := e.Position()
		return Manifest{}, fmt.Errorf("%w: line %d: unknown key %q; the keys are name, title, description, author, license, controls, kind, category",
			ErrManifest, row, strings.Join(e.Key(), "."))
	case errors.As(err, &broken):
		row, col := broken.Position()
		return Manifest{}, fmt.Errorf("%w: line %d, column %d: %s", ErrManifest, row, col, strings.TrimPrefix(broken.Error(), "toml: "))
	case err != nil:
		return Manifest{}, fmt.Errorf("%w: %s", ErrManifest, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if err := m.check(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

func (m *Manifest) check() error {
	if !ValidName(m.Name) {
		return fmt.Errorf("%w: name %.40q; use 1 to %d of a-z, 0-9 and -", ErrManifest, m.Name, MaxName)
	}
	if strings.TrimSpace(m.Title) == "" {
		return fmt.Errorf("%w: there is no title", ErrManifest)
	}
	if m.Kind != "" && m.Kind != app.ABI1 && m.Kind != app.WASM4 {
		return fmt.Errorf("%w: kind %.40q; it is %q, %q or left out", ErrManifest, m.Kind, app.ABI1, app.WASM4)
	}
	if m.Category != "" && m.Category != CategoryGame && m.Category != CategoryTest {
		return fmt.Errorf("%w: category %.40q; it is %q, %q or left out", ErrManifest, m.Category, CategoryGame, CategoryTest)
	}
	if len(m.Controls) > maxControls {
		return fmt.Errorf("%w: %d controls (the limit is %d)", ErrManifest, len(m.Controls), maxControls)
	}
	for _, t := range []struct {
		key, text string
		limit     int
	}{{"title", m.Title, maxTitle}, {"description", m.Description, maxDescription}, {"author", m.Author, maxCredit}, {"license", m.License, maxCredit}} {
		if err := checkText(t.key, t.text, t.limit); err != nil {
			return err
		}
	}
	for _, c := range m.Controls {
		if err := checkText("controls", c, maxControl); err != nil {
			return err
		}
	}
	return nil
}

// checkText refuses what would not stand well in a catalogue: too much of it, and
// characters that steer a terminal or turn the direction of a line.
func checkText(key, text string, limit int) error {
	if n := utf8.RuneCountInString(text); n > limit {
		return fmt.Errorf("%w: %s has %d characters (the limit is %d)", ErrManifest, key, n, limit)
	}
	for _, r := range text {
		if r == utf8.RuneError || unicode.Is(unicode.C, r) && (r != '\n' || key != "description") {
			return fmt.Errorf("%w: %s holds the character %U", ErrManifest, key, r)
		}
	}
	return nil
}

// ValidName says whether s can be an app's short name.
func ValidName(s string) bool {
	if len(s) < 1 || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
