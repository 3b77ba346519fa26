package store

import (
	"fmt"

	dbm "github.com/cometbft/cometbft-db"
	iavldb "github.com/cosmos/iavl/db"
)

var (
	_ dbm.DB          = cometDB{}
	_ dbm.Batch       = (*batch)(nil)
	_ dbm.Iterator    = (*iterator)(nil)
	_ iavldb.DB       = nodesDB{}
	_ iavldb.Batch    = (*batch)(nil)
	_ iavldb.Iterator = (*iterator)(nil)
)

// Comet is one of CometBFT's databases (blockstore, state, evidence, …) inside this one.
// The name must not hold a zero byte. Closing it does nothing: CometBFT's routines may
// outlive its stop, so the owner closes the DB last.
func (d *DB) Comet(name string) dbm.DB {
	return cometDB{view{db: d, prefix: append(append([]byte{'c'}, name...), 0)}}
}

type cometDB struct{ view }

// Set implements dbm.DB.
func (c cometDB) Set(key, value []byte) error {
	switch {
	case len(key) == 0:
		return errKeyEmpty
	case value == nil:
		return errValueNil
	}
	return c.db.commit([]op{{c.key(key), value}}, false)
}

// SetSync implements dbm.DB. Whether the disk is waited for is Options.Sync, for all
// writes: Badger keeps their order only then.
func (c cometDB) SetSync(key, value []byte) error { return c.Set(key, value) }

// Delete implements dbm.DB.
func (c cometDB) Delete(key []byte) error {
	if len(key) == 0 {
		return errKeyEmpty
	}
	return c.db.commit([]op{{key: c.key(key)}}, false)
}

// DeleteSync implements dbm.DB; see SetSync.
func (c cometDB) DeleteSync(key []byte) error { return c.Delete(key) }

// Iterator implements dbm.DB.
func (c cometDB) Iterator(start, end []byte) (dbm.Iterator, error) {
	it, err := c.view.Iterator(start, end)
	if err != nil {
		return nil, err
	}
	return it, nil
}

// ReverseIterator implements dbm.DB.
func (c cometDB) ReverseIterator(start, end []byte) (dbm.Iterator, error) {
	it, err := c.view.ReverseIterator(start, end)
	if err != nil {
		return nil, err
	}
	return it, nil
}

// NewBatch implements dbm.DB.
func (c cometDB) NewBatch() dbm.Batch { return &batch{v: c.view} }

// Close implements dbm.DB and does nothing.
func (c cometDB) Close() error { return nil }

// Print implements dbm.DB: it lists keys and values on the standard output.
func (c cometDB) Print() error {
	it, err := c.view.Iterator(nil, nil)
	if err != nil {
		return err
	}
	defer it.Close()
	for ; it.Valid(); it.Next() {
		fmt.Printf("[%X]:\t[%X]\n", it.Key(), it.Value())
	}
	return it.Error()
}

// Stats implements dbm.DB.
func (c cometDB) Stats() map[string]string {
	tables, values := c.db.Size()
	return map[string]string{
		"database.type":   "badger",
		"database.tables": fmt.Sprint(tables),
		"database.values": fmt.Sprint(values),
	}
}

// Compact implements dbm.DB and does nothing: Badger compacts by itself.
func (c cometDB) Compact(_, _ []byte) error { return nil }

// nodesDB is where iavl keeps the nodes of one tree.
type nodesDB struct{ view }

// Iterator implements iavl's DB.
func (n nodesDB) Iterator(start, end []byte) (iavldb.Iterator, error) {
	it, err := n.view.Iterator(start, end)
	if err != nil {
		return nil, err
	}
	return it, nil
}

// ReverseIterator implements iavl's DB.
func (n nodesDB) ReverseIterator(start, end []byte) (iavldb.Iterator, error) {
	it, err := n.view.ReverseIterator(start, end)
	if err != nil {
		return nil, err
	}
	return it, nil
}

// NewBatch implements iavl's DB.
func (n nodesDB) NewBatch() iavldb.Batch { return &batch{v: n.view} }

// NewBatchWithSize implements iavl's DB. The size is the threshold of iavl, not the size of
// the batch to come, so nothing is set aside.
func (n nodesDB) NewBatchWithSize(int) iavldb.Batch { return n.NewBatch() }

// Close implements iavl's DB and does nothing.
func (n nodesDB) Close() error { return nil }
