package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/why"
)

// Where the seed that a proof was judged by came from.
const (
	seedLedger = "ledger"     // proven by it
	seedGiven  = "given"      // with --seed
	seedFile   = "file"       // the file's own word: nothing is proven but the arithmetic
	seedNone   = "not needed" // signatures alone convict
)

// proven is what rerunning a proof file came to.
type proven struct {
	why.File
	Proven   bool     `json:"proven"`
	SeedFrom string   `json:"seed_from"`
	Reason   uint32   `json:"reason,omitempty"`
	Code     string   `json:"code,omitempty"`
	Why      string   `json:"why"` // a sentence
	Next     string   `json:"next,omitempty"`
	Warnings []string `json:"warnings"`
}

func (p *proven) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// verifyFlags are the options of proof verify.
type verifyFlags struct {
	*ledgerFlags
	offline   bool
	seed, app string
}

func proofVerify(l *ledgerFlags) *cobra.Command {
	f := verifyFlags{ledgerFlags: l}
	c := &cobra.Command{
		Use:   "verify FILE|EPOCH/BATCH...",
		Short: "Rerun proofs on this machine: exit status 0 proven, 1 not, 2 unreadable",
		Long: `verify recomputes what a proof file claims: the tile is rendered, the paths are followed, the
votes are judged, the second of play is replayed. FILE "-" is standard input. EPOCH/BATCH are
the votes behind that certificate of the ledger: the checkers that judged it are asked for
them, and they are counted again. Several are rerun one after the other, up to one that cannot
be read, and all of them have to hold; --json prints an object for each.

What a container had to render follows from the ledger's seed of the epoch, and a file that
brings an invented seed could convict anybody. So the seed is compared with the ledger's
where there is one: that of the configuration, or of --genesis with --peer. --seed gives it
by hand. Without both, verify says so: then only the arithmetic is proven.`,
		Example: `  framemesh proof verify 3fa4….proof
  framemesh proof verify 3fa4….proof --genesis genesis.json --peer /ip4/…/p2p/12D3KooW…
  framemesh proof verify 3fa4….proof --offline --json
  framemesh proof verify 120/0
  framemesh proof verify second.proof --app game.wasm`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return oneArg("FILE|EPOCH/BATCH")(c, args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.all(c, args) },
	}
	fl := c.Flags()
	fl.BoolVar(&f.offline, "offline", false, "ask no network: take the file's word for the seed")
	fl.StringVar(&f.seed, "seed", "", "the ledger's seed of the epoch, 64 hex digits, from somebody you trust")
	fl.StringVar(&f.app, "app", "", "the module that a session ran (default: the one that is installed)")
	return c
}

// all reruns one proof after the other.
func (f *verifyFlags) all(c *cobra.Command, paths []string) error {
	ctx, failed := c.Context(), error(nil)
	for i, path := range paths {
		if i > 0 && !f.json {
			fmt.Fprintln(c.OutOrStdout())
		}
		c.SetContext(ctx) // each gets its own time
		err := f.run(c, path)
		switch {
		case errors.Is(err, errFailed):
			failed = err
		case err != nil:
			return err
		}
	}
	return failed
}

func (f *verifyFlags) run(c *cobra.Command, path string) error {
	if f.seed != "" {
		if b, err := hex.DecodeString(f.seed); err != nil || len(b) != 32 {
			return withHint(fmt.Errorf("--seed %.80q is no seed", f.seed), "64 hex digits: `framemesh ledger query seed/EPOCH` shows them")
		}
	}
	cfg, err := f.load(c)
	if err != nil {
		return err
	}
	raw, err := f.read(c, path)
	if err != nil {
		return err
	}
	about, file, err := why.Describe(raw)
	if err != nil {
		return unreadable(path, err)
	}
	p := proven{File: about, Warnings: []string{}, SeedFrom: seedNone}
	if file == nil {
		return withHint(fmt.Errorf("%s is the answer of an audit, which convicts nobody by itself", path),
			"framemesh proof show "+path+", and the votes on the epoch's certificate: `framemesh why EPOCH/BATCH`")
	}
	if err := f.judge(c, cfg, file, &p); err != nil {
		return err
	}
	if f.json {
		if err := printJSON(c.OutOrStdout(), p); err != nil {
			return err
		}
	} else if err := p.print(c.OutOrStdout(), c.ErrOrStderr()); err != nil {
		return err
	}
	if !p.Proven {
		return errFailed
	}
	return nil
}

