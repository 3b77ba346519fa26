package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
)

// batchArg reads EPOCH/BATCH, as in 120/0; ok is false for anything else, and for a file of
// that name.
func batchArg(name string) (epoch uint64, batch uint32, ok bool, err error) {
	front, rest, two := strings.Cut(name, "/")
	if _, no := os.Stat(name); no == nil || !two || !isNumber(front) || !isNumber(rest) {
		return 0, 0, false, nil
	}
	epoch, err = strconv.ParseUint(front, 10, 63)
	number, err2 := strconv.ParseUint(rest, 10, 31)
	if err = errors.Join(err, err2); err != nil || number > math.MaxUint32 {
		return 0, 0, true, withHint(fmt.Errorf("%q is no batch of an epoch", name), "EPOCH/BATCH, such as 120/0")
	}
	return epoch, uint32(number), true, nil
}

// findBallot gets the votes behind the certificate of a batch: from this machine, or from the
// checkers that judged it.
func (f *ledgerFlags) findBallot(c *cobra.Command, epoch uint64, batch uint32) (raw []byte, from string, err error) {
	defer c.SetContext(c.Context()) // of open's ends with close, and proof verify opens once more
	v, err := f.open(c)
	if err != nil {
		return nil, "", err
	}
	defer v.close()
	done := slow(c.ErrOrStderr(), "asking those who judged it for their votes")
	defer done()
	rec, ok, err := read(c.Context(), v, state.CertificateKey(epoch, batch), state.DecodeCertificate)
	if err != nil {
		return nil, "", err
	}
	if !ok {
		return nil, "", withHint(fmt.Errorf("the ledger has no certificate of batch %d of epoch %d", batch, epoch),
			fmt.Sprintf("`framemesh why %d/%d` says whether one is still to come", epoch, batch))
	}
	dir, err := proofsDir(v.cfg)
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(dir, hex.EncodeToString(rec.Result[:])+checker.BallotSuffix)
	if raw, err := readProof(path, nil); err == nil {
		return raw, path, nil
	}
	const there = "`framemesh proof list --ballots` on the machine of a checker that judged it, or the file from its operator"
	a, _, err := v.assignment(c.Context(), epoch)
	switch {
	case errors.Is(err, errOldDraw):
		return nil, "", withHint(fmt.Errorf("who judged batch %d of epoch %d cannot be looked up: %w", batch, epoch, err), there)
	case err != nil:
		return nil, "", err
	case uint64(batch) >= uint64(len(a.Batches)):
		return nil, "", withHint(fmt.Errorf("the draw of epoch %d has no batch %d by the parameters of now", epoch, batch), there)
	}
	var ids []peer.ID
	for _, n := range a.Batches[batch].Members(uint32(rec.Attempt)) {
		if id, err := n.Peer(); err == nil {
			ids = append(ids, id)
		}
	}
	raw, err = v.Ballot(c.Context(), ids, rec.Result)
	if errors.Is(err, node.ErrNoBallot) {
		return nil, "", withHint(err, "again when more of them run, or "+there)
	}
	return raw, fmt.Sprintf("the checkers of batch %d of epoch %d", batch, epoch), err
}

// differs says how the parameters of a ballot are not those in force; "" where they are.
func differs(b *proof.Ballot, p judge.Params) string {
	for _, x := range []struct {
		name      string
		file, now uint64
	}{
		{"proof_n", uint64(b.GetN()), uint64(p.N)}, {"proof_openings", uint64(b.GetOpenings()), uint64(p.K)}, {"proof_check_ppm", b.GetCheckPpm(), p.CheckPPM},
		{"the window", b.GetDurMs(), p.DurMS}, {"the grace", b.GetGraceMs(), p.GraceMS}, {"rp_reference", b.GetRpReference(), p.Reference},
	} {
		if x.file != x.now {
			return fmt.Sprintf("%s is %d in the file and %d on the ledger", x.name, x.file, x.now)
		}
	}
	return ""
}

// attested says whether the ledger's certificate has a ballot's result; why not, where it has
// another, and none where it has no certificate.
func attested(rec state.Certificate, ok bool, b *proof.Ballot) (why string, none bool) {
	switch {
	case !ok:
		return "", true
	case rec.Result != sha256.Sum256(b.GetResult()):
		return "The ledger's certificate of this batch has another result.", false
	}
	return "", false
}

