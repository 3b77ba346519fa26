package checker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/framemesh/framemesh/actors/record"
)

// maxProofs is how many proof files are kept; the oldest give way.
const maxProofs = 1024

// ProofSuffix ends the names of proof files; before it stands the SHA-256 of the file, hex.
const ProofSuffix = ".proof"

// proofs is the directory of what this checker can prove.
type proofs struct{ dir string }

// keep writes a proof file under its digest and returns that.
func (p *proofs) keep(file []byte) (string, error) {
	sum := sha256.Sum256(file)
	name := hex.EncodeToString(sum[:])
	if err := record.Write(filepath.Join(p.dir, name+ProofSuffix), file); err != nil {
		return "", err
	}
	return name, p.makeRoom(name + ProofSuffix)
}

// makeRoom removes the oldest files beyond the limit, but for the one named.
func (p *proofs) makeRoom(but string) error {
	list, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("checker: proofs: %w", err)
	}
	var files []fs.FileInfo
	for _, e := range list {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), ProofSuffix) {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	var errs []error
	for _, f := range files[:max(len(files)-maxProofs, 0)] {
		if f.Name() != but {
			errs = append(errs, os.Remove(filepath.Join(p.dir, f.Name())))
		}
	}
	return errors.Join(errs...)
}

// forget removes saved rounds up to an epoch: nobody asks about them any more.
func (r *Rounds) forget(epoch uint64) {
	list, err := os.ReadDir(r.o.Dir)
	if err != nil {
		return
	}
	for _, e := range list {
		n, ok := strings.CutPrefix(e.Name(), "round-")
		if at, err := strconv.ParseUint(n, 10, 64); ok && err == nil && at <= epoch {
			_ = os.Remove(filepath.Join(r.o.Dir, e.Name()))
		}
	}
}
