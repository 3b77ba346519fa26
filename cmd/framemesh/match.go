package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

func matchCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:     "match",
		Short:   "Check match certificates, and report wrong ones",
		Example: "  framemesh match verify match.b64\n  framemesh match report match.b64 --wallet alice",
	})
	c.AddCommand(matchVerify(), matchReport())
	return c
}

type verified struct {
	Valid      bool     `json:"valid"`
	Why        string   `json:"why,omitempty"`
	Network    string   `json:"network"`
	Indexer    string   `json:"indexer,omitempty"`
	Drawn      []string `json:"drawn,omitempty"`
	Made       string   `json:"made,omitempty"`
	App        string   `json:"app_sha256,omitempty"`
	Candidates uint32   `json:"candidates"`
	Root       string   `json:"candidate_root,omitempty"`
	Top        []choice `json:"top,omitempty"`
	// Figures says whether what was measured was looked up: "ledger", or "not checked" for a
	// certificate that has figures; empty for one that has none.
	Figures string `json:"figures,omitempty"`
	// Convicts is the offence that the ledger would punish the indexer for; "" for none, or
	// where only the ledger could tell and was not asked.
	Convicts string `json:"convicts,omitempty"`
}

type choice struct {
	Container string           `json:"container"`
	Score     int64            `json:"score"`
	Parts     map[string]int64 `json:"parts"`
	Measured  *figures         `json:"measured,omitempty"`
}

// figures is what the ledger is said to have measured.
type figures struct {
	Height      uint64 `json:"height"`
	Epoch       uint64 `json:"epoch"`
	RPMilli     uint64 `json:"rp_milli"`
	QualityPPM  uint32 `json:"quality_ppm"`
	PriorityPPM uint32 `json:"priority_ppm"`
	ProvenUntil uint64 `json:"proven_until"`
}

const (
	figuresLedger    = "ledger"
	figuresUnchecked = "not checked"
)

func matchVerify() *cobra.Command {
	var network string
	var f ledgerFlags
	var onLedger bool
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Recompute a match certificate",
		Long: `verify checks a certificate as the header Framemesh-Certificate of a WHEP answer holds
it (base64), or its bytes. FILE "-" is standard input.

The file alone shows that the match follows from what is written in it. On networks with a
ledger it also says what checkers have measured of the machines; with --ledger that is looked
up, with proof, as long as the network keeps the state of that time.`,
		Example: `  framemesh match verify match.b64
  framemesh match verify --json --network main match.b64
  framemesh match verify --ledger --config /etc/framemesh.toml match.b64`,
		Args: oneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readCertificate(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			networks := []string{network}
			if network == "" {
				networks = []string{"demo", node.DefaultConfig().Network}
			}
			v := verifyOn(b, networks)
			if onLedger {
				if err := f.lookUp(c, b, &v); err != nil {
					return err
				}
			} else {
				v.Convicts = convictsAlone(b, v.Network)
			}
			if f.json {
				if err := printJSON(c.OutOrStdout(), v); err != nil {
					return err
				}
			} else if v.Valid {
				printVerified(c.OutOrStdout(), v)
			} else {
				fmt.Fprintf(c.ErrOrStderr(), "NOT VALID on network %s: %s\n", v.Network, v.Why)
				if v.Convicts != "" {
					fmt.Fprintf(c.ErrOrStderr(), "  the indexer loses stake for it (%s): whoever reports it gets a part\n", v.Convicts)
				}
				fmt.Fprintf(c.ErrOrStderr(), "  try: %s\n", v.hint())
			}
			if !v.Valid {
				return errFailed
			}
			return nil
		},
	}
	c.Flags().StringVar(&network, "network", "", "the network it was made on (default: demo, then main)")
	f.add(c)
	c.Flags().BoolVar(&onLedger, "ledger", false, "look up what was measured in the ledger of --config or --genesis")
	return c
}

// lookUp asks the ledger about a certificate: what it would convict of, and the figures of one
// that is right by itself.
func (f *ledgerFlags) lookUp(c *cobra.Command, sealed []byte, v *verified) error {
	l, err := f.open(c)
	if err != nil {
		return err
	}
	defer l.close()
	if _, found, err := l.judgeMatch(c.Context(), sealed); err == nil {
		v.Convicts = found.Offence.String()
	}
	cert, err := match.Verify(sealed, v.Network)
	if err != nil {
		return nil // v says why
	}
	if l.cfg.Network != v.Network {
		return withHint(fmt.Errorf("the certificate is of the network %q, the ledger of %q", v.Network, l.cfg.Network), "--config or --genesis of that network")
	}
	switch err := match.CheckFigures(c.Context(), node.FiguresOf(l.Client), cert); {
	case errors.Is(err, match.ErrFigures):
		v.Valid, v.Why, v.Figures = false, err.Error(), figuresLedger
	case err != nil:
		return withHint(err, "again, or --peer with a node that keeps states of that time (ledger.keep_states)")
	default:
		v.Figures = figuresLedger
	}
	return nil
}

