package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node/why"
)

// certificateWhy is what became of a batch.
type certificateWhy struct {
	Epoch      uint64      `json:"epoch"`
	Batch      uint32      `json:"batch"`
	Certified  bool        `json:"certified"`
	Text       string      `json:"text"`
	Next       string      `json:"next,omitempty"`
	Attempt    uint32      `json:"attempt,omitempty"`
	Height     uint64      `json:"height,omitempty"`
	Result     string      `json:"result,omitempty"` // SHA-256
	Submitter  string      `json:"submitter,omitempty"`
	Signers    uint8       `json:"signers,omitempty"`
	Containers []entryWhy  `json:"containers,omitempty"`
	Members    []memberWhy `json:"members,omitempty"`
}

type entryWhy struct {
	Node       string `json:"node,omitempty"` // left out once the draw is not kept any more
	Verdict    string `json:"verdict"`
	Reason     uint32 `json:"reason,omitempty"`
	Name       string `json:"reason_name,omitempty"`
	Text       string `json:"text"`
	Next       string `json:"next,omitempty"`
	RPMilli    uint64 `json:"rp_milli,omitempty"`
	OfflinePPM uint32 `json:"offline_ppm"`
	QualityPPM uint32 `json:"quality_ppm,omitempty"`
	Evidence   string `json:"evidence,omitempty"`
}

type memberWhy struct {
	Node string `json:"node,omitempty"`
	Was  string `json:"was"` // correct, wrong, or unpaid
}

func (f *ledgerFlags) whyCertificate(c *cobra.Command, epoch uint64, batch uint32) error {
	v, err := f.open(c)
	if err != nil {
		return err
	}
	defer v.close()
	done := slow(c.ErrOrStderr(), "asking for the certificate")
	out, err := v.certificate(c.Context(), epoch, batch)
	done()
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), out)
	}
	return out.print(c.OutOrStdout())
}

func (v *view) certificate(ctx context.Context, epoch uint64, batch uint32) (certificateWhy, error) {
	out := certificateWhy{Epoch: epoch, Batch: batch}
	rec, ok, err := read(ctx, v, state.CertificateKey(epoch, batch), state.DecodeCertificate)
	if err != nil {
		return out, err
	}
	now := v.epoch()
	switch {
	case !ok && epoch > now:
		out.Text, out.Next = fmt.Sprintf("Epoch %d has not begun; it is %d.", epoch, now), "wait"
		return out, nil
	case !ok && epoch+1 >= now:
		out.Text, out.Next = "There is no certificate yet. Committees have until three quarters of the epoch, the reserve until its end, and the ledger takes it one epoch longer.", "again in a while"
		return out, nil
	case !ok:
		out.Text = "There is no certificate: too few checkers agreed in time, there was no such batch, or its record is not kept any more. Nobody is paid or punished for it."
		out.Next = "look at another batch; if many have none, too few checkers can be reached: `framemesh doctor` on yours"
		return out, nil
	}
	out.Certified, out.Height, out.Result, out.Submitter, out.Signers = true, rec.Height, hex.EncodeToString(rec.Result[:]), rec.Submitter.String(), rec.Signers
	res, err := v.resultIn(ctx, rec.Height, epoch, batch)
	if err != nil {
		return out, err
	}
	out.Attempt = res.Attempt
	out.Text = fmt.Sprintf("%d members attest it; whoever was proven in it is paid when epoch %d begins.", rec.Signers, epoch+2)
	out.Next = fmt.Sprintf("`framemesh proof verify %d/%d` counts the votes behind it again", epoch, batch)
	var containers, members []key.Node
	if a, _, err := v.assignment(ctx, epoch); err == nil && uint64(batch) < uint64(len(a.Batches)) {
		containers, members = a.Batches[batch].Containers, a.Batches[batch].Members(res.Attempt)
	}
	for i, e := range res.Entries {
		out.Containers = append(out.Containers, entryOf(e, containers, i))
	}
	for i := range members {
		was := "unpaid"
		if res.Correct>>i&1 == 1 {
			was = "correct"
		} else if res.Wrong>>i&1 == 1 {
			was = "wrong"
		}
		out.Members = append(out.Members, memberWhy{members[i].String(), was})
	}
	return out, nil
}

func entryOf(e proof.Entry, nodes []key.Node, i int) entryWhy {
	x := entryWhy{Verdict: proof.VerdictName(e.Verdict), Reason: uint32(e.Reason), Text: why.VerdictText(e.Verdict), RPMilli: e.RPMilli,
		OfflinePPM: e.OfflinePPM, QualityPPM: e.QualityPPM, Evidence: e.Evidence.String()}
	if i < len(nodes) {
		x.Node = nodes[i].String()
	}
	if info, ok := e.Reason.Info(); ok {
		x.Name, x.Text, x.Next = info.Name, info.Text, info.Next
	}
	return x
}

// resultIn takes the result of a batch from the block that has its certificate.
func (v *view) resultIn(ctx context.Context, height, epoch uint64, batch uint32) (*proof.Result, error) {
	b, err := v.Block(ctx, height)
	if err != nil {
		return nil, explainLedger(err)
	}
	for _, raw := range slices.Backward(b.Txs) {
		t, err := tx.Decode(raw)
		if err != nil {
			continue
		}
		op := t.Body.GetCertificate()
		if op == nil || op.GetEpoch() != epoch || op.GetBatch() != batch {
			continue
		}
		rec, ok, err := read(ctx, v, state.CertificateKey(epoch, batch), state.DecodeCertificate)
		if err != nil {
			return nil, err
		}
		if ok && rec.Result == sha256.Sum256(op.GetResult()) {
			return proof.DecodeResult(op.GetResult())
		}
	}
	return nil, withHint(fmt.Errorf("block %d does not hold the certificate", height), "another node with --peer")
}

func (o certificateWhy) print(w io.Writer) error {
	fmt.Fprintf(w, "epoch %d, batch %d: %s\n", o.Epoch, o.Batch, o.Text)
	if o.Next != "" {
		fmt.Fprintf(w, "  try: %s\n", o.Next)
	}
	if !o.Certified {
		return nil
	}
	fmt.Fprintf(w, "block %d, attempt %d, brought by %s, result %s\n\n", o.Height, o.Attempt, o.Submitter, o.Result)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTAINER\tVERDICT\tREASON\tRP\tOFFLINE\tWHY")
	for i, e := range o.Containers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d.%d %%\t%s\n", nonEmpty(e.Node, fmt.Sprintf("number %d", i)), e.Verdict, e.Name, milli(e.RPMilli), e.OfflinePPM/10_000, e.OfflinePPM%10_000/1_000, e.Text)
	}
	if err := t.Flush(); err != nil || len(o.Members) == 0 {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nCHECKER\tWAS")
	for _, m := range o.Members {
		fmt.Fprintf(t, "%s\t%s\n", m.Node, m.Was)
	}
	return t.Flush()
}
