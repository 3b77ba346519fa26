package app_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games"
)

// replayEnv names a folder with module.wasm and snapshot: the test binary run with
// it set restores, plays on and prints the hash of its state.
const replayEnv = "FRAMEMESH_TEST_REPLAY"

const replayTicks = 30

func TestMain(m *testing.M) {
	if dir := os.Getenv(replayEnv); dir != "" {
		if err := replay(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func replay(dir string) error {
	ctx := context.Background()
	code, err := os.ReadFile(filepath.Join(dir, "module.wasm"))
	if err != nil {
		return err
	}
	snap, err := os.ReadFile(filepath.Join(dir, "snapshot"))
	if err != nil {
		return err
	}
	r, err := app.Open(ctx, code, app.Options{Seed: 99})
	if err != nil {
		return err
	}
	defer r.Close(ctx)
	if err := r.Restore(snap); err != nil {
		return err
	}
	for range replayTicks {
		if _, _, err := r.Tick(ctx, input(r.NextTick())); err != nil {
			return err
		}
	}
	hash, err := r.StateHash()
	fmt.Println(hex.EncodeToString(hash[:]))
	return err
}

// TestReplayInAnotherProcess goes on with a game where another process left it.
func TestReplayInAnotherProcess(t *testing.T) {
	for name, code := range map[string][]byte{"abi1": read(t, "probe.wasm"), "wasm4": read(t, "ball.wasm"), "go": game(t, "latency")} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := open(t, code, app.Options{Seed: 5})
			play(t, r, 40)
			for file, b := range map[string][]byte{"module.wasm": code, "snapshot": snapshot(t, r)} {
				if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			play(t, r, replayTicks)
			hash := stateHash(t, r)
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), replayEnv+"="+dir)
			child.Stderr = os.Stderr
			out, err := child.Output()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(string(out)); got != hex.EncodeToString(hash[:]) {
				t.Fatalf("the other process ends in %s, this one in %x", got, hash)
			}
		})
	}
}

// TestBuiltInGamesPass holds the games that come with the program to the rules.
func TestBuiltInGamesPass(t *testing.T) {
	modules, err := fs.Glob(games.FS, "*/module.wasm")
	if err != nil || len(modules) == 0 {
		t.Fatal(modules, err)
	}
	for _, name := range modules {
		code, err := games.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := app.Kind(code); err != nil || kind != app.ABI1 {
			t.Errorf("%s: %q, %v", name, kind, err)
		}
	}
}
