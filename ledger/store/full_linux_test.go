package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// small is the disk of this test.
const small = 256 << 20

func init() {
	children["full"] = onASmallDisk
	children["careless"] = careless
}

// A disk that really fills up: a small one, mounted in a namespace of its own.
func TestRealFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a disk")
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STORE_TEST_CHILD=full", "STORE_TEST_DIR="+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.CombinedOutput()
	if err != nil && (len(out) == 0 || bytes.Contains(out, []byte("no small disk"))) {
		// TestDiskFull covers the same with a made-up answer of the system.
		t.Skipf("this machine allows no mount: %v %s", err, out)
	}
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// onASmallDisk is the child. First space ends while the store watches; then behind its
// back, which kills the process that writes, and loses nothing either.
func onASmallDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", small)); err != nil {
		return fmt.Errorf("no small disk: %w", err)
	}
	data, filler := filepath.Join(dir, "data"), filepath.Join(dir, "filler")
	var t testing.T
	d, err := Open(data, Options{Sync: true})
	if err != nil {
		return err
	}
	s, err := d.Tree()
	if err != nil {
		return err
	}
	for i := range 20 {
		block(&t, s, i, 300, 2000, nil)
		save(&t, s)
	}
	root := s.Root()
	if err := fill(filler, d.opts.Reserve-1, dir); err != nil {
		return err
	}
	block(&t, s, 20, 300, 2000, nil)
	if _, _, err = s.Save(); !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), data) {
		return fmt.Errorf("a full disk gave %w", err)
	}
	fmt.Println("full:", err)
	if err := errors.Join(os.Remove(filler), s.Discard()); err != nil {
		return err
	}
	if !bytes.Equal(s.Root(), root) {
		return errors.New("the root changed")
	}
	block(&t, s, 20, 300, 2000, nil)
	save(&t, s)
	if err := d.Close(); err != nil {
		return err
	}

	// The writer takes no care, and another program takes the last byte.
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STORE_TEST_CHILD=careless", "STORE_TEST_DIR="+dir)
	out, err := c.Output()
	fmt.Println("careless:", err, string(out))
	var version int64
	var acknowledged string
	for line := range strings.Lines(string(out)) { // the last may say why it ended, or be cut
		var v int64
		var root string
		if _, e := fmt.Sscanf(line, "%d %x\n", &v, &root); e == nil {
			version, acknowledged = v, hex.EncodeToString([]byte(root))
		}
	}
	if version == 0 || err == nil {
		return fmt.Errorf("the careless writer ended with %w after version %d", err, version)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	d, err = Open(data, Options{Sync: true})
	if err != nil {
		return err
	}
	if s, err = d.Tree(); err != nil {
		return err
	}
	if s.Version() < version {
		return fmt.Errorf("version %d was acknowledged, there is %d", version, s.Version())
	}
	r, err := s.At(version)
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", r.Root()); got != acknowledged {
		return fmt.Errorf("version %d has root %s, acknowledged was %s", version, got, acknowledged)
	}
	block(&t, s, int(s.Version()), 300, 2000, nil)
	save(&t, s)
	return d.Close()
}

// careless writes without looking for space until something breaks.
func careless(dir string) error {
	d, err := Open(filepath.Join(dir, "data"), Options{Sync: true, Reserve: 1})
	if err != nil {
		return err
	}
	s, err := d.Tree()
	if err != nil {
		return err
	}
	var t testing.T
	for i := int(s.Version()); ; i++ {
		block(&t, s, i, 300, 2000, nil)
		if _, _, err := s.Save(); err != nil {
			return err
		}
		fmt.Printf("%d %x\n", s.Version(), s.Root())
		if i == 25 {
			if err := fill(filepath.Join(dir, "filler"), 100<<10, dir); err != nil {
				return err
			}
		}
	}
}

// fill writes a file until the disk of dir has at most left bytes free.
func fill(path string, left uint64, dir string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		free, err := freeBytes(dir)
		if err != nil || free <= left {
			return err
		}
		if _, err := f.Write(make([]byte, min(1<<20, free-left))); err != nil {
			return err
		}
	}
}
