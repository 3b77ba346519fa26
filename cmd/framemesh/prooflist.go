package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/node/why"
)

// proofTable is what proof list prints.
type proofTable struct {
	Files    []why.File    `json:"files"`   // that are on this machine
	Ballots  int           `json:"ballots"` // that are there, too, whether they are listed or not
	Node     string        `json:"node,omitempty"`
	Epoch    uint64        `json:"epoch,omitempty"` // that runs
	Height   uint64        `json:"height,omitempty"`
	Verdicts []why.Verdict `json:"verdicts"` // of the node, from the ledger
}

func proofList(l *ledgerFlags) *cobra.Command {
	var id, span string
	var ballots bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List proof files on this machine, and the verdicts on a node",
		Long: `list shows the proofs that a checker with this data directory has kept. With --node it
asks the ledger, too, what was found about a node in its last rounds: each verdict with its
reason, what it earned, and the evidence. A checker also keeps the votes on the batches that
it judged; --ballots lists those instead.`,
		Example: `  framemesh proof list
  framemesh proof list --node own
  framemesh proof list --node 12D3KooW… --epochs 10 --json
  framemesh proof list --epochs 120-140
  framemesh proof list --ballots --epochs 10`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			in, err := parseEpochs(span)
			if err != nil {
				return err
			}
			cfg, err := l.load(c)
			if err != nil {
				return err
			}
			dir, err := proofsDir(cfg)
			if err != nil {
				return err
			}
			wanted := checker.IsEvidence
			if ballots {
				wanted = checker.IsBallot
			}
			all, _, err := kept(dir, wanted)
			if err != nil {
				return err
			}
			t := proofTable{Files: []why.File{}, Ballots: countBallots(dir), Verdicts: []why.Verdict{}}
			var newest uint64
			for _, f := range all {
				newest = max(newest, f.Epoch)
			}
			if id != "" {
				n, err := nodeArg(cfg, id)
				if err != nil {
					return err
				}
				r, err := l.report(c, n)
				if err != nil {
					return err
				}
				t.Node, t.Epoch, t.Height, newest = r.Node, r.Epoch, r.Height, max(newest, r.Epoch)
				for _, v := range r.Verdicts {
					if in.has(v.Epoch, newest) {
						t.Verdicts = append(t.Verdicts, v)
					}
				}
			}
			for _, f := range all {
				if in.has(f.Epoch, newest) && (id == "" || f.Accused == "" || f.Accused == t.Node) {
					t.Files = append(t.Files, f)
				}
			}
			if l.json {
				return printJSON(c.OutOrStdout(), t)
			}
			return t.print(c.OutOrStdout(), dir, ballots)
		},
	}
	c.Flags().StringVar(&id, "node", "", `also ask the ledger for the verdicts on this node, or "own"`)
	c.Flags().BoolVar(&ballots, "ballots", false, "list the votes on batches that this checker judged")
	c.Flags().StringVar(&span, "epochs", "", "the last so many epochs, or from-to (default: all that are known)")
	return c
}

// countBallots counts without reading them: there may be thousands.
func countBallots(dir string) (n int) {
	list, _ := os.ReadDir(dir) // kept has said what is wrong with it
	for _, e := range list {
		if checker.IsBallot(e.Name()) {
			n++
		}
	}
	return n
}

func (t proofTable) print(w io.Writer, dir string, ballots bool) error {
	switch {
	case len(t.Files) == 0 && ballots:
		fmt.Fprintf(w, "no votes are kept in %s: no checker there has judged a batch\n", dir)
	case len(t.Files) == 0:
		fmt.Fprintf(w, "no proof is kept in %s: nothing was caught by a checker there\n", dir)
	default:
		out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "PROOF\tEPOCH\tABOUT\tSAYS")
		for _, f := range t.Files {
			fmt.Fprintf(out, "%.16s…\t%s\t%s\t%s\n", f.ID, epochOf(f), about(f), f.Says)
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if t.Ballots > 0 && !ballots {
		fmt.Fprintf(w, "and the votes on %d batches that it judged: --ballots\n", t.Ballots)
	}
	if t.Node == "" {
		return nil
	}
	fmt.Fprintf(w, "\nverdicts on %s, as of block %d in epoch %d:\n", t.Node, t.Height, t.Epoch)
	return printVerdicts(w, t.Verdicts)
}

// about is whom or what a file is about, for people.
func about(f why.File) string {
	if f.Kind == why.KindBallot {
		return fmt.Sprintf("batch %d", f.Batch)
	}
	return nonEmpty(f.Accused, "-")
}
