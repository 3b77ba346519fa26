package checker

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// appealPrefix begins the names of files of what was attested on appeals.
const appealPrefix = "appeal-"

// attest makes the statement by which this checker answers an appeal. All who come to the same
// verdict attest the same bytes.
func (a *Appeals) attest(x ledgeractor.Appeal, verdict uint32) (*proof.Opened, error) {
	e := proof.Entry{Verdict: verdict}
	switch {
	case verdict == proof.VerdictBad && x.Accusation.Offence == economics.OffenceDrop:
		e.Reason, e.Evidence = proof.ReasonDropped, proof.NameOf(x.ID[:]) // there is no file: it was asked for
	case verdict == proof.VerdictBad:
		e.Reason, e.Evidence = proof.ReasonSegment, x.Accusation.Evidence
	}
	result, err := proof.EncodeResult(&proof.Result{Epoch: x.Epoch, Batch: x.Batch, Entries: []proof.Entry{e},
		Votes: proof.VotesDigest([][32]byte{x.ID})})
	if err != nil {
		return nil, err
	}
	sig := tx.Attest(a.o.Book.Chain(), a.o.Key, x.Epoch, x.Batch, result)
	return proof.Sign(a.o.Book.Chain(), a.o.Key, &proof.Statement{Says: &proof.Statement_Draft{Draft: &proof.Draft{
		Epoch: x.Epoch, Batch: x.Batch, Result: result, Votes: [][]byte{x.ID[:]}, Attestation: sig}}})
}

// file is where what this checker attests on an appeal is kept.
func (a *Appeals) file(x ledgeractor.Appeal) string {
	return filepath.Join(a.o.Dir, appealPrefix+strconv.FormatUint(x.Epoch, 10)+"-"+hex.EncodeToString(x.ID[:]))
}

// save writes what is about to be said, unless something else was: that is never replaced.
func (a *Appeals) save(x ledgeractor.Appeal, o *proof.Opened) error {
	if had, err := a.saved(x); err != nil {
		return err
	} else if had != nil && had.Digest != o.Digest {
		return fmt.Errorf("%w: another answer was attested", errSaved)
	}
	return record.Write(a.file(x), o.Raw)
}

// saved is what an earlier run attested; nil when it attested nothing.
func (a *Appeals) saved(x ledgeractor.Appeal) (*proof.Opened, error) {
	b, err := record.Read(a.file(x), proof.MaxStatement+1<<10)
	if record.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSaved, err)
	}
	o, err := proof.Open(a.o.Book.Chain(), b)
	if err != nil || o.Signer != a.self || o.Statement.GetDraft().GetBatch() != x.Batch || o.Statement.GetDraft().GetEpoch() != x.Epoch {
		return nil, fmt.Errorf("%w: %s is not what this checker attested (%v)", errSaved, a.file(x), err)
	}
	return o, nil
}

// forget removes what was attested on appeals that nobody can answer any more.
func (a *Appeals) forget(epoch uint64) {
	list, err := os.ReadDir(a.o.Dir)
	if err != nil {
		return // there is nothing yet
	}
	for _, e := range list {
		name, ok := strings.CutPrefix(e.Name(), appealPrefix)
		number, _, _ := strings.Cut(name, "-")
		if at, err := strconv.ParseUint(number, 10, 64); ok && err == nil && at+keptRounds <= epoch {
			_ = os.Remove(filepath.Join(a.o.Dir, e.Name()))
		}
	}
}
