package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/node"
)

// A directory is used for one network after the other: what is of the old ledger goes, and
// nothing else does.
func TestTheNextNetworkOfADirectoryBeginsItsLedgerAnew(t *testing.T) {
	dir := t.TempDir()
	put := func(path string) string {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var stays, goes []string
	for _, p := range []string{"checker-1/node.key", "checker-1/proofs/a.proof", "container-1/apps/ab/module.wasm", "container-1/saves/x", "client/wallets/mine.age", "notes/ledger/x", "ledger"} {
		stays = append(stays, put(p))
	}
	for _, p := range []string{"checker-1/ledger/store/1", "checker-1/rounds/round-1", "checker-1/proofs/b.ballot", "container-1/dues/x", "container-1/segments/x", "client/wallets/checker-1.age", "client/wallets/faucet.age"} {
		goes = append(goes, put(p))
	}
	names := map[string][]node.Role{"checker-1": nil, "container-1": nil, "gateway-1": nil}
	left := func(paths []string) (n int) {
		for _, p := range paths {
			if _, err := os.Stat(p); err == nil {
				n++
			}
		}
		return n
	}
	if err := anew(dir, names); err != nil || left(goes) != len(goes) {
		t.Fatalf("without a genesis file %d of %d are left (%v)", left(goes), len(goes), err)
	}
	put(genesisFile)
	if err := anew(dir, names); err != nil {
		t.Fatal(err)
	}
	if left(goes) != 0 || left(stays) != len(stays) {
		t.Errorf("%d of %d are left of the old ledger, and %d of %d of the rest", left(goes), len(goes), left(stays), len(stays))
	}
}

// Nothing is taken away from a network that runs.
func TestADirectoryOfANetworkThatRunsIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	c := node.DefaultConfig()
	c.Roles, c.DataDir, c.P2P = []node.Role{node.RoleChecker}, filepath.Join(dir, "checker-1"), node.P2PConfig{Profile: "loopback"}
	n, err := node.New(c, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Stop(t.Context()) }()
	for _, p := range []string{filepath.Join(dir, genesisFile), filepath.Join(dir, "container-1", "dues")} {
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := anew(dir, map[string][]node.Role{"container-1": nil, "checker-1": nil}); !errors.Is(err, node.ErrOccupied) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "container-1", "dues")); err != nil {
		t.Error(err)
	}
}