// read gets the file that is to be rerun, or the votes behind a certificate.
func (f *verifyFlags) read(c *cobra.Command, name string) ([]byte, error) {
	epoch, batch, ok, err := batchArg(name)
	switch {
	case err != nil:
		return nil, err
	case ok && f.offline:
		return nil, withHint(fmt.Errorf("the votes of %s are with the checkers, which --offline does not ask", name), "`framemesh proof show "+name+" --out FILE` first, and then `framemesh proof verify FILE --offline`")
	case ok:
		raw, _, err := f.findBallot(c, epoch, batch)
		return raw, err
	}
	raw, err := readProof(name, c.InOrStdin())
	if err != nil {
		return nil, unreadable(name, err)
	}
	return raw, nil
}

// judge reruns the file. An error is one of this machine, which says nothing about the proof.
func (f *verifyFlags) judge(c *cobra.Command, cfg node.Config, file *proof.File, p *proven) error {
	known, err := f.known(c, cfg, p)
	if known != nil {
		defer known.close()
	}
	if err != nil {
		return err
	}
	done := slow(c.ErrOrStderr(), "recomputing")
	defer done()
	switch {
	case p.Fraud == proof.FraudMatch:
		return f.convictMatch(c, cfg, file, p)
	case p.Kind == why.KindFraud:
		return p.convict(c.Context(), file, known)
	case p.Kind == why.KindBallot:
		return p.recount(c.Context(), file, known)
	}
	return p.replay(c.Context(), file, f.module(cfg))
}

// witness is what is known of the seed besides the file.
type witness struct {
	*view // nil where no ledger was asked
	seed  [32]byte
	has   bool
	none  bool // the epoch is over and the ledger has none
}

// never is why nothing follows from an epoch without a seed.
const never = "The ledger has no seed of that epoch, so nobody had to render anything in it."

func (w *witness) close() {
	if w.view != nil {
		w.view.close()
	}
}

// known looks for the seed where the proof needs one.
func (f *verifyFlags) known(c *cobra.Command, cfg node.Config, p *proven) (*witness, error) {
	w := new(witness)
	if !p.NeedsSeed {
		return w, nil
	}
	p.SeedFrom = seedFile
	if f.seed != "" {
		b, err := hex.DecodeString(f.seed)
		if err != nil {
			return nil, err
		}
		w.seed, w.has, p.SeedFrom = [32]byte(b), true, seedGiven
		return w, nil
	}
	const invented = "with an invented seed anybody can be convicted, so believe this only once the seed is known to be the ledger's"
	if f.offline {
		p.warn("the seed of epoch %d is the file's own word (--offline): %s", p.Epoch, invented)
		return w, nil
	}
	if cfg.Ledger.Genesis == "" {
		p.warn("there is no ledger to compare the seed of epoch %d with: %s; use --genesis and --peer, or --seed", p.Epoch, invented)
		return w, nil
	}
	if cfg.Network != p.Chain {
		p.warn("the proof is of the network %s and the configuration of %s, so the seed of epoch %d is the file's own word: %s", p.Chain, cfg.Network, p.Epoch, invented)
		return w, nil
	}
	v, err := f.open(c)
	if err != nil {
		if c.Context().Err() != nil {
			return nil, err
		}
		p.warn("the ledger could not be asked (%s), so the seed of epoch %d is the file's own word: %s", oneLine(err.Error()), p.Epoch, invented)
		return w, nil
	}
	w.view = v
	seed, ok, err := v.seed(c.Context(), p.Epoch)
	switch {
	case err != nil:
		p.warn("the ledger did not tell the seed of epoch %d (%s): %s", p.Epoch, oneLine(err.Error()), invented)
	case !ok:
		p.warn("the ledger has no seed of epoch %d, so nobody had to render in it: the file's seed is its own word", p.Epoch)
	default:
		w.seed, w.has, p.SeedFrom = seed, true, seedLedger
	}
	return w, nil
}

