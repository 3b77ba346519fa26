package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/why"
)

func whyCommand() *cobra.Command {
	l := new(ledgerFlags)
	c := &cobra.Command{
		Use:   "why [NODE|SESSION|EPOCH/BATCH|PROOF]",
		Short: "Say why a node is not paid, not matched, accused or banned, and what to do",
		Long: `why asks the ledger what was found, proves it, and tells it in words: the verdicts of the
last rounds with reason, evidence, epoch and block; what keeps a container from being paid
or matched; what a checker is suspended for; what a node is accused of and how to appeal.

Without an argument it is about the node of this configuration. A session is 32 hex digits,
or NODE/SESSION; a certificate is EPOCH/BATCH; 64 hex digits are a proof or an accusation, 40
the evidence that a certificate names.`,
		Example: `  framemesh why                          this machine's node
  framemesh why 12D3KooW… --json
  framemesh why 120/0                    what the certificate of a batch says of whom
  framemesh why 9b2e…                    a fraud proof or an accusation on the ledger`,
		Args: atMostOne("NODE|SESSION|EPOCH/BATCH|PROOF"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return l.whyNode(c, "own")
			}
			return l.why(c, args[0])
		},
	}
	l.add(c)
	return c
}

// why tells of whatever it is that is named.
func (f *ledgerFlags) why(c *cobra.Command, name string) error {
	epoch, batch, ok, err := batchArg(name)
	if err != nil {
		return err
	}
	_, isFile := os.Stat(name)
	switch {
	case isFile == nil || anyProof(name):
		return f.whyProof(c, name)
	case ok:
		return f.whyCertificate(c, epoch, batch)
	case strings.Contains(name, "/") || isHex(name, tx.SessionSize):
		return f.whySession(c, name)
	case isHex(name, len(proof.Name{})):
		return f.whyProof(c, name)
	case isHex(name, 32):
		return f.whyID(c, [32]byte(unhex(name)))
	}
	return f.whyNode(c, name)
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isHex(s string, size int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == size
}

func unhex(s string) []byte {
	b, _ := hex.DecodeString(s) // isHex was asked
	return b
}

// whyNode tells of a node.
func (f *ledgerFlags) whyNode(c *cobra.Command, name string) error {
	cfg, err := f.load(c)
	if err != nil {
		return err
	}
	n, err := nodeArg(cfg, name)
	if err != nil {
		return err
	}
	r, err := f.whole(c, cfg, n)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	return printReport(c.OutOrStdout(), r)
}

// whole is the ledger's report on a node and, for the node whose key is here, what indexers
// say of its matches.
func (f *ledgerFlags) whole(c *cobra.Command, cfg node.Config, n key.Node) (why.Report, error) {
	k, err := keyOf(cfg, n)
	if err != nil {
		return why.Report{}, err
	}
	if cfg.Ledger.Genesis == "" {
		if k == nil {
			return why.Report{}, withHint(node.ErrNoLedger, "without a ledger nobody is paid and nothing is proven; why a match chose another container, its own `framemesh why` tells, and `framemesh match verify` shows of one match")
		}
		return f.unledgered(c, cfg, n, k)
	}
	v, err := f.open(c)
	if err != nil {
		return why.Report{}, err
	}
	defer v.close()
	r, err := v.report(c, n)
	if err != nil {
		return r, err
	}
	container := slices.Contains(r.Roles, string(node.RoleContainer))
	switch {
	case k != nil && (container || cfg.Has(node.RoleContainer)):
		err = addMatches(c, &r, v.Dial, k, r.Registered)
	case container:
		r.Add([]why.Finding{{About: why.AboutMatch, Code: "own_key_only",
			Text: "What became of it in matches is told to itself alone.", Next: "`framemesh why` on the machine that has its key"}})
	}
	return r, err
}

// unledgered is the report where there is no ledger: what indexers say.
func (f *ledgerFlags) unledgered(c *cobra.Command, cfg node.Config, n key.Node, k crypto.PrivKey) (why.Report, error) {
	r := why.Report{Node: n.String(), Roles: []string{}, OK: true, Verdicts: []why.Verdict{}, Findings: []why.Finding{}}
	done, tell := telling(c.ErrOrStderr(), "looking for indexers of "+cfg.Network)
	defer done()
	ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
	defer cancel()
	d, err := node.DialPeers(ctx, cfg, node.Asked{Peers: f.peers, Tell: tell})
	if err != nil {
		return r, explainLedger(err)
	}
	defer func() { _ = d.Close() }()
	return r, addMatches(c, &r, d, k, true)
}

// addMatches asks the indexers.
func addMatches(c *cobra.Command, r *why.Report, d *node.Dial, k crypto.PrivKey, registered bool) error {
	done := slow(c.ErrOrStderr(), "asking indexers")
	defer done()
	for _, a := range d.Accounts(c.Context(), k) {
		if told, err := why.AccountOf(a.Indexer.String(), a.Account); err == nil {
			r.Indexers = append(r.Indexers, told)
		}
	}
	r.Add(why.Matching(r.Indexers, registered))
	return c.Context().Err()
}

// keyOf is the key of the node of this configuration if it is the one named, else nil.
func keyOf(cfg node.Config, n key.Node) (crypto.PrivKey, error) {
	raw, err := ownNodeKey(cfg, false)
	if err != nil || raw.id() != n {
		return nil, nil // another's, and it needs none here
	}
	k, err := crypto.UnmarshalEd25519PrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	return k, nil
}

func printReport(w io.Writer, r why.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "node\t%s\n", r.Node)
	if r.Registered {
		fmt.Fprintf(t, "owner\t%s\nroles\t%s\n", r.Owner, nonEmpty(strings.Join(r.Roles, ", "), "none"))
	}
	if r.Height > 0 {
		fmt.Fprintf(t, "as of\tblock %d, epoch %d\n", r.Height, r.Epoch)
	}
	if n := len(r.Indexers); n > 0 {
		fmt.Fprintf(t, "indexers\t%d answered; what they say of its matches is their word\n", n)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.OK {
		fmt.Fprintln(w, "\nNothing keeps it from being paid and matched.")
	}
	for _, x := range r.Findings {
		mark := "note"
		if x.Bad {
			mark = "!"
		}
		fmt.Fprintf(w, "\n%-4s %s (%s)\n", mark, x.Text, code(x.Code, x.Reason))
		if x.Next != "" {
			fmt.Fprintf(w, "     try: %s\n", x.Next)
		}
		var where []string
		if x.Epoch != 0 || x.Height != 0 {
			where = append(where, fmt.Sprintf("epoch %d", x.Epoch))
		}
		if x.Height != 0 {
			where = append(where, fmt.Sprintf("block %d", x.Height))
		}
		if x.Evidence != "" {
			where = append(where, "evidence "+x.Evidence)
		}
		if x.ID != "" {
			where = append(where, "accusation "+x.ID)
		}
		if len(where) > 0 {
			fmt.Fprintf(w, "     %s\n", strings.Join(where, ", "))
		}
	}
	if len(r.Verdicts) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nwhat was found, oldest first:")
	return printVerdicts(w, r.Verdicts)
}

// code writes a stable code with its number, where it has one.
func code(name string, number uint32) string {
	if number == 0 {
		return name
	}
	return fmt.Sprintf("%s, reason %d", name, number)
}

// whyProof tells of a proof file without rerunning it.
func (f *ledgerFlags) whyProof(c *cobra.Command, path string) error {
	raw, err := readProof(path, c.InOrStdin())
	if err != nil {
		return unreadable(path, err)
	}
	x, _, err := why.Describe(raw)
	if err != nil {
		return unreadable(path, err)
	}
	if f.json {
		return printJSON(c.OutOrStdout(), x)
	}
	return printFile(c.OutOrStdout(), x, path, path)
}

// named is what a name of 32 bytes on the ledger means.
type named struct {
	ID       string `json:"id"`
	Is       string `json:"is"` // fraud_proof or accusation
	Node     string `json:"node"`
	Epoch    uint64 `json:"epoch"`
	Height   uint64 `json:"height,omitempty"` // of the block that has it
	Text     string `json:"text"`
	Next     string `json:"next"`
	Evidence string `json:"evidence,omitempty"`
	Amount   *units `json:"amount,omitempty"`
	Final    uint64 `json:"final_epoch,omitempty"`
	Appealed uint64 `json:"appealed_epoch,omitempty"`
}

// whyID tells of a fraud proof or an accusation; a proof that this machine keeps is
// described from its file.
func (f *ledgerFlags) whyID(c *cobra.Command, id [32]byte) error {
	cfg, err := f.load(c)
	if err != nil {
		return err
	}
	dir, err := proofsDir(cfg)
	if err != nil {
		return err
	}
	files, paths, err := kept(dir, anyProof)
	if err != nil {
		return err
	}
	for _, k := range files {
		// A fraud proof's name on the ledger is for the ledger, which knows more of it.
		if name := hex.EncodeToString(id[:]); k.ID == name || k.Kind != why.KindFraud && k.Report == name {
			return f.whyProof(c, paths[k.ID])
		}
	}
	v, err := f.open(c)
	if err != nil {
		return err
	}
	defer v.close()
	out, err := v.named(c.Context(), id)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), out)
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\t%s\nnode\t%s\nepoch\t%d\n", strings.ReplaceAll(out.Is, "_", " "), out.ID, out.Node, out.Epoch)
	if out.Height != 0 {
		fmt.Fprintf(t, "block\t%d\n", out.Height)
	}
	if out.Evidence != "" {
		fmt.Fprintf(t, "evidence\t%s\n", out.Evidence)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n  try: %s\n", out.Text, out.Next)
	return err
}

