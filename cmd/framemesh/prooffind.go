package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node/why"
)

// findProof gets a proof by the path of its file, by its name among the files that are kept
// here, or by its name on the ledger. from says where it was.
func (f *ledgerFlags) findProof(c *cobra.Command, name string) (raw []byte, from string, err error) {
	epoch, batch, ok, err := batchArg(name)
	if err != nil {
		return nil, "", err
	}
	if ok {
		return f.findBallot(c, epoch, batch)
	}
	if _, err := os.Stat(name); err == nil || name == "-" || strings.ContainsRune(name, filepath.Separator) {
		raw, err := readProof(name, c.InOrStdin())
		if err != nil {
			return nil, "", unreadable(name, err)
		}
		return raw, name, nil
	}
	id := name
	for _, suffix := range []string{checker.ProofSuffix, checker.AnswerSuffix, checker.BallotSuffix} {
		id = strings.TrimSuffix(id, suffix)
	}
	id = strings.ToLower(id)
	if b, err := hex.DecodeString(id + strings.Repeat("0", len(id)%2)); err != nil || len(id) < leastID || len(b) > 32 {
		return nil, "", withHint(fmt.Errorf("%q is neither a file nor the name of a proof", name), fmt.Sprintf("%d to 64 hex digits, as `framemesh proof list` shows them, or a path", leastID))
	}
	cfg, err := f.load(c)
	if err != nil {
		return nil, "", err
	}
	dir, err := proofsDir(cfg)
	if err != nil {
		return nil, "", err
	}
	files, paths, err := kept(dir, anyProof)
	if err != nil {
		return nil, "", err
	}
	var found []string
	for _, k := range files {
		if strings.HasPrefix(k.ID, id) || strings.HasPrefix(k.Report, id) {
			found = append(found, paths[k.ID])
		}
	}
	switch {
	case len(found) == 1:
		raw, err := readProof(found[0], nil)
		return raw, found[0], err
	case len(found) > 1:
		return nil, "", withHint(fmt.Errorf("%d proofs begin with %s", len(found), id), "more of its digits")
	case len(id) == 2*len(proof.Name{}):
		return nil, "", withHint(fmt.Errorf("no proof in %s has the name %s", dir, id), "--data-dir of a checker that attested it: a certificate names evidence, and its checkers keep it")
	case len(id) != 64:
		return nil, "", withHint(fmt.Errorf("no proof in %s begins with %s", dir, id), "all 64 digits, to ask the ledger, or --data-dir of the checker that has it")
	}
	v, err := f.open(c)
	if err != nil {
		return nil, "", err
	}
	defer v.close()
	done := slow(c.ErrOrStderr(), "asking for the proof")
	defer done()
	b, _ := hex.DecodeString(id) // checked above
	raw, rec, err := v.fraud(c.Context(), [32]byte(b))
	return raw, fmt.Sprintf("block %d", rec.Height), err
}

// fraud takes a fraud proof from the block that has it and makes a file of it, with the
// ledger's own seed.
func (v *view) fraud(ctx context.Context, id [32]byte) ([]byte, state.Fraud, error) {
	rec, ok, err := read(ctx, v, state.FraudKey(id), state.DecodeFraud)
	if err != nil {
		return nil, rec, err
	}
	if !ok {
		return nil, rec, withHint(fmt.Errorf("the ledger has no fraud proof %x", id), fmt.Sprintf("`framemesh proof list --node` shows what it has; records are kept for %d epochs", uint64(state.KeptEpochs)))
	}
	b, err := v.Block(ctx, rec.Height)
	if err != nil {
		return nil, rec, explainLedger(err)
	}
	for _, raw := range b.Txs {
		t, err := tx.Decode(raw)
		if err != nil {
			continue // what the proposer adds
		}
		op := t.Body.GetFraud()
		if op == nil || state.FraudID(op) != id {
			continue
		}
		seed, known, err := v.seed(ctx, op.GetEpoch())
		if err != nil {
			return nil, rec, err
		}
		if !known && why.NeedsSeed(op.GetKind()) {
			return nil, rec, withHint(fmt.Errorf("the ledger has no seed of epoch %d", op.GetEpoch()), "a node that keeps all of the chain, with --peer")
		}
		file, err := proof.EncodeFile(proof.FraudFile(v.Genesis.ChainID, op.GetEpoch(), seed, op))
		return file, rec, err
	}
	return nil, rec, withHint(fmt.Errorf("block %d does not hold the fraud proof %x", rec.Height, id), "another node with --peer")
}

// seed is the ledger's seed of an epoch; ok is false when it is proven that there is none.
func (v *view) seed(ctx context.Context, epoch uint64) (seed [32]byte, ok bool, err error) {
	b, err := v.values(ctx)(state.SeedKey(epoch))
	if err != nil || len(b) != 32 {
		return seed, false, err
	}
	return [32]byte(bytes.Clone(b)), true, nil
}
