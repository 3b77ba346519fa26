package state

import (
	"errors"
	"slices"
	"strings"

	"github.com/google/btree"
)

// Errors of an overlay that is used wrongly: defects of the caller, not of a transaction.
var (
	errNesting = errors.New("state: overlay: no nested change is open")
	errOpen    = errors.New("state: overlay: a nested change is still open")
	errValue   = errors.New("state: overlay: a value must not be empty")
)

// entry is what an overlay knows about a key. A clean entry is a copy of the base.
type entry struct {
	key   string
	value []byte // nil = absent
	dirty bool
	known bool // the value is the key's at all; false once a change is undone that was the first to write it
}

// undo is how one key was before a nested change wrote it.
type undo struct {
	at    *entry
	prior entry
}

// Overlay holds writes above a Reader until Flush writes them down. Changes nest: what is
// written after Begin is kept by Commit or undone by Discard. It is not safe for use by
// several goroutines.
type Overlay struct {
	base  Reader
	cache map[string]*entry
	// Keys that were written, in order. fresh holds those not yet put into it: most blocks
	// never range over most of what they write.
	order *btree.BTreeG[string]
	fresh []string
	undo  []undo
	marks []int // length of undo at each Begin
}

// NewOverlay returns an empty overlay above base.
func NewOverlay(base Reader) *Overlay {
	return &Overlay{
		base:  base,
		cache: make(map[string]*entry),
		order: btree.NewG(32, func(a, b string) bool { return a < b }),
	}
}

// Get implements Reader.
func (o *Overlay) Get(key []byte) ([]byte, error) {
	e := o.cache[string(key)]
	if e != nil && e.known {
		return e.value, nil
	}
	v, err := o.base.Get(key)
	if err != nil {
		return nil, err
	}
	if e == nil {
		e = o.add(key)
	}
	e.value, e.known = v, true
	return v, nil
}

// peek is Get of what the overlay holds itself; ok is false where it would ask its base.
func (o *Overlay) peek(key []byte) (value []byte, ok bool) {
	e := o.cache[string(key)]
	if e == nil || !e.known {
		return nil, false
	}
	return e.value, true
}

// Set writes a value, which the overlay keeps. It must not be empty: some stores cannot
// tell an empty value from none.
func (o *Overlay) Set(key, value []byte) error {
	if len(value) == 0 {
		return errValue
	}
	o.write(key, value)
	return nil
}

// Delete removes a key.
func (o *Overlay) Delete(key []byte) error {
	o.write(key, nil)
	return nil
}

func (o *Overlay) write(key, value []byte) {
	e := o.cache[string(key)]
	if e == nil {
		e = o.add(key)
	}
	if !e.dirty {
		o.fresh = append(o.fresh, e.key)
	}
	if len(o.marks) > 0 {
		o.undo = append(o.undo, undo{e, *e})
	}
	e.value, e.dirty, e.known = value, true, true
}

// add makes room for a key that the cache does not have.
func (o *Overlay) add(key []byte) *entry {
	e := &entry{key: string(key)}
	o.cache[e.key] = e
	return e
}

// Begin opens a nested change.
func (o *Overlay) Begin() { o.marks = append(o.marks, len(o.undo)) }

// Commit keeps what was written since the last Begin.
func (o *Overlay) Commit() error {
	if len(o.marks) == 0 {
		return errNesting
	}
	o.marks = o.marks[:len(o.marks)-1]
	if len(o.marks) == 0 {
		clear(o.undo)
		o.undo = o.undo[:0]
	}
	return nil
}

// Discard undoes what was written since the last Begin.
func (o *Overlay) Discard() error {
	if len(o.marks) == 0 {
		return errNesting
	}
	mark := o.marks[len(o.marks)-1]
	for i := len(o.undo) - 1; i >= mark; i-- {
		*o.undo[i].at = o.undo[i].prior
	}
	clear(o.undo[mark:])
	o.undo = o.undo[:mark]
	o.marks = o.marks[:len(o.marks)-1]
	return nil
}

// settle brings the order of written keys up to date.
func (o *Overlay) settle() {
	for _, k := range o.fresh {
		o.order.ReplaceOrInsert(k)
	}
	clear(o.fresh)
	o.fresh = o.fresh[:0]
}

// chunk is how many written keys Range takes out of the order at a time.
const chunk = 64

// written returns up to chunk written keys from on, below to.
func (o *Overlay) written(from string, to []byte, out []string) []string {
	out = out[:0]
	o.order.AscendGreaterOrEqual(from, func(k string) bool {
		if to != nil && k >= string(to) {
			return false
		}
		if o.cache[k].dirty {
			out = append(out, k)
		}
		return len(out) < chunk
	})
	return out
}

// Range implements Reader: the base and the writes above it, merged.
func (o *Overlay) Range(from, to []byte, fn func(k, v []byte) bool) error {
	o.settle()
	mine := o.written(string(from), to, make([]string, 0, chunk))
	next := 0
	// emit passes on own keys below limit (nil = all). It returns false when fn does.
	emit := func(limit []byte) bool {
		for {
			if next == len(mine) {
				if len(mine) < chunk {
					return true
				}
				mine, next = o.written(mine[len(mine)-1]+"\x00", to, mine), 0
				continue
			}
			if limit != nil && mine[next] >= string(limit) {
				return true
			}
			k := mine[next]
			next++
			if v := o.cache[k].value; v != nil && !fn([]byte(k), v) {
				return false
			}
		}
	}
	stopped := false
	err := o.base.Range(from, to, func(k, v []byte) bool {
		if !emit(k) {
			stopped = true
			return false
		}
		if e, ok := o.cache[string(k)]; ok && e.dirty {
			return true // passed on by emit, or deleted
		}
		if !fn(k, v) {
			stopped = true
			return false
		}
		return true
	})
	if err != nil || stopped {
		return err
	}
	emit(nil)
	return nil
}

// Flush writes the changes down to s in the order of their keys and forgets everything it
// held. It fails while a nested change is open.
func (o *Overlay) Flush(s Store) error {
	if len(o.marks) > 0 {
		return errOpen
	}
	changed := make([]*entry, 0, len(o.cache))
	for _, e := range o.cache { // sorted below
		if e.dirty {
			changed = append(changed, e)
		}
	}
	slices.SortFunc(changed, func(a, b *entry) int { return strings.Compare(a.key, b.key) })
	for _, e := range changed {
		var err error
		if e.value == nil {
			err = s.Delete([]byte(e.key))
		} else {
			err = s.Set([]byte(e.key), e.value)
		}
		if err != nil {
			return err
		}
	}
	o.Reset()
	return nil
}

// Reset forgets all writes and all nested changes.
func (o *Overlay) Reset() {
	clear(o.cache)
	o.order.Clear(false)
	o.fresh, o.undo, o.marks = nil, nil, nil
}
