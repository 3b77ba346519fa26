package store

import "fmt"

// generationKey holds the generation of the tree in use, one byte. An import writes a new
// generation and then switches here, so the old tree stays whole until the new one is.
var generationKey = []byte("!tree")

func (d *DB) generation(g byte) view { return view{db: d, prefix: []byte{'t', g}} }

// current reads which generation is in use.
func (d *DB) current() (byte, error) {
	raw, err := d.get(generationKey)
	switch {
	case err != nil:
		return 0, err
	case raw == nil:
		return 0, nil
	case len(raw) != 1:
		return 0, fmt.Errorf("store: %s does not say which state is in use; move it away and let the node fetch the ledger again", d.dir)
	}
	return raw[0], nil
}

// space is where the tree in use lives. What an interrupted import left elsewhere goes.
func (d *DB) space() (view, error) {
	g, err := d.current()
	if err != nil {
		return view{}, err
	}
	for other, stop := 0, false; other < 256 && !stop; other++ {
		// One look finds the next generation that has keys.
		it, err := view{db: d, prefix: []byte{'t'}}.Iterator([]byte{byte(other)}, nil)
		if err != nil {
			return view{}, err
		}
		if stop = !it.Valid(); !stop {
			other = int(it.Key()[0])
		}
		if err := it.Close(); err != nil {
			return view{}, err
		}
		if !stop && byte(other) != g {
			if err := d.drop(d.generation(byte(other))); err != nil {
				return view{}, err
			}
		}
	}
	return d.generation(g), nil
}

// drop deletes all keys of a view, in pieces.
func (d *DB) drop(v view) error {
	const piece = 8192
	var from []byte // past what is deleted already
	for {
		it, err := v.Iterator(from, nil)
		if err != nil {
			return err
		}
		ops := make([]op, 0, piece)
		for ; it.Valid() && len(ops) < piece; it.Next() {
			from = it.Key()
			ops = append(ops, op{key: v.key(from)})
		}
		if err := it.Close(); err != nil || len(ops) == 0 {
			return err
		}
		if err := d.commit(ops, true); err != nil {
			return err
		}
	}
}
