package p2p

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
)

func TestKeyIsMadeOnceAndReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "node.key")
	first, err := LoadOrCreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %04o, want 0600", st.Mode().Perm())
	}
	again, err := LoadOrCreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Equals(again) {
		t.Fatal("the second start got another key")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Fatalf("temporary files stayed behind: %v %v", left, err)
	}
}

func TestKeyOfTwoStartsAtOnceIsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.key")
	const n = 16
	keys, errs := make([]crypto.PrivKey, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { keys[i], errs[i] = LoadOrCreateKey(path) })
	}
	wg.Wait()
	for i := range n {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if !keys[i].Equals(keys[0]) {
			t.Fatal("two starts at once got two keys")
		}
	}
}

func TestBadKeyFileIsRefusedAndLeftAlone(t *testing.T) {
	good := filepath.Join(t.TempDir(), "node.key")
	if _, err := LoadOrCreateKey(good); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	flipped := []byte(lines[1])
	if flipped[9] == 'A' {
		flipped[9] = 'B'
	} else {
		flipped[9] = 'A'
	}
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"empty":             {"", 0o600, ":1: the header"},
		"junk":              {"\x00\x01junk", 0o600, ":1: the header"},
		"later version":     {strings.Replace(string(text), "v1", "v2", 1), 0o600, ":1: the header"},
		"cut after header":  {lines[0], 0o600, `:2: "seed" is missing`},
		"short seed":        {lines[0] + "seed AAAA\n" + lines[2], 0o600, ":2: the seed is not 32 bytes"},
		"flipped bit":       {lines[0] + string(flipped) + lines[2], 0o600, ":3: the peer id is not that"},
		"cut after seed":    {lines[0] + lines[1], 0o600, `:3: "peer" is missing`},
		"more behind":       {string(text) + "x\n", 0o600, ":4: nothing may follow"},
		"huge":              {strings.Repeat("x", maxKeyFile+1), 0o600, ":1: longer than"},
		"readable by group": {string(text), 0o640, "mode 0640"},
		"readable by all":   {string(text), 0o604, "chmod 600"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "node.key")
			if err := os.WriteFile(path, []byte(tc.text), tc.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tc.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadOrCreateKey(path)
			if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != tc.text {
				t.Fatal("the refused file was changed")
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		if _, err := LoadOrCreateKey(t.TempDir()); !errors.Is(err, ErrKeyFile) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("no place to write", func(t *testing.T) {
		_, err := LoadOrCreateKey(filepath.Join(good, "node.key"))
		if !errors.Is(err, ErrKeyFile) {
			t.Fatalf("got %v", err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	key, err := LoadOrCreateKey(filepath.Join(f.TempDir(), "k"))
	if err != nil {
		f.Fatal(err)
	}
	text, err := formatKey(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := parseKey(text, "fuzz")
		if err != nil {
			if !errors.Is(err, ErrKeyFile) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		again, err := formatKey(key)
		if err != nil {
			t.Fatal(err)
		}
		plain := bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		if !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), bytes.TrimSuffix(plain, []byte("\n"))) {
			t.Fatalf("accepted a second spelling of a key: %q", text)
		}
	})
}
