package genesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxDepth of nested objects and lists; a genesis file needs five.
const maxDepth = 8

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
	if err := checkKeys(raw); err != nil {
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

// checkKeys refuses what encoding/json would let pass: a key given twice, a key in other
// letters than its field (the decoder folds case), null, anything after the document, and
// nesting that no genesis file has. Otherwise two readers could see two documents in one
// file.
func checkKeys(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var stack []map[string]bool // nil for a list
	key := false                // a key may come next
	for {
		tok, err := dec.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSyntax, unexpected(err))
		}
		switch t := tok.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				var keys map[string]bool
				if t == '{' {
					keys = make(map[string]bool)
				}
				if stack = append(stack, keys); len(stack) > maxDepth {
					return fmt.Errorf("%w: nested deeper than %d", ErrSyntax, maxDepth)
				}
			} else {
				stack = stack[:len(stack)-1]
			}
			key = len(stack) > 0 && stack[len(stack)-1] != nil
		case string:
			if key {
				keys := stack[len(stack)-1]
				if keys[t] {
					return fmt.Errorf("%w: the key %.40q stands twice in one object; leave one", ErrSyntax, t)
				}
				if !plain(t) {
					return fmt.Errorf("%w: unknown key %.40q; keys are lower case", ErrSyntax, t)
				}
				keys[t] = true
				key = false
				continue
			}
			key = len(stack) > 0 && stack[len(stack)-1] != nil
		case nil:
			return fmt.Errorf("%w: null stands for no value here; leave the key out or give a value", ErrSyntax)
		default:
			key = len(stack) > 0 && stack[len(stack)-1] != nil
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
	for _, r := range []byte(s) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return s != ""
}
