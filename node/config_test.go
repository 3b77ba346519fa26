package node

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestReferenceConfigIsValidAndComplete(t *testing.T) {
	if _, err := ParseConfig(ReferenceConfig, "framemesh.toml"); err != nil {
		t.Fatal(err)
	}
	// every key of Config stands in the reference file, with a comment above it
	lines := strings.Split(string(ReferenceConfig), "\n")
	var walk func(section string, ty reflect.Type)
	walk = func(section string, ty reflect.Type) {
		for i := range ty.NumField() {
			f := ty.Field(i)
			key := f.Tag.Get("toml")
			if f.Type.Kind() == reflect.Struct {
				walk(key, f.Type)
				continue
			}
			if !documented(lines, section, key) {
				t.Errorf("key %s.%s is missing from framemesh.toml or has no comment", section, key)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
}

// documented says whether the key stands in its section below a comment; a run of
// keys may share one.
func documented(lines []string, section, key string) bool {
	in := ""
	for i, l := range lines {
		if strings.HasPrefix(l, "[") {
			in = strings.Trim(l, "[]")
		}
		if in == section && strings.HasPrefix(l, key+" = ") {
			for j := i - 1; j >= 0; j-- {
				if strings.HasPrefix(lines[j], "#") {
					return true
				}
				if !strings.Contains(lines[j], " = ") {
					return false
				}
			}
		}
	}
	return false
}

func TestBadConfigsNameTheLineAndAreNotTouched(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":      {"network = \"main\"\nprize = 3\n", ":2: unknown key \"prize\""},
		"unknown nested":   {"[p2p]\nprot = 1\n", ":2: unknown key \"p2p.prot\""},
		"not toml":         {"network = \"main\"\nregion == 3\n", ":2:"},
		"wrong type":       {"[p2p]\nport = \"many\"\n", ":2:8: p2p.port takes a whole number;"},
		"below nothing":    {"[container]\nprice_micro_usd_per_hour = -1\n", "takes a whole number, 0 or more;"},
		"no list":          {"roles = \"gateway\"\n", "roles takes a list such as [\"container\", \"gateway\"];"},
		"no quotes":        {"network = main\n", "text needs \"quotes\""},
		"true without":     {"network = test\n", "text needs \"quotes\""},
		"no section":       {"p2p = 1\n", "p2p is a section: write [p2p]"},
		"out of range":     {"[p2p]\nport = 70000\n", "p2p.port: use 0 to 65535"},
		"unknown role":     {"roles = [\"miner\"]\n", "\"miner\" is none of"},
		"no role":          {"roles = []\n", "name at least one"},
		"bitrates":         {"[media]\nmin_kbps = 9000\n", "min ≤ start ≤ max"},
		"network's name":   {"network = \"Main Net\"\n", "network: use 1 to 32"},
		"profile":          {"[p2p]\nprofile = \"laptop\"\n", "p2p.profile"},
		"no cache at all":  {"[ledger]\ncache_mib = 1\n", "ledger.cache_mib"},
		"too little room":  {"[ledger]\nmemory_mib = 63\n", "ledger.memory_mib"},
		"negative memory":  {"[container]\nmemory_mib = -1\n", "container.memory_mib"},
		"play for nothing": {"[proof]\nplay_limit = \"much\"\n", "proof.play_limit"},
		"play rarely":      {"[proof]\nplay_every = -1\n", "proof.play_every"},
		"play nowhere":     {"[proof]\nplay_gateways = [\"play.example\"]\n", "proof.play_gateways"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "framemesh.toml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadConfig(path)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != tc.text {
				t.Fatal("the file was changed")
			}
		})
	}
	if _, err := LoadConfig(filepath.Join(t.TempDir(), "none.toml")); err == nil || !strings.Contains(err.Error(), "framemesh init") {
		t.Fatalf("a missing file should say how to make one: %v", err)
	}
}

// What a file names is found from wherever the node is started.
func TestPathsOfAFileStartAtTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "framemesh.toml")
	text := "data_dir = \"data\"\n[ledger]\ngenesis = \"../genesis.json\"\noracle_file = \"/etc/price\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "data"); c.DataDir != want {
		t.Errorf("data_dir is %s, want %s", c.DataDir, want)
	}
	if want := filepath.Join(filepath.Dir(dir), "genesis.json"); c.Ledger.Genesis != want || c.Ledger.OracleFile != "/etc/price" {
		t.Errorf("genesis is %s, want %s; the oracle's file is %s", c.Ledger.Genesis, want, c.Ledger.OracleFile)
	}
	if err := os.WriteFile(path, []byte("network = \"test\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = LoadConfig(path); err != nil || c.DataDir != "~/.framemesh" || c.Ledger.Genesis != "" {
		t.Errorf("without paths: %q, %q, %v", c.DataDir, c.Ledger.Genesis, err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(ReferenceConfig)
	f.Add([]byte("roles = [\"miner\"]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseConfig(b, "fuzz.toml")
		if err == nil && c.Validate() != nil {
			t.Fatal("an invalid configuration was accepted")
		}
	})
}
