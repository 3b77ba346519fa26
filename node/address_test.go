package node

import (
	"os"
	"path/filepath"
	"testing"
)

// A command finds the node that runs with its configuration, though nobody chose its port.
func TestCommandsFindTheNodeOfTheirDataDirectory(t *testing.T) {
	c := DefaultConfig()
	c.Roles, c.DataDir, c.P2P = []Role{RoleChecker}, t.TempDir(), P2PConfig{Profile: "loopback"}
	n, err := New(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if at := c.ownNode(); len(at) != 0 {
		t.Errorf("before it runs it is at %v", at)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := c.ownNode(); len(at) != 1 || at[0].ID != n.ID() || len(at[0].Addrs) != len(n.Addrs()) {
		t.Errorf("%v, want %v", at, n.Addrs())
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := c.ownNode(); len(at) != 0 {
		t.Errorf("when it is gone it is still at %v", at)
	}
	if err := os.WriteFile(filepath.Join(c.DataDir, addressFile), []byte("/ip4/127.0.0.1/tcp/x\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if at := c.ownNode(); len(at) != 0 {
		t.Errorf("rubbish is read as %v", at)
	}
}
