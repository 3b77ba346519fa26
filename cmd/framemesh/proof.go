package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/why"
)

// exitUnreadable is the status of a command whose input cannot be read at all.
const exitUnreadable = 2

// exit ends a command with a status of its own, and says why.
type exit struct {
	error
	status int
}

func (e exit) Unwrap() error { return e.error }

// leastID is how many digits of a file's name are enough to find it.
const leastID = 8

func proofCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "proof",
		Short: "See what was proven about rendering, and rerun it",
		Long: `proof shows what a checker on this machine can prove, what the ledger says was found, and
reruns a proof file on this machine, without a network.`,
		Example: `  framemesh proof list
  framemesh proof list --node 12D3KooW… --epochs 10
  framemesh proof show 3fa4c1d2
  framemesh proof verify 3fa4….proof`,
	})
	l := new(ledgerFlags)
	l.add(c)
	c.AddCommand(proofList(l), proofShow(l), proofVerify(l))
	return c
}

// epochs are a range of epochs; the zero value is all.
type epochs struct {
	last     uint64 // that many, up to the one that runs; 0 = from and to count
	from, to uint64
	all      bool
}

// parseEpochs reads "10" (the last ten), "20-30", or nothing.
func parseEpochs(s string) (e epochs, err error) {
	bad := withHint(fmt.Errorf("--epochs %q is no range", s), "--epochs 10 for the last ten, --epochs 20-30 for those")
	if s == "" {
		return epochs{all: true}, nil
	}
	a, b, two := strings.Cut(s, "-")
	if e.from, err = strconv.ParseUint(a, 10, 63); err != nil {
		return e, bad
	}
	if !two {
		if e.from == 0 {
			return e, bad
		}
		return epochs{last: e.from}, nil
	}
	if e.to, err = strconv.ParseUint(b, 10, 63); err != nil || e.to < e.from {
		return e, bad
	}
	return e, nil
}

// has says whether an epoch is in the range when now runs.
func (e epochs) has(epoch, now uint64) bool {
	switch {
	case e.all:
		return true
	case e.last > 0:
		return epoch+e.last > now
	}
	return e.from <= epoch && epoch <= e.to
}

// anyProof says whether a file of that name is one that a checker keeps.
func anyProof(name string) bool { return checker.IsEvidence(name) || checker.IsBallot(name) }

// kept are the files in a data directory that a checker keeps and whose names are wanted, the
// newest first.
func kept(dir string, wanted func(name string) bool) (files []why.File, paths map[string]string, err error) {
	paths, files = map[string]string{}, []why.File{}
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return files, paths, nil
	}
	if err != nil {
		return files, paths, withHint(err, "--data-dir of the node that you mean")
	}
	for _, e := range list {
		if !wanted(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		raw, err := readProof(path, nil)
		if err != nil {
			continue // it was removed just now, or is another's
		}
		f, _, err := why.Describe(raw)
		if err != nil {
			f = why.File{ID: strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), Kind: "unreadable", Says: oneLine(err.Error()), Bytes: len(raw)}
		}
		files, paths[f.ID] = append(files, f), path
	}
	slices.SortFunc(files, func(a, b why.File) int {
		return cmp.Or(cmp.Compare(b.Epoch, a.Epoch), cmp.Compare(a.ID, b.ID))
	})
	return files, paths, nil
}

func proofsDir(cfg node.Config) (string, error) {
	dir, err := cfg.Dir()
	return node.ProofsDir(dir), err
}

// readProof reads a file, or in for "-", as far as a proof file may be long.
func readProof(path string, in io.Reader) ([]byte, error) {
	r := in
	if path != "-" || in == nil {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, proof.MaxFile+1))
	if err == nil && len(b) > proof.MaxFile {
		err = fmt.Errorf("%w: more than %d bytes", proof.ErrTooLarge, proof.MaxFile)
	}
	return b, err
}

// epochOf is the epoch that a file is about, for people: an answer does not say it.
func epochOf(f why.File) string {
	if f.Kind == why.KindAnswer {
		return "-"
	}
	return strconv.FormatUint(f.Epoch, 10)
}

func nonEmpty(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

func printVerdicts(w io.Writer, all []why.Verdict) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "  none yet")
		return err
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "EPOCH\tBATCH\tAS\tVERDICT\tREASON\tRP\tPAID\tBLOCK\tWHY")
	for _, v := range all {
		rp, paid := "", "no"
		if v.RPMilli > 0 {
			rp = milli(v.RPMilli)
		}
		if v.Weight > 0 {
			paid = "yes"
		}
		fmt.Fprintf(out, "%d\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", v.Epoch, v.Batch, v.Role, v.Verdict, v.Name, rp, paid, v.Height, v.Text)
	}
	return out.Flush()
}

