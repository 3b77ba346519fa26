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
		Short:   "Check match certificates",
		Example: "  framemesh match verify match.b64",
	})
	c.AddCommand(matchVerify())
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
}

type choice struct {
	Container string           `json:"container"`
	Score     int64            `json:"score"`
	Parts     map[string]int64 `json:"parts"`
}

func matchVerify() *cobra.Command {
	var network string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Recompute a match certificate from the file alone",
		Long: `verify checks a certificate as the header Framemesh-Certificate of a WHEP answer holds
it (base64), or its bytes. FILE "-" is standard input.`,
		Example: `  framemesh match verify match.b64
  framemesh match verify --json --network main match.b64`,
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
			if asJSON {
				if err := printJSON(c.OutOrStdout(), v); err != nil {
					return err
				}
			} else if v.Valid {
				printVerified(c.OutOrStdout(), v)
			} else {
				fmt.Fprintf(c.ErrOrStderr(), "NOT VALID on network %s: %s\n  try: %s\n", v.Network, v.Why, tryAnother)
			}
			if !v.Valid {
				return errFailed
			}
			return nil
		},
	}
	c.Flags().StringVar(&network, "network", "", "the network it was made on (default: demo, then main)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
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
		v.Top = append(v.Top, choice{peer.ID(t.Container).String(), t.Score, partsOf(t.Parts)})
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
}
