package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/container"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node"
)

// maxSessions is how many sessions one list proves.
const maxSessions = 1_000

func sessionCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "session",
		Short: "See and close paid sessions, and see how good those of this machine were",
		Example: `  framemesh session list
  framemesh session quality
  framemesh session close 6f1e… --yes`,
	})
	s := &sendFlags{ledgerFlags: &ledgerFlags{}, walletFlags: &walletFlags{}}
	s.ledgerFlags.add(c)
	s.walletFlags.add(c)
	c.AddCommand(sessionList(s.ledgerFlags), sessionQuality(s.ledgerFlags), sessionClose(s))
	return c
}

// sessionRow is an escrow on the ledger.
type sessionRow struct {
	Session   string      `json:"session"`
	Container key.Node    `json:"container"`
	Player    key.Address `json:"player"`
	Owner     key.Address `json:"owner"` // is paid
	Phase     string      `json:"phase"` // open or closing
	Opened    string      `json:"opened"`
	PerSecond units       `json:"per_second"`
	Seconds   uint32      `json:"seconds"`
	Escrow    units       `json:"escrow"`
	Covered   uint32      `json:"covered_seconds"` // by the newest voucher on the ledger
	Paid      units       `json:"paid"`
	Expires   uint64      `json:"expires_epoch"`
	Closes    uint64      `json:"closes_epoch,omitempty"`
	// Due is what the newest voucher on this machine promises, where this machine has it.
	Due *units `json:"due,omitempty"`
}

func phaseText(p state.Phase) string {
	if p == state.PhaseClosing {
		return "closing"
	}
	return "open"
}

func sessionRowOf(n key.Node, name [16]byte, s state.Session) sessionRow {
	return sessionRow{Session: hex.EncodeToString(name[:]), Container: n, Player: s.Player, Owner: s.Owner, Phase: phaseText(s.Phase),
		Opened: time.UnixMilli(int64(s.OpenedMS)).UTC().Format(time.RFC3339), PerSecond: units(s.PerSecond), Seconds: s.Seconds,
		Escrow: units(s.Escrow), Covered: s.Covered, Paid: units(s.Paid), Expires: s.Expires, Closes: s.Closes}
}

func sessionList(l *ledgerFlags) *cobra.Command {
	var id string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the open sessions of a container, each proven",
		Long: `list shows the escrows that are open with a container: by default the node of this
configuration, whose own notes of what is still to be settled are looked at, too. That a
session is listed is proven; that none is missing is what the peers say that were asked.`,
		Example: `  framemesh session list
  framemesh session list --node 12D3KooW… --json
  framemesh session list --node all`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := l.load(c)
			if err != nil {
				return err
			}
			prefix := keyPrefix(state.SessionKey(key.Node{}, [16]byte{}), key.Size+tx.SessionSize)
			if id != "all" {
				n, err := nodeArg(cfg, id)
				if err != nil {
					return err
				}
				prefix = keyPrefix(state.SessionKey(n, [16]byte{}), tx.SessionSize)
			}
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			done := slow(c.ErrOrStderr(), "asking for proofs")
			rows, listed, err := v.sessions(c.Context(), prefix)
			done()
			if err != nil {
				return err
			}
			if l.json {
				return printJSON(c.OutOrStdout(), map[string]any{"sessions": rows, "listed": listed, "height": v.Head().Height, "epoch": v.epoch(), "symbol": v.Genesis.Symbol})
			}
			return printSessions(c, rows, listed)
		},
	}
	c.Flags().StringVar(&id, "node", "", `the container, or "all" (default: the node of this configuration)`)
	return c
}

