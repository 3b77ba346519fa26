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

// maxProofs is how many proof files are kept, and maxProofBytes how much of them; the oldest
// give way. Ballots have room of their own, so that they never push out what convicts.
const (
	maxProofs      = 1024
	maxProofBytes  = 1 << 30
	maxBallots     = 2048 // three weeks of a batch in each epoch of 900 s
	maxBallotBytes = 64 << 20
)

// ProofSuffix ends the names of proof files; before it stands the SHA-256 of the file, hex.
const ProofSuffix = ".proof"

// AnswerSuffix ends the names of what containers signed in audits that found them wrong, where
// no proof file can stand for itself.
const AnswerSuffix = ".audit"

// BallotSuffix ends the names of ballots, proof files with the votes on a batch that this
// checker judged. Before it stands the SHA-256 of the result, hex, as the ledger's certificate
// has it: that is how others ask for a ballot.
const BallotSuffix = ".ballot"

// IsBallot says whether a file of that name is a ballot.
func IsBallot(name string) bool { return strings.HasSuffix(name, BallotSuffix) }

// IsEvidence says whether a file of that name is what a checker keeps of somebody's fault.
func IsEvidence(name string) bool {
	return strings.HasSuffix(name, ProofSuffix) || strings.HasSuffix(name, AnswerSuffix)
}

// proofs is the directory of what this checker can prove.
type proofs struct{ dir string }

// keep writes a proof file under its digest and returns that.
func (p *proofs) keep(file []byte) (string, error) {
	name, _, err := p.keepAs(file, ProofSuffix)
	return name, err
}

// keepAs writes a file under its digest and this suffix.
func (p *proofs) keepAs(file []byte, suffix string) (name string, sum [32]byte, err error) {
	sum = sha256.Sum256(file)
	name = hex.EncodeToString(sum[:])
	if err := record.Write(filepath.Join(p.dir, name+suffix), file); err != nil {
		return "", sum, err
	}
	return name, sum, p.makeRoom(name+suffix, IsEvidence, maxProofs, maxProofBytes)
}

// keepBallot writes a ballot under the name of its result.
func (p *proofs) keepBallot(result [32]byte, file []byte) error {
	name := hex.EncodeToString(result[:]) + BallotSuffix
	if err := record.Write(filepath.Join(p.dir, name), file); err != nil {
		return err
	}
	return p.makeRoom(name, IsBallot, maxBallots, maxBallotBytes)
}

// makeRoom removes the oldest files of a kind beyond most files and bytes, but for the one named.
func (p *proofs) makeRoom(but string, kind func(name string) bool, most int, bytes int64) error {
	list, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("checker: proofs: %w", err)
	}
	var files []fs.FileInfo
	total := int64(0)
	for _, e := range list {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && kind(e.Name()) {
			files = append(files, info)
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	var errs []error
	for i, f := range files {
		if (len(files)-i > most || total > bytes) && f.Name() != but {
			errs = append(errs, os.Remove(filepath.Join(p.dir, f.Name())))
			total -= f.Size()
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
