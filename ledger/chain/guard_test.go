package chain

import (
	"errors"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
)

// After the gate is shut readers find nothing and writers are refused; nobody panics and
// nobody waits for ever, even in the middle of an iteration.
func TestGateKeepsStragglersOut(t *testing.T) {
	g := new(gate)
	d := guarded{dbm.NewMemDB(), g}
	if err := d.Set([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	it, err := d.Iterator(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := d.NewBatch()
	shut := make(chan struct{})
	go func() { g.close(); close(shut) }()
	for open := true; open; { // until the gate is seen to be shut
		v, err := d.Get([]byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		open = v != nil
	}
	select {
	case <-shut:
		t.Fatal("the gate did not wait for the iterator")
	default:
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	<-shut
	if has, err := d.Has([]byte("a")); has || err != nil {
		t.Errorf("has %v, %v", has, err)
	}
	for what, err := range map[string]error{
		"set": d.Set([]byte("b"), []byte("2")), "sync": d.SetSync([]byte("b"), []byte("2")),
		"delete": d.Delete([]byte("a")), "delete sync": d.DeleteSync([]byte("a")),
		"old batch": batch.Write(), "new batch": d.NewBatch().WriteSync(), "compact": d.Compact(nil, nil),
	} {
		if !errors.Is(err, ErrStopped) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := d.Iterator(nil, nil); !errors.Is(err, ErrStopped) {
		t.Errorf("iterator: %v", err)
	}
	if _, err := d.ReverseIterator(nil, nil); !errors.Is(err, ErrStopped) {
		t.Errorf("reverse: %v", err)
	}
}
