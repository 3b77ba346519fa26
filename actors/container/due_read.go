package container

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/framemesh/framemesh/ledger/tx"
)

// Dues lists the sessions that a container has left to settle in its directory of dues, in
// the order of their names. Without the directory there are none.
func Dues(dir string) (sessions [][16]byte, err error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), ".due")
		b, hexErr := hex.DecodeString(name)
		if ok && hexErr == nil && len(b) == tx.SessionSize && len(sessions) < maxDues {
			sessions = append(sessions, [16]byte(b))
		}
	}
	return sessions, err
}

// ReadDue is the newest voucher that the directory of dues holds for a session; nil when
// nothing was promised. It wraps fs.ErrNotExist for a session that is not there. The file is
// only read, so that a container that runs is not disturbed.
func ReadDue(dir string, session [16]byte) (*tx.Voucher, error) {
	d, err := readDue(filepath.Join(dir, hex.EncodeToString(session[:])+".due"))
	if err == nil && d.session != session {
		return nil, errDue
	}
	return d.voucher, err
}