// hint is what to do about a certificate that does not hold.
func (v verified) hint() string {
	switch {
	case v.Convicts != "":
		return "do not believe this match; `framemesh match report FILE` reports it while the ledger remembers, some epochs"
	case v.Figures == figuresLedger:
		return "do not believe this match: its indexer made up what was measured"
	}
	return tryAnother
}

const tryAnother = "--network with the network it was made on, and the whole header Framemesh-Certificate; otherwise do not believe this match"

// verifyOn takes the first network that the certificate holds on. When it holds on none,
// the answer is that of the network that it was sealed for, if it is one of them.
func verifyOn(b []byte, networks []string) verified {
	var best verified
	for i, n := range networks {
		v, sealed := verify(b, n)
		if v.Valid {
			return v
		}
		if i == 0 || sealed {
			best = v
		}
		if sealed {
			return best
		}
	}
	best.Network = strings.Join(networks, " or ")
	return best
}

// readCertificate reads the binary form or base64 text of it.
func readCertificate(path string, in io.Reader) ([]byte, error) {
	r := in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, withHint(err, "a file that holds the header Framemesh-Certificate of a WHEP answer")
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, 2*match.MaxCertificateBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > 2*match.MaxCertificateBytes {
		return nil, withHint(errors.New("the file is too large for a match certificate"), "another file")
	}
	if t, err := base64.StdEncoding.DecodeString(headerValue(string(b))); err == nil && len(t) > 0 {
		return t, nil
	}
	return b, nil
}

// headerValue is what follows the header's name, where a whole line was saved.
func headerValue(s string) string {
	if name, value, ok := strings.Cut(s, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "Framemesh-Certificate") {
		s = value
	}
	return strings.TrimSpace(s)
}

// verify also says whether the certificate was sealed for this network, whatever else
// is wrong with it.
func verify(b []byte, network string) (v verified, sealed bool) {
	v.Network = network
	c, err := match.Verify(b, network)
	if err != nil {
		v.Why = err.Error()
		return v, !errors.Is(err, seal.ErrSignature) && !errors.Is(err, seal.ErrDecode)
	}
	v.Valid, v.Indexer, v.Candidates = true, peer.ID(c.Indexer).String(), c.Candidates
	v.Made, v.Root = time.UnixMilli(int64(c.MadeMs)).UTC().Format(time.RFC3339Nano), hex.EncodeToString(c.CandidateRoot)
	for _, d := range c.Drawn {
		v.Drawn = append(v.Drawn, peer.ID(d).String())
	}
	if r, err := match.Request(c); err == nil {
		v.App = hex.EncodeToString(r.AppSha256)
	}
	for _, t := range c.Top {
		one := choice{Container: peer.ID(t.Container).String(), Score: t.Score, Parts: partsOf(t.Parts)}
		if m := t.Measured; m != nil {
			one.Measured = &figures{m.Height, m.Epoch, m.RpMilli, m.QualityPpm, m.PriorityPpm, m.ProvenUntil}
			v.Figures = figuresUnchecked
		}
		v.Top = append(v.Top, one)
	}
	return v, true
}

func partsOf(p *wire.ScoreParts) map[string]int64 {
	return map[string]int64{"price": p.GetPrice(), "latency": p.GetLatency(), "quality": p.GetQuality(), "idle": p.GetIdle(), "stake": p.GetStake()}
}

func printVerified(w io.Writer, v verified) {
	fmt.Fprintf(w, "valid: signature, draw, ads, filters, scores and order agree\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "network\t%s\nindexer\t%s\nmade\t%s\napp\t%s\ncandidates\t%d under root %s…\n", v.Network, v.Indexer, v.Made, v.App, v.Candidates, v.Root[:16])
	t.Flush()
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nRANK\tCONTAINER\tSCORE\tPRICE\tLATENCY\tQUALITY\tIDLE\tSTAKE")
	for i, c := range v.Top {
		fmt.Fprintf(t, "%d\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", i+1, c.Container, c.Score, c.Parts["price"], c.Parts["latency"], c.Parts["quality"], c.Parts["idle"], c.Parts["stake"])
	}
	t.Flush()
	switch v.Figures {
	case figuresLedger:
		if v.Convicts != "" {
			fmt.Fprintf(w, "\nand yet the ledger convicts its indexer (%s): `framemesh match report FILE`\n", v.Convicts)
		}
		fmt.Fprintln(w, "\nwhat was measured is what the ledger says:")
	case figuresUnchecked:
		fmt.Fprintln(w, "\nwhat was measured, by the indexer's word (--ledger looks it up):")
	default:
		return
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RANK\tRENDERPOINTS\tQUALITY\tPRIORITY\tPROVEN UNTIL\tEPOCH\tBLOCK")
	for i, c := range v.Top {
		if m := c.Measured; m != nil {
			fmt.Fprintf(t, "%d\t%d.%03d\t%d %%\t%d %%\t%d\t%d\t%d\n", i+1, m.RPMilli/1000, m.RPMilli%1000, m.QualityPPM/10_000, m.PriorityPPM/10_000, m.ProvenUntil, m.Epoch, m.Height)
		}
	}
	t.Flush()
}