// convict reruns a fraud proof.
func (p *proven) convict(_ context.Context, file *proof.File, w *witness) error {
	if w.none {
		p.Why = never
		return nil
	}
	rules := proof.Rules{Kernel: recompute.New()}
	if w.has {
		rules.Seed = func(uint64) ([32]byte, bool) { return w.seed, true }
	}
	got, err := file.Convict(rules)
	if errors.Is(err, proof.ErrUnknown) {
		return withHint(fmt.Errorf("this release cannot judge it: %w", err), "a release that knows that kind of proof and its kernel")
	}
	p.found(got, err)
	return nil
}

// found is what a fraud proof came to.
func (p *proven) found(got proof.Conviction, err error) {
	if err != nil {
		p.Why = "It does not convict: " + oneLine(err.Error())
		p.Next = "do not believe the accusation; a proof that was sent to the ledger like this costs its sender the fee, and nobody else anything"
		return
	}
	p.Proven, p.Reason, p.Code = true, uint32(got.Reason), got.Reason.String()
	i, _ := got.Reason.Info()
	p.Why, p.Next = i.Text, i.Next
}

// module finds the app of a session.
func (f *verifyFlags) module(cfg node.Config) func(sha [32]byte) ([]byte, error) {
	return func(sha [32]byte) ([]byte, error) {
		if f.app != "" {
			return os.ReadFile(f.app)
		}
		dir, err := cfg.Dir()
		if err != nil {
			return nil, err
		}
		st, err := node.OpenStore(dir, true)
		if err != nil {
			return nil, err
		}
		return st.Module(sha)
	}
}

// replay plays a second of a session again.
func (p *proven) replay(ctx context.Context, file *proof.File, module func([32]byte) ([]byte, error)) error {
	cache := ""
	if dir, err := os.UserCacheDir(); err == nil {
		cache = filepath.Join(dir, "framemesh", "compiled")
		if os.MkdirAll(cache, 0o700) != nil {
			cache = ""
		}
	}
	v, err := audit.VerifyFile(ctx, file, module, segment.Auditor{CacheDir: cache, Deadline: true})
	switch {
	case errors.Is(err, audit.ErrNoProof):
		p.Why = "It proves nothing: " + oneLine(err.Error())
		return nil
	case errors.Is(err, segment.ErrArch), errors.Is(err, segment.ErrReplay):
		return withHint(fmt.Errorf("this machine cannot replay it: %w", err), "a machine of the architecture that the session ran on")
	case err != nil:
		return withHint(err, "--app with the module that the session ran, or `framemesh apps add` to install it")
	}
	p.Proven, p.Why = v.Guilty, v.Text
	if v.Guilty {
		i, _ := proof.ReasonSegment.Info()
		p.Reason, p.Code, p.Next = uint32(proof.ReasonSegment), i.Name, i.Next
	}
	return nil
}

func (p *proven) print(out, errOut io.Writer) error {
	word := "NOT PROVEN"
	if p.Proven {
		word = "PROVEN"
	}
	fmt.Fprintf(out, "%s: %s\n", word, p.Why)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "proof\t%s\n", p.ID)
	if p.Accused != "" {
		fmt.Fprintf(t, "accused\t%s\n", p.Accused)
	}
	fmt.Fprintf(t, "about\t%s\n", p.Says)
	if p.Detail != "" {
		fmt.Fprintf(t, "where\t%s\n", p.Detail)
	}
	fmt.Fprintf(t, "network, epoch\t%s, %d\n", p.Chain, p.Epoch)
	if p.Reason != 0 {
		fmt.Fprintf(t, "reason\t%d %s\n", p.Reason, p.Code)
	}
	fmt.Fprintf(t, "seed\t%s\n", map[string]string{seedLedger: "the ledger's, proven", seedGiven: "as given with --seed",
		seedFile: "the file's own word", seedNone: "not needed: signatures alone convict"}[p.SeedFrom])
	if err := t.Flush(); err != nil {
		return err
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(errOut, "warning: %s\n", w)
	}
	return nil
}
