package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p"
)

// ledgerFlags are the options of every command that looks at the ledger.
type ledgerFlags struct {
	config  string
	dataDir string
	genesis string
	peers   []string
	timeout time.Duration
	json    bool
}

// add gives the options to c and to the commands below it.
func (f *ledgerFlags) add(c *cobra.Command) {
	p := c.PersistentFlags()
	f.addPlaces(c)
	p.StringVar(&f.genesis, "genesis", "", "the network's genesis file (default: ledger.genesis of the configuration)")
	p.StringSliceVar(&f.peers, "peer", nil, "address of a peer to ask, ending in /p2p/<peer id>; may be repeated")
	p.DurationVar(&f.timeout, "timeout", lookFor, "how long to look for the ledger, and then to wait for answers")
	p.BoolVar(&f.json, "json", false, "print one JSON object")
}

// addPlaces gives the options that say where files are.
func (f *ledgerFlags) addPlaces(c *cobra.Command) {
	p := c.PersistentFlags()
	p.StringVar(&f.config, "config", defaultConfigPath, "the node's configuration; without the file, the defaults")
	p.StringVar(&f.dataDir, "data-dir", "", "overrides data_dir of the file")
}

// load reads the configuration. Where the default file does not exist, the defaults hold:
// a wallet needs no node.
func (f *ledgerFlags) load(c *cobra.Command) (node.Config, error) {
	cfg, err := node.DefaultConfig(), error(nil)
	if f.configured(c) {
		if cfg, err = node.LoadConfig(f.config); err != nil {
			return cfg, err
		}
	}
	if f.dataDir != "" {
		cfg.DataDir = f.dataDir
	}
	if f.genesis != "" {
		doc, err := genesis.Load(f.genesis)
		if err != nil {
			return cfg, withHint(err, "a genesis file with --genesis; whoever runs the network hands it out, and `framemesh ledger genesis check FILE` looks at one")
		}
		cfg.Ledger.Genesis, cfg.Network = f.genesis, doc.ChainID
	}
	return cfg, nil
}

// configured says whether load reads a file.
func (f *ledgerFlags) configured(c *cobra.Command) bool {
	_, err := os.Stat(f.config)
	return c.Flags().Changed("config") || !errors.Is(err, fs.ErrNotExist)
}

// view is a look at the ledger by which nobody who answers is believed.
type view struct {
	*node.LedgerDial
	cfg    node.Config
	cancel context.CancelFunc
}

// open joins the network for the length of one command, whose context ends when nothing
// more is to be expected. close it.
func (f *ledgerFlags) open(c *cobra.Command) (*view, error) { return f.openFor(c, f.timeout) }

// openFor is open for a command that takes its time once the ledger is found.
func (f *ledgerFlags) openFor(c *cobra.Command, work time.Duration) (*view, error) {
	cfg, err := f.load(c)
	if err != nil {
		return nil, err
	}
	done, tell := telling(c.ErrOrStderr(), "looking for peers that know the ledger of "+cfg.Network)
	defer done()
	ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
	defer cancel()
	heard := new(complaint)
	d, err := node.DialLedger(ctx, cfg, node.Asked{Peers: f.peers, Log: slog.New(heard), Tell: tell})
	if err != nil {
		return nil, explainLedger(heard.because(err))
	}
	whole, end := context.WithTimeout(c.Context(), f.timeout+work)
	c.SetContext(whole)
	v := &view{d, cfg, end}
	// A state can be read once the header after its block exists.
	if err := d.Wait(ctx, 2); err != nil {
		v.close()
		return nil, explainLedger(err)
	}
	return v, nil
}

// complaint keeps the last thing that a light client warned of, for a command that fails
// to say it: who waits for peers in vain wants to know of those that were dropped.
type complaint struct {
	mu   sync.Mutex
	last error
}

var _ slog.Handler = (*complaint)(nil)

// because adds what was warned of to an error.
func (c *complaint) because(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return err
	}
	return fmt.Errorf("%w; a peer that answered was dropped: %w", err, c.last)
}

// Enabled implements slog.Handler.
func (c *complaint) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (c *complaint) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		if ok && (errors.Is(err, light.ErrGenesisHeader) || errors.Is(err, light.ErrHeader) || errors.Is(err, light.ErrProof)) {
			c.mu.Lock()
			c.last = err
			c.mu.Unlock()
		}
		return true
	})
	return nil
}

// WithAttrs implements slog.Handler.
func (c *complaint) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup implements slog.Handler.
func (c *complaint) WithGroup(string) slog.Handler { return c }

// close leaves the network; what it could complain of comes too late to matter.
func (v *view) close() {
	v.cancel()
	_ = v.Close()
}

// epoch is the epoch of the newest head.
func (v *view) epoch() uint64 { return v.Genesis.Epoch(v.Head().TimeMS) }

// ledgerReader proves values: *light.Client does.
type ledgerReader interface {
	Value(ctx context.Context, key []byte) (light.Proven, error)
}

var _ ledgerReader = (*light.Client)(nil)

// read proves and decodes one record; ok is false when it is proven that there is none.
func read[T any](ctx context.Context, r ledgerReader, k []byte, decode func([]byte) (T, error)) (v T, ok bool, err error) {
	p, err := r.Value(ctx, k)
	if err != nil {
		return v, false, explainLedger(err)
	}
	if p.Value == nil {
		return v, false, nil
	}
	if v, err = decode(p.Value); err != nil {
		return v, false, withHint(err, "a newer version of this program; the network's state is proven to be so")
	}
	return v, true, nil
}

