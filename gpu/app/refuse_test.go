package app_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/module"
)

// refused lists modules that must not run, from testdata/bad. Those with late set
// pass Check and are found out when they start or tick.
var refused = []struct {
	name string
	err  error
	says string
	late bool
}{
	{"import", app.ErrImport, `"env"."system"`, false},
	{"import-signature", app.ErrImport, `"log" as (i32) -> (); it is (i32, i32) -> ()`, false},
	{"import-memory", app.ErrABI, "memory", false},
	{"import-global", app.ErrImport, `global "env"."g"`, false},
	{"no-exports", app.ErrABI, "fm_init", false},
	{"no-memory", app.ErrABI, `"memory"`, false},
	{"nothing", app.ErrABI, "fm_abi", false},
	{"command", app.ErrABI, "c-shared", false},
	{"wrong-type", app.ErrABI, "fm_tick is (i32) -> (); it must be () -> ()", false},
	{"tick-is-global", app.ErrABI, "fm_tick is a global", false},
	{"abi-2", app.ErrABI, "2", true},
	{"memory-over-limit", app.ErrMemory, "125 MiB", true},
	{"shared-memory", app.ErrUnsupported, "threads", false},
	{"atomics", app.ErrUnsupported, "threads", false},
	{"table-set", app.ErrUnsupported, "table.set", false},
	{"table-grow", app.ErrUnsupported, "table.grow", false},
	{"table-fill", app.ErrUnsupported, "table.fill", false},
	{"table-copy", app.ErrUnsupported, "table.copy", false},
	{"table-init", app.ErrUnsupported, "table.init", false},
	{"elem-drop", app.ErrUnsupported, "elem.drop", false},
	{"data-drop", app.ErrUnsupported, "data.drop", false},
	{"tail-call", app.ErrUnsupported, "tail call", false},
	{"exceptions", app.ErrUnsupported, "exceptions", false},
	{"global-funcref", app.ErrUnsupported, "mutable funcref", false},
	{"global-v128", app.ErrUnsupported, "mutable v128", false},
	{"relaxed-simd", app.ErrUnsupported, "relaxed SIMD", false},
	{"two-memories", app.ErrUnsupported, "2 memories", false},
	{"reserved-export", app.ErrUnsupported, "reserved", true},
	{"trap-in-init", app.ErrTrap, "fm_init", true},
	{"bad-width", app.ErrABI, "width 17", true},
	{"bad-flags", app.ErrABI, "flags 128", true},
	{"bad-fps", app.ErrABI, "fps 0", true},
	{"input-outside", app.ErrABI, "fm_input points at 4294967288", true},
	{"frame-outside", app.ErrABI, "fm_frame points at 65000", true},
	{"loud", app.ErrABI, "100000 frames", true},
	{"cart-import", app.ErrImport, `"env"."blit"`, false},
	{"cart-no-update", app.ErrABI, "update", false},
	{"cart-memory", app.ErrABI, "one", false},
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			code := read(t, filepath.Join("bad", c.name+".wasm"))
			err := app.Check(code)
			if c.late {
				if err != nil {
					t.Fatalf("Check: %v", err)
				}
				err = openAndTick(t, code)
			}
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, not %v saying %q", err, c.err, c.says)
			}
		})
	}
}

func openAndTick(t *testing.T, code []byte) error {
	r, err := app.Open(t.Context(), code, app.Options{})
	if err != nil {
		return err
	}
	defer r.Close(context.Background())
	_, _, err = r.Tick(t.Context(), &app.Input{})
	return err
}

func TestNotWASM(t *testing.T) {
	probe := read(t, "probe.wasm")
	for _, c := range []struct {
		name string
		code []byte
		err  error
	}{
		{"nothing", nil, app.ErrNotWASM},
		{"text", []byte("#!/bin/sh\nexit 0\n"), app.ErrNotWASM},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), app.ErrNotWASM},
		{"cut short", probe[:len(probe)-3], app.ErrMalformed},
		{"more behind it", append(append([]byte(nil), probe...), 1, 1, 0), app.ErrMalformed},
		{"too large", make([]byte, module.MaxSize+1), app.ErrTooLarge},
	} {
		if err := app.Check(c.code); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, not %v", c.name, err, c.err)
		}
		if _, err := app.Open(t.Context(), c.code, app.Options{}); !errors.Is(err, c.err) {
			t.Errorf("open %s: %v, not %v", c.name, err, c.err)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []app.Options{{MemoryLimit: 1}, {MemoryLimit: app.MaxMemory + 1}, {Save: make([]byte, app.MaxSave+1)}} {
		if _, err := app.Open(t.Context(), read(t, "probe.wasm"), o); !errors.Is(err, app.ErrOptions) {
			t.Errorf("limit %d, save %d bytes: %v", o.MemoryLimit, len(o.Save), err)
		}
	}
}

// TestModulesAreBuiltFromSource rebuilds every committed module of the tests.
func TestModulesAreBuiltFromSource(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wat2wasm is missing: install wabt")
		}
		t.Skip("wat2wasm is missing: install wabt to rebuild the test modules")
	}
	sources, err := filepath.Glob("testdata/*.wat")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := filepath.Glob("testdata/bad/*.wat")
	if err != nil || len(sources) == 0 || len(bad) != len(refused) {
		t.Fatalf("%d sources, %d bad ones of %d: %v", len(sources), len(bad), len(refused), err)
	}
	for _, src := range append(sources, bad...) {
		out := filepath.Join(t.TempDir(), "out.wasm")
		args := []string{src, "-o", out}
		if strings.Contains(src, "bad") {
			args = append(args, "--enable-all")
		}
		if msg, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", src, err, msg)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(src, ".wat") + ".wasm")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s does not build what is committed beside it (%v)", src, err)
		}
	}
}
