// Package record keeps small files that must be whole after a crash: what a node signed, so
// that it never signs its contrary, and what proves what others did. It reads no clock and
// starts nothing.
package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrLarge: a file is larger than it may be.
var ErrLarge = errors.New("record: file is larger than it may be; move it away")

// Write replaces a file, whole or not at all, readable by its owner alone, and returns once
// it is on the disk. The directory is made when it is missing.
func Write(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("record: %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // it is renamed; some systems cannot open a directory to sync it
	}
	_ = d.Sync()
	return d.Close()
}

// Read returns a file of at most limit bytes. It wraps fs.ErrNotExist and ErrLarge.
func Read(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("record: %s: %w", path, err)
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%w: %s, over %d bytes", ErrLarge, path, limit)
	}
	return b, nil
}

// Missing says whether an error of Read means that there is no such file.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
