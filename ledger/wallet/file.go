package wallet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Endings of the two files of a key.
const (
	secretExt = ".age"
	publicExt = ".json"
)

// maxFile bounds a file of a wallet in bytes; a real one has about 600.
const maxFile = 16 << 10

// readFile reads a regular file of at most maxFile bytes; one of ours only if nobody else
// may read it.
func readFile(path string, ours bool) ([]byte, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("wallet: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file; move it away", ErrDamaged, path)
	}
	if perm := st.Mode().Perm(); ours && runtime.GOOS != "windows" && perm&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; run chmod 600 %s, and make a new key if others had access", ErrOpenToAll, path, perm, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("wallet: %w; check who owns the file", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("wallet: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: %s has more than %d bytes; choose another file", ErrDamaged, path, maxFile)
	}
	return b, nil
}

// create writes a new file of mode 0600 that appears complete or not at all, and is on the
// disk when create returns. It returns ErrExists rather than overwrite.
func create(path string, b []byte) error {
	tmp, err := write(path, b)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	// link fails if the name is taken, rename would replace it
	if err := os.Link(tmp, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %s; choose another name, nothing is ever overwritten", ErrExists, path)
		}
		return fmt.Errorf("wallet: cannot write %s: %w; choose a folder on another disk", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// publish writes what is told of a key in clear. It may be replaced: it holds no secret and
// follows from the key.
func (w *Wallet) publish(name string, s secret) error {
	b, err := json.Marshal(publicJSON{version, s.address, s.created})
	if err != nil {
		return err
	}
	path := w.path(name, publicExt)
	tmp, err := write(path, append(b, '\n'))
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("wallet: cannot write %s: %w", path, err)
	}
	return syncDir(w.dir)
}

// write leaves b, synced, in a new file beside path.
func write(path string, b []byte) (name string, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("wallet: cannot write %s: %w; choose a folder you may write to", path, err)
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		os.Remove(tmp.Name())
		return "", fmt.Errorf("wallet: cannot write %s: %w; free some space", path, err)
	}
	return tmp.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && runtime.GOOS != "windows" {
		return fmt.Errorf("wallet: %w", err)
	}
	return nil
}