// params are the parameters in force.
func (v *view) params(ctx context.Context) (economics.Params, error) {
	p, ok, err := read(ctx, v, state.ParamsKey(), state.DecodeParams)
	if err == nil && !ok {
		p = v.Genesis.Params
	}
	return p, err
}

// explainLedger adds what to try to what can go wrong between a command and the ledger.
func explainLedger(err error) error {
	var h hint
	var no *light.Rejected
	var silent node.Unreached
	switch {
	case err == nil, errors.As(err, &h), errors.Is(err, node.ErrNoLedger), errors.Is(err, node.ErrConfig):
		return err
	case errors.As(err, &silent) && silent.Foreign():
		return withHint(err, "the genesis file of that network with --genesis or ledger.genesis, and its name as `network`; or --peer with a peer of this one")
	case errors.As(err, &silent):
		return withHint(err, "`framemesh run` if the node is yours and is not running; otherwise --peer, or p2p.bootstrap, with the address of another node of the network")
	case errors.As(err, &no):
		return refusal(no.Code, no.Text)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, light.ErrGenesisHeader), errors.Is(err, light.ErrOtherNetwork):
		return withHint(err, "the genesis file of this very network, with --genesis or ledger.genesis; `framemesh ledger genesis check FILE` shows which one a file is")
	case errors.Is(err, light.ErrExpired), errors.Is(err, light.ErrRoot):
		return withHint(err, "ledger.trust_height and trust_hash of a recent block, from somebody you trust: `framemesh ledger block` prints them")
	case errors.Is(err, light.ErrFork):
		return withHint(err, "send nothing and tell the network's operators: somebody holds two thirds of the validators' keys")
	case errors.Is(err, light.ErrStale), errors.Is(err, light.ErrClock):
		return withHint(err, "set this machine's clock; if it is right, the network stands still: ask its operators")
	case errors.Is(err, light.ErrNoPeers):
		return withHint(err, "--peer with the address of a node that keeps the ledger; `framemesh run` prints its own")
	case errors.Is(err, light.ErrNotFull):
		return withHint(fmt.Errorf("none of the peers that were asked keeps the chain: %w", err), "--peer with the address of a full node or a validator")
	case errors.Is(err, light.ErrNotFound):
		return withHint(err, "again in a few seconds if it is new; otherwise check what was asked for")
	case errors.Is(err, light.ErrTooOld):
		return withHint(err, "--peer with a node that keeps all of the chain (ledger.keep_states = 0)")
	case errors.Is(err, light.ErrTooMany):
		return withHint(err, "a narrower question: --node with one container")
	case errors.Is(err, light.ErrBusy):
		return withHint(err, "again in a few seconds")
	case errors.Is(err, context.DeadlineExceeded):
		return withHint(err, "`framemesh run` on this machine, or --peer with the address of a node of the network; a longer --timeout on a slow line")
	}
	return withHint(err, "again, or another node with --peer")
}

// slow tells what is being waited for when it takes longer than a second. done ends it.
func slow(w io.Writer, what string) (done func()) {
	done, _ = telling(w, what)
	return done
}

// telling is slow for what also has to say how it goes: each sentence that is told comes on a
// line of its own, after what is being waited for. Nothing is written once done has returned.
func telling(w io.Writer, what string) (done func(), tell func(string)) {
	var mu sync.Mutex
	said, over := false, false
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if !said {
			said = true
			fmt.Fprintf(w, "… %s\n", what)
		}
		if text != "" {
			fmt.Fprintf(w, "… %s\n", text)
		}
	}
	t := time.AfterFunc(time.Second, func() { say("") })
	return func() {
		t.Stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}, say
}

// ownNodeKey is the identity of the node with this configuration. It is only made when the
// caller is about to use it for something.
func ownNodeKey(cfg node.Config, create bool) (k nodeKey, err error) {
	dir, err := cfg.Dir()
	if err != nil {
		return k, err
	}
	path := filepath.Join(dir, "node.key")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if !create {
			return k, withHint(fmt.Errorf("there is no node in %s yet", dir), "the id of the node that you mean, 12D3KooW…, or its --data-dir; `framemesh run` or `framemesh ledger keys` makes one here")
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return k, withHint(err, "a folder that you may write to, with --data-dir")
		}
	}
	priv, err := p2p.LoadOrCreateKey(path)
	if err != nil {
		return k, err
	}
	raw, err := priv.Raw()
	if err != nil {
		return k, fmt.Errorf("node key: %w", err)
	}
	return nodeKey(raw), nil
}

// nodeKey is a node's Ed25519 private key.
type nodeKey []byte

// id is the name of the node.
func (k nodeKey) id() key.Node { return key.Node(k[key.Size:]) }

// nodeArg is the node that an argument names: a peer id, or "own" or nothing for the node of
// the configuration.
func nodeArg(cfg node.Config, text string) (key.Node, error) {
	if text == "" || text == "own" {
		k, err := ownNodeKey(cfg, false)
		if err != nil {
			return key.Node{}, err
		}
		return k.id(), nil
	}
	n, err := key.ParseNode(text)
	if err != nil {
		return n, withHint(err, `a node's id, 12D3KooW…, as `+"`framemesh run`"+` prints it, or "own" for the node of this configuration`)
	}
	return n, nil
}

// validatorKeys are the public keys that a node of this configuration validates with; they
// are made when there are none.
func validatorKeys(cfg node.Config) (consensus, vrf [32]byte, err error) {
	dir, err := cfg.Dir()
	if err != nil {
		return consensus, vrf, err
	}
	if consensus, err = chain.ConsensusKey(node.LedgerDir(dir)); err != nil {
		return consensus, vrf, err
	}
	vrf, err = chain.VRFKey(node.LedgerDir(dir))
	return consensus, vrf, err
}
