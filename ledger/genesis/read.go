package genesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Load reads and validates a file.
func Load(path string) (*Doc, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("genesis: reading %s: %w", path, err)
	}
	d, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// Parse reads and validates a file. It wraps ErrSize, ErrSyntax, or what Validate wraps.
func Parse(raw []byte) (*Doc, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: more than %d MiB; start with fewer accounts", ErrSize, MaxBytes>>20)
	}
	if err := checkShape(raw); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	d := new(Doc)
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("%w: %w; compare it with a file that this program wrote", ErrSyntax, err)
	}
	d.Time = d.Time.UTC()
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// Shape of a genesis file: what nests deeper or has more in one place is none, and is
// refused before anything is allocated for it.
const (
	maxDepth = 6  // of nested objects and lists; tranches of accounts need five
	maxKeys  = 64 // of one object; the parameters have the most
	maxInner = 64 // elements of a list inside a list
)

// frame is an object or a list that is being read.
type frame struct {
	keys map[string]bool // nil for a list
	key  bool            // an object's next token is a key
	n    int             // elements of a list so far
}

// value counts a value that begins in the frame at the given depth, from 1.
func (f *frame) value(depth int) error {
	if f.keys != nil {
		f.key = true // what follows the value
		return nil
	}
	most := MaxAccounts
	if depth > 2 {
		most = maxInner
	}
	if f.n++; f.n > most {
		return fmt.Errorf("%w: a list of more than %d", ErrSize, most)
	}
	return nil
}

// name takes the next key of an object.
func (f *frame) name(key string) error {
	switch {
	case f.keys[key]:
		return fmt.Errorf("%w: the key %.40q stands twice in one object; leave one", ErrSyntax, key)
	case !plain(key):
		return fmt.Errorf("%w: unknown key %.40q; keys are lower case", ErrSyntax, key)
	case len(f.keys) == maxKeys:
		return fmt.Errorf("%w: an object of more than %d keys", ErrSize, maxKeys)
	}
	f.keys[key], f.key = true, false
	return nil
}

// checkShape refuses what encoding/json would let pass: a key given twice, a key in other
// letters than its field (the decoder folds case), null, and anything after the document.
// Otherwise two readers could see two documents in one file. It also bounds nesting and
// lists, so that the decoder allocates no more than a real file needs.
func checkShape(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var stack []*frame
	for {
		tok, err := dec.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSyntax, unexpected(err))
		}
		if tok == nil {
			return fmt.Errorf("%w: null stands for no value here; leave the key out or give a value", ErrSyntax)
		}
		delim, _ := tok.(json.Delim)
		if delim == '}' || delim == ']' {
			stack = stack[:len(stack)-1]
		} else {
			if depth := len(stack); depth > 0 {
				top := stack[depth-1]
				if top.key {
					if err := top.name(tok.(string)); err != nil {
						return err
					}
					continue
				}
				if err := top.value(depth); err != nil {
					return err
				}
			}
			switch delim {
			case '{':
				stack = append(stack, &frame{keys: make(map[string]bool), key: true})
			case '[':
				stack = append(stack, &frame{})
			}
			if len(stack) > maxDepth {
				return fmt.Errorf("%w: nested deeper than %d", ErrSyntax, maxDepth)
			}
		}
		if len(stack) == 0 {
			break
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the document; cut it off", ErrSyntax)
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// plain says whether s could be the name of a field.
func plain(s string) bool {
	if len(s) > 40 {
		return false
	}
	for _, r := range []byte(s) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return s != ""
}
