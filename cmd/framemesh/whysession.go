package main

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/state"
)

// sessionWhy is what the ledger says of a session.
type sessionWhy struct {
	Node    string      `json:"node"`
	Session string      `json:"session"`
	Open    bool        `json:"open"` // it excuses its container from rounds
	Text    string      `json:"text"`
	Next    string      `json:"next"`
	Record  *sessionRow `json:"record,omitempty"`
}

func (f *ledgerFlags) whySession(c *cobra.Command, name string) error {
	cfg, err := f.load(c)
	if err != nil {
		return err
	}
	n, id, err := sessionArg(cfg, "own", name)
	if err != nil {
		return err
	}
	v, err := f.open(c)
	if err != nil {
		return err
	}
	defer v.close()
	s, ok, err := read(c.Context(), v, state.SessionKey(n, id), state.DecodeSession)
	if err != nil {
		return err
	}
	out := sessionWhy{Node: n.String(), Session: hex.EncodeToString(id[:]), Open: ok}
	switch {
	case !ok:
		out.Text = "No such session is open with this container: it is settled, has expired, or its escrow was never locked. It excuses nobody from a round."
		out.Next = "`framemesh session list` shows the open ones; the settlement is in the block that closed it, and how good it was is on its container: `framemesh session quality`"
	case s.Phase == state.PhaseClosing:
		row := sessionRowOf(n, id, s)
		out.Record, out.Text = &row, fmt.Sprintf("The player asked to settle it: until epoch %d the container may present its newest voucher, then the rest of %s goes back.", s.Closes, frm(s.Escrow))
		out.Next = "on the container, `framemesh session close`; a node that runs does so by itself"
	default:
		row := sessionRowOf(n, id, s)
		out.Record, out.Text = &row, fmt.Sprintf("It is open since %s: %s of %s are promised for %d s. While it runs, its container is busy and keeps its score.", time.UnixMilli(int64(s.OpenedMS)).UTC().Format(time.RFC3339), frm(s.Paid), frm(s.Escrow), s.Covered)
		out.Next = fmt.Sprintf("nothing; it expires in epoch %d at the latest", s.Expires)
	}
	if f.json {
		return printJSON(c.OutOrStdout(), out)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "session %s with %s\n%s\n  try: %s\n", out.Session, out.Node, out.Text, out.Next)
	return err
}
