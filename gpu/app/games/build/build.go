// Package build compiles the games of this tree into modules, the same bytes
// on every machine: one pinned toolchain, no paths, no build ids, no version
// control stamps.
package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Toolchain is the one place that says which Go builds the modules. After
// changing it, run go generate in gpu/app/games and commit the modules.
const Toolchain = "go1.26.8"

// ErrToolchain means that the pinned toolchain cannot be had on this machine.
var ErrToolchain = errors.New("build: toolchain " + Toolchain + " cannot be had: install it or allow the Go command to download it")

// Module compiles the command in dir into the module file out. out may lie
// anywhere; dir must lie inside the Go module that holds the SDK.
func Module(ctx context.Context, dir, out string) error {
	abs, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("build: %s: %w", out, err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath",
		"-buildmode=c-shared", "-ldflags=-s -w -buildid=", "-o", abs, ".")
	cmd.Dir = dir
	cmd.Env = environ(os.Environ())
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %s: %w\n%s", dir, err, text)
	}
	return nil
}

// Check reports whether the pinned toolchain runs on this machine.
func Check(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Env = environ(os.Environ())
	text, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(text)) != Toolchain {
		return errors.Join(ErrToolchain, err)
	}
	return nil
}

// environ drops what would change the bytes of a build and pins the rest.
func environ(env []string) []string {
	out := make([]string, 0, len(env)+8)
	for _, kv := range env {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "GOOS", "GOARCH", "GOWASM", "GOFLAGS", "GOEXPERIMENT", "GOTOOLCHAIN", "GODEBUG", "CGO_ENABLED", "GOFIPS140", "GOWORK":
		default:
			out = append(out, kv)
		}
	}
	return append(out, "GOOS=wasip1", "GOARCH=wasm", "GOWASM=", "GOFLAGS=", "GOEXPERIMENT=",
		"GOTOOLCHAIN="+Toolchain, "CGO_ENABLED=0", "GOFIPS140=off", "GOWORK=off")
}
