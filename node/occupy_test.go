package node

import (
	"errors"
	"strings"
	"testing"
)

func TestADataDirectoryHasOneNodeAtATime(t *testing.T) {
	a, b := &Node{dir: t.TempDir()}, &Node{}
	b.dir = a.dir
	leave, err := a.occupy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.occupy(t.Context()); !errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), a.dir) {
		t.Fatalf("a second node with the same directory: %v", err)
	}
	if err := InUse(a.dir); !errors.Is(err, ErrOccupied) {
		t.Errorf("a directory in use: %v", err)
	}
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := InUse(a.dir); err != nil {
		t.Errorf("a directory that is free: %v", err)
	}
	leave, err = b.occupy(t.Context())
	if err != nil {
		t.Fatalf("the directory is not free again: %v", err)
	}
	_ = leave(t.Context())
}
