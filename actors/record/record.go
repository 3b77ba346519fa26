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
	"runtime"
	"strings"
)

// ErrLarge: a file is larger than it may be.
var ErrLarge = errors.New("record: file is larger than it may be; move it away")

// unfinished is what the name of a file begins with until all of it is on the disk.
const unfinished = ".unfinished-"

// Write replaces a file, whole or not at all, readable by its owner alone, and returns once
// it is on the disk, with its name. The directory is made when it is missing.
func Write(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	f, err := os.CreateTemp(dir, unfinished+"*") // mode 0600
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	return nil
}

// syncDir puts the names in a directory on the disk.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no way to ask for that; names are in its journal
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Sweep removes what a crash has left half written in a directory, at the first start in it:
// whatever is being written there meanwhile would be lost. A directory that is not there is
// swept.
func Sweep(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil && !Missing(err) {
		return fmt.Errorf("record: %w", err)
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), unfinished) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("record: %w", err)
			}
		}
	}
	return nil
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