// milli writes thousandths with one decimal.
func milli(v uint64) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/100) }

// values reads proven single records for package why.
func (v *view) values(ctx context.Context) why.Values {
	return func(k []byte) ([]byte, error) {
		p, err := v.Value(ctx, k)
		return p.Value, explainLedger(err)
	}
}

// report opens the ledger for one report.
func (f *ledgerFlags) report(c *cobra.Command, n key.Node) (why.Report, error) {
	v, err := f.open(c)
	if err != nil {
		return why.Report{}, err
	}
	defer v.close()
	return v.report(c, n)
}

// report asks the ledger about a node.
func (v *view) report(c *cobra.Command, n key.Node) (why.Report, error) {
	done := slow(c.ErrOrStderr(), "asking for proofs")
	defer done()
	p, err := v.params(c.Context())
	if err != nil {
		return why.Report{}, err
	}
	facts, err := why.Read(v.values(c.Context()), n, v.epoch(), p)
	if err != nil {
		return why.Report{}, err
	}
	facts.NowMS, facts.NextMS = nowMS(), v.Genesis.EpochStart(facts.Epoch+1)
	r := why.Of(facts)
	r.Height = v.Head().Height
	return r, nil
}

func proofShow(l *ledgerFlags) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "show ID|FILE|EPOCH/BATCH",
		Short: "Show what a proof says, without rerunning it",
		Long: `show says what a proof accuses whom of. ID is the name of a file that a checker on this
machine keeps, or as many of its first digits as tell it from the others; or the name of a
fraud proof on the ledger, as verdicts and events have it, which is then taken from its
block. EPOCH/BATCH are the votes behind that certificate, which the checkers that judged it
keep for some weeks. --out writes it to a file that proof verify reruns.`,
		Example: `  framemesh proof show 3fa4c1d2
  framemesh proof show ./3fa4….proof --json
  framemesh proof show 9b2e… --out evidence.proof && framemesh proof verify evidence.proof
  framemesh proof show 120/0 --out votes.proof`,
		Args: oneArg("ID|FILE|EPOCH/BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			raw, from, err := l.findProof(c, args[0])
			if err != nil {
				return err
			}
			f, _, err := why.Describe(raw)
			if err != nil {
				return unreadable(args[0], err)
			}
			if out != "" {
				if err := os.WriteFile(out, raw, 0o600); err != nil {
					return withHint(err, "another place with --out")
				}
			}
			if l.json {
				return printJSON(c.OutOrStdout(), struct {
					why.File
					From string `json:"from"`
				}{f, from})
			}
			again := nonEmpty(out, from)
			if _, err := os.Stat(again); err != nil {
				again = args[0]
			}
			return printFile(c.OutOrStdout(), f, from, again)
		},
	}
	c.Flags().StringVar(&out, "out", "", "also write the proof to this file")
	return c
}

func printFile(w io.Writer, f why.File, from, path string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, v string) {
		if v != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, v)
		}
	}
	line("proof", f.ID)
	line("from", from)
	line("says", f.Says)
	line("where", f.Detail)
	line("accused", f.Accused)
	line("network", f.Chain)
	line("epoch", epochOf(f))
	if f.Kind == why.KindBallot {
		line("batch", fmt.Sprintf("%d, attempt %d", f.Batch, f.Attempt))
	}
	if f.Session != "" {
		line("session", fmt.Sprintf("%s, second %d", f.Session, f.Second))
		line("app", f.App)
	}
	line("on the ledger as", f.Report)
	line("size", fmt.Sprintf("%d bytes", f.Bytes))
	if f.Kind != why.KindAnswer {
		line("rerun it", fmt.Sprintf("framemesh proof verify %s", path))
	}
	return t.Flush()
}

// unreadable is the error of a proof that cannot be read.
func unreadable(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return exit{withHint(fmt.Errorf("there is no file %s", name), "`framemesh proof list` shows those of a checker on this machine; 120/0 asks for the votes behind a certificate"), exitUnreadable}
	}
	return exit{withHint(fmt.Errorf("%s is no proof that can be read: %w", name, err), "the file as it was written, begins with \"framemesh proof 1\"; a newer release if it is of one"), exitUnreadable}
}