// sessions reads the sessions under a prefix. Those that the node of this configuration has
// still to settle are known without asking; listed says whether peers told the others.
func (v *view) sessions(ctx context.Context, prefix []byte) (rows []sessionRow, listed bool, err error) {
	keys, listed, err := v.keysOf(ctx, prefix)
	if err != nil {
		return nil, listed, err
	}
	own, mine, dues := v.ownDues()
	for _, name := range mine {
		if k := state.SessionKey(own, name); bytes.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	if len(keys) > maxSessions {
		return nil, listed, withHint(fmt.Errorf("there are %d sessions", len(keys)), "--node with one container")
	}
	rows = []sessionRow{}
	at := len(keyPrefix(state.SessionKey(key.Node{}, [16]byte{}), key.Size+tx.SessionSize))
	for _, k := range keys {
		if len(k) != at+key.Size+tx.SessionSize {
			continue
		}
		n, name := key.Node(k[at:at+key.Size]), [16]byte(k[at+key.Size:])
		s, ok, err := read(ctx, v, k, state.DecodeSession)
		if err != nil {
			return nil, listed, err
		}
		if !ok {
			continue // settled since
		}
		row := sessionRowOf(n, name, s)
		if n == own {
			if w, err := container.ReadDue(dues, name); err == nil {
				u := units(w.GetPaid())
				row.Due = &u
			}
		}
		rows = append(rows, row)
	}
	return rows, listed, nil
}

// ownDues are the sessions that the node of this configuration has still to settle, and
// where it keeps them.
func (v *view) ownDues() (own key.Node, sessions [][16]byte, dir string) {
	k, err := ownNodeKey(v.cfg, false)
	if err != nil {
		return own, nil, ""
	}
	if dir, err = duesDir(v.cfg); err != nil {
		return own, nil, ""
	}
	sessions, _ = container.Dues(dir)
	return k.id(), sessions, dir
}

// duesDir is where a container keeps the newest voucher of each session.
func duesDir(cfg node.Config) (string, error) {
	dir, err := cfg.Dir()
	return filepath.Join(dir, "dues"), err
}

func printSessions(c *cobra.Command, rows []sessionRow, listed bool) error {
	if len(rows) > 0 {
		t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "SESSION\tCONTAINER\tPLAYER\tPHASE\tOPENED\tESCROW\tPAID\tON THIS MACHINE")
		for _, r := range rows {
			due := ""
			if r.Due != nil {
				due = frm(uint64(*r.Due))
			}
			phase := r.Phase
			if r.Closes != 0 {
				phase = fmt.Sprintf("closing until epoch %d", r.Closes)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Session, r.Container, r.Player, phase, r.Opened, frm(uint64(r.Escrow)), frm(uint64(r.Paid)), due)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(c.OutOrStdout(), "no open session is known")
	}
	if !listed {
		fmt.Fprintln(c.ErrOrStderr(), "only what this machine has still to settle was looked for: no peer that was asked lists sessions")
	}
	return nil
}

// sessionArg reads SESSION, or NODE/SESSION.
func sessionArg(cfg node.Config, id, text string) (n key.Node, name [16]byte, err error) {
	if front, rest, ok := strings.Cut(text, "/"); ok {
		id, text = front, rest
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != tx.SessionSize {
		return n, name, withHint(fmt.Errorf("%q is no session", text), "32 hex digits, as `framemesh session list` shows them")
	}
	n, err = nodeArg(cfg, id)
	return n, [16]byte(b), err
}

func sessionClose(s *sendFlags) *cobra.Command {
	var id string
	c := &cobra.Command{
		Use:   "close SESSION",
		Short: "Settle a session, as its container, or ask to, as its player",
		Long: `close settles a session of the node of this configuration by the node's key, with the
newest voucher that is on this machine. A node that runs does so by itself: this is for one
that will not run again. With --wallet it is closed by a key of the wallet: the container's
owner settles it too; the player opens a window in which the container may still present
its newest voucher, and gets the rest of the escrow when the window ends.`,
		Example: `  framemesh session close 6f1e0c… --yes
  framemesh session close 12D3KooW…/6f1e0c… --wallet player-1`,
		Args: oneArg("SESSION"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := s.load(c)
			if err != nil {
				return err
			}
			n, name, err := sessionArg(cfg, id, args[0])
			if err != nil {
				return err
			}
			if s.wallet == "" {
				return s.closeByNode(c, cfg, n, name)
			}
			return s.closeByWallet(c, cfg, n, name)
		},
	}
	s.addWallet(c)
	c.Flags().Lookup("wallet").Usage = "the key of the player, or of the container's owner (default: the node's own key)"
	c.Flags().StringVar(&id, "node", "", "the container (default: the node of this configuration)")
	return c
}

// closing is a session that is about to be closed.
type closing struct {
	state.Session
	body *tx.Body
	paid uint64 // base units, by the newest voucher
}

// closing reads a session and puts its close together. The voucher on this machine is
// presented when it promises more than the ledger's and the container's side closes.
func (v *view) closing(ctx context.Context, n key.Node, name [16]byte, player key.Address) (closing, error) {
	rec, ok, err := read(ctx, v, state.SessionKey(n, name), state.DecodeSession)
	if err != nil {
		return closing{}, err
	}
	if !ok {
		return closing{}, withHint(fmt.Errorf("there is no session %x with %s; it is settled, has expired, or never was", name, n), "`framemesh session list`")
	}
	op := &tx.CloseSession{Container: n[:], Session: name[:]}
	out := closing{rec, &tx.Body{Op: &tx.Body_Close{Close: op}}, rec.Paid}
	if player == rec.Player {
		return out, nil
	}
	dir, err := duesDir(v.cfg)
	if err != nil {
		return out, err
	}
	w, err := container.ReadDue(dir, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, withHint(fmt.Errorf("the voucher of the session: %w", err), "a copy of the folder "+dir)
	}
	if w.GetPaid() > rec.Paid {
		op.Voucher, out.paid = w, w.GetPaid()
	}
	return out, nil
}

// text says what closing it does.
func (x closing) text(name [16]byte, byPlayer bool) string {
	if byPlayer {
		return fmt.Sprintf("close session %x: the container has until its window ends to present its newest voucher, then the rest of %s goes back", name, frm(x.Escrow))
	}
	return fmt.Sprintf("settle session %x: %s of %s for the container, the rest back to the player, for good", name, frm(x.paid), frm(x.Escrow))
}

func (s *sendFlags) closeByNode(c *cobra.Command, cfg node.Config, n key.Node, name [16]byte) error {
	k, err := ownNodeKey(cfg, false)
	if err != nil {
		return err
	}
	if k.id() != n {
		return withHint(fmt.Errorf("the node of this configuration is %s, not %s", k.id(), n), "--data-dir of that node, or --wallet with the key of its owner or of the player")
	}
	v, err := s.openToSend(c)
	if err != nil {
		return err
	}
	defer v.close()
	x, err := v.closing(c.Context(), n, name, key.Address{})
	if err != nil {
		return err
	}
	if d, ok, err := read(c.Context(), v, state.DelegationKey(x.Owner, n), state.DecodeDelegation); err != nil {
		return err
	} else if !ok || d.Expires < v.epoch() {
		return withHint(fmt.Errorf("%s does not let the node's key act for it", x.Owner), "`framemesh delegate`, or --wallet with that account's key")
	}
	what := x.text(name, false)
	if err := confirm(c, s.yes, what); err != nil {
		return err
	}
	return s.carry(c, v, k, x.Owner, x.body, order{what: what})
}

func (s *sendFlags) closeByWallet(c *cobra.Command, cfg node.Config, n key.Node, name [16]byte) error {
	w, err := s.walletFlags.open(c, s.ledgerFlags)
	if err != nil {
		return err
	}
	e, err := s.choose(w, s.wallet)
	if err != nil {
		return err
	}
	v, err := s.openToSend(c)
	if err != nil {
		return err
	}
	defer v.close()
	x, err := v.closing(c.Context(), n, name, e.Address)
	if err != nil {
		return err
	}
	if e.Address != x.Player && e.Address != x.Owner {
		return withHint(fmt.Errorf("the session is between %s and %s; %s is neither", x.Player, x.Owner, e.Name), "--wallet with the key of one of them")
	}
	what := x.text(name, e.Address == x.Player)
	if err := confirm(c, s.yes, what); err != nil {
		return err
	}
	k, err := s.unlock(c, w, e.Name)
	if err != nil {
		return err
	}
	return s.carry(c, v, k, e.Address, x.body, order{what: what})
}