// recount judges a ballot again, and compares what it says of itself with the ledger.
func (p *proven) recount(ctx context.Context, file *proof.File, w *witness) error {
	out, err := judge.Recount(file)
	b := file.GetBallot()
	if n := len(b.GetProven()) + len(b.GetRefuted()); n > 0 {
		p.warn("the file names %d proofs that decided: rerun those, too", n)
	}
	switch {
	case err != nil:
		p.Why = "The votes do not come to the result: " + oneLine(err.Error())
		return nil
	case w.none:
		p.Why = never
		return nil
	case w.has && string(w.seed[:]) != string(file.GetSeed()):
		p.Why = fmt.Sprintf("The file gives epoch %d another seed than the ledger: its committee was never drawn.", p.Epoch)
		return nil
	}
	p.Proven, p.Why = true, fmt.Sprintf("Judged again, the votes come to the result that was attested, for %d containers.", len(out.Result.Entries))
	if w.view == nil {
		p.warn("who was drawn and by which parameters is the file's own word; with the ledger at hand that is compared, too")
		return nil
	}
	return p.official(ctx, file, w)
}

// official compares what a ballot says of itself with the ledger: the result, the parameters
// and the draw.
func (p *proven) official(ctx context.Context, file *proof.File, w *witness) error {
	b := file.GetBallot()
	rec, ok, err := read(ctx, w.view, state.CertificateKey(file.GetEpoch(), b.GetBatch()), state.DecodeCertificate)
	if err != nil {
		return err
	}
	why, none := attested(rec, ok, b)
	if why != "" {
		p.Proven, p.Why = false, why
		return nil
	}
	if none {
		p.warn("the ledger has no certificate of this batch, or none any more: nobody was paid or punished for these votes as far as it knows")
	}
	why, err = w.compare(ctx, file, p)
	if err != nil {
		p.warn("the draw was not compared with the ledger: %s", oneLine(err.Error()))
	} else if why != "" {
		p.Proven, p.Why = false, why
	}
	return nil
}

// errOldDraw: the candidates of an epoch can be looked up for some epochs only.
var errOldDraw = errors.New("its candidates are not kept any more")

// compare says how a ballot differs from what the ledger drew; "" when it does not.
func (w *witness) compare(ctx context.Context, file *proof.File, p *proven) (string, error) {
	a, now, err := w.assignment(ctx, file.GetEpoch())
	if err != nil {
		return "", err
	}
	b := file.GetBallot()
	if how := differs(b, now); how != "" {
		p.warn("%s: unless a vote has changed that since epoch %d, the file's parameters are invented", how, file.GetEpoch())
	}
	if uint64(b.GetBatch()) >= uint64(len(a.Batches)) {
		return fmt.Sprintf("The ledger drew %d batches in epoch %d; the file is about number %d.", len(a.Batches), file.GetEpoch(), b.GetBatch()), nil
	}
	drawn := &a.Batches[b.GetBatch()]
	same := func(all []key.Node, raw [][]byte) bool {
		return slices.EqualFunc(all, raw, func(n key.Node, r []byte) bool { return string(n[:]) == string(r) })
	}
	switch {
	case !same(drawn.Containers, b.GetContainers()):
		return "The containers are not those that the ledger drew into this batch.", nil
	case !same(drawn.Members(b.GetAttempt()), b.GetMembers()):
		return "The members are not those that the ledger drew for this batch.", nil
	}
	return "", nil
}

// assignment draws an epoch's batches again from what the ledger has.
func (v *view) assignment(ctx context.Context, epoch uint64) (*judge.Assignment, judge.Params, error) {
	e, err := v.params(ctx)
	p := judge.From(e)
	if err != nil {
		return nil, p, err
	}
	seed, ok, err := v.seed(ctx, epoch)
	if err != nil || !ok {
		return nil, p, errors.Join(err, errOldDraw)
	}
	var sets [2][]judge.Candidate
	for i, role := range []economics.Role{economics.RoleContainer, economics.RoleChecker} {
		all, ok, err := state.ReadCandidates(v.values(ctx), epoch, role)
		if err != nil {
			return nil, p, err
		}
		if !ok {
			return nil, p, errOldDraw
		}
		sets[i] = state.Drawable(all)
	}
	return judge.Assign(v.Genesis.ChainID, seed, epoch, sets[0], sets[1], p), p, nil
}
