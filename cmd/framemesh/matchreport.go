package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node"
)

func matchReport() *cobra.Command {
	c := &cobra.Command{
		Use:   "report FILE",
		Short: "Report a wrong match certificate: its indexer loses stake, you get a part of it",
		Long: `report brings a match certificate before the ledger. Every node recomputes it: when it does not
follow from what stands in it, the indexer that signed it loses a third of its stake; when ads or
figures in it are forged, all. A quarter of that is yours. A report that convicts nobody costs the
bond, so the certificate is judged here first, by the same rules, and sent only if it convicts.

Nodes report what their gateways and containers are shown by themselves; this is for what you have
saved. FILE is as for match verify.`,
		Example: `  framemesh match verify --ledger match.b64
  framemesh match report match.b64 --wallet alice`,
		Args: oneArg("FILE"),
	}
	s := newSendFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		sealed, err := readCertificate(args[0], c.InOrStdin())
		if err != nil {
			return err
		}
		return s.send(c, order{what: "report the match certificate in " + args[0], ask: true,
			body: func(ctx context.Context, v *view, _ key.Address) (*tx.Body, error) {
				f, found, err := v.judgeMatch(ctx, sealed)
				if err != nil {
					return nil, explainMatch(err)
				}
				fmt.Fprintf(c.ErrOrStderr(), "it convicts %s, in epoch %d, of %q\n", found.Guilty, found.Epoch, found.Offence)
				return &tx.Body{Op: &tx.Body_Fraud{Fraud: f}}, nil
			},
			more: func(economics.Params, uint64) string {
				return "  `framemesh why` with the indexer's peer id shows what it cost"
			}})
	}
	return c
}

// judgeMatch says what a certificate convicts of, by what the ledger can prove.
func (v *view) judgeMatch(ctx context.Context, sealed []byte) (*tx.FraudProof, proof.Conviction, error) {
	return state.JudgeMatch(v.values(ctx), v.Genesis.ChainID, match.Rules{}, sealed)
}

// convictsAlone is the offence that a certificate shows without the ledger; "" for none.
func convictsAlone(sealed []byte, network string) string {
	rules := proof.Rules{Chain: network, Matcher: match.Rules{}}
	f, err := rules.ReportMatch(sealed)
	if err != nil {
		return ""
	}
	found, err := proof.Check(rules, f)
	if err != nil {
		return ""
	}
	return found.Offence.String()
}

// explainMatch says what to do about a certificate that convicts nobody.
func explainMatch(err error) error {
	for _, known := range []struct {
		is   error
		hint string
	}{
		{proof.ErrInnocent, "nothing: the indexer matched by the rules; `framemesh match verify` shows what it chose from"},
		{proof.ErrOld, "nothing where it is older than six epochs; where it names a block still to come, the same after that block"},
		{proof.ErrUnknown, "the whole certificate, and --config or --genesis of the network that it was made on"},
		{proof.ErrSignature, "--config or --genesis of the network that it was made on"},
		{proof.ErrMalformed, "the whole header Framemesh-Certificate of a WHEP answer"},
	} {
		if errors.Is(err, known.is) {
			return withHint(err, known.hint)
		}
	}
	return explainLedger(err)
}

// convictMatch reruns the proof that an indexer's certificate is wrong: by itself, and by what
// the ledger said where that can be asked.
func (f *verifyFlags) convictMatch(c *cobra.Command, cfg node.Config, file *proof.File, p *proven) error {
	got, err := file.Convict(proof.Rules{Matcher: match.Rules{}})
	if !errors.Is(err, proof.ErrUnknown) {
		p.found(got, err)
		return nil
	}
	if f.offline || cfg.Ledger.Genesis == "" || cfg.Network != p.Chain {
		p.Why = "The certificate recomputes by itself. Whether its figures and its draw are the ledger's, only that can say, and it was not asked."
		p.Next = "--genesis and --peer of the network " + p.Chain + ", without --offline"
		return nil
	}
	v, err := f.open(c)
	if err != nil {
		return err
	}
	defer v.close()
	_, got, err = v.judgeMatch(c.Context(), file.GetFraud().GetStatement())
	for _, verdict := range []error{nil, proof.ErrInnocent, proof.ErrOld, proof.ErrUnknown} {
		if errors.Is(err, verdict) {
			p.found(got, err)
			return nil
		}
	}
	return explainMatch(err)
}
