package container

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/ledger/tx"
)

func TestDuesAreReadFromOutside(t *testing.T) {
	dir := t.TempDir()
	a, b := [16]byte{1}, [16]byte{2}
	put := func(name [16]byte, d due) {
		if err := os.WriteFile(filepath.Join(dir, hex.EncodeToString(name[:])+".due"), encodeDue(d), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(a, due{session: a, voucher: &tx.Voucher{Seq: 7, Seconds: 9, Paid: 90, Signature: make([]byte, 64)}})
	put(b, due{session: a}) // a file under another session's name
	if err := os.WriteFile(filepath.Join(dir, "notes.due"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := Dues(dir)
	if err != nil || len(list) != 2 || list[0] != a || list[1] != b {
		t.Errorf("%x, %v", list, err)
	}
	if v, err := ReadDue(dir, a); err != nil || v.GetSeq() != 7 || v.GetPaid() != 90 {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := ReadDue(dir, b); err == nil || v != nil {
		t.Errorf("a voucher of another session was taken: %v", v)
	}
	if _, err := ReadDue(dir, [16]byte{3}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a session that is not there: %v", err)
	}
	if list, err := Dues(filepath.Join(dir, "none")); err != nil || list != nil {
		t.Errorf("no directory: %v, %v", list, err)
	}
}