// until is how long it is until an epoch begins, ms; 0 when it has.
func (v *view) until(epoch uint64) uint64 {
	at := v.Genesis.EpochStart(epoch)
	return at - min(at, nowMS())
}

// nowMS is the time by this machine's clock, in unix ms.
func nowMS() uint64 { return uint64(max(time.Now().UnixMilli(), 1)) }

func (v *view) named(ctx context.Context, id [32]byte) (named, error) {
	name := hex.EncodeToString(id[:])
	rec, ok, err := read(ctx, v, state.FraudKey(id), state.DecodeFraud)
	if err != nil {
		return named{}, err
	}
	if ok {
		return named{ID: name, Is: "fraud_proof", Node: rec.Subject.String(), Epoch: rec.Epoch, Height: rec.Height,
			Text: why.FraudText(rec.Kind) + " Who reported it gets a part of what was slashed.",
			Next: fmt.Sprintf("`framemesh proof show %s --out evidence.proof` and then `framemesh proof verify evidence.proof`; `framemesh why %s` says what it cost", name, rec.Subject)}, nil
	}
	a, ok, err := read(ctx, v, state.AccusationKey(id), state.DecodeAccusation)
	if err != nil {
		return named{}, err
	}
	if ok {
		p, err := v.params(ctx)
		if err != nil {
			return named{}, err
		}
		x := why.AccusationOf(why.Accused{ID: id, Accusation: a}, p, v.until(a.Final))
		amount := units(a.Amount)
		return named{ID: name, Is: "accusation", Node: a.Node.String(), Epoch: a.Epoch, Text: x.Text, Next: x.Next,
			Evidence: x.Evidence, Amount: &amount, Final: a.Final, Appealed: a.Appealed}, nil
	}
	return named{}, withHint(fmt.Errorf("the ledger knows no proof and no accusation %s", name),
		"`framemesh why NODE`; an accusation that was decided is among the node's verdicts, and evidence that a committee named is with its checkers: `framemesh proof list` there")
}
