package main

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// errKey: an argument that names nothing in the state.
var errKey = errors.New("not a key of the state")

const tryKeys = "acct/frm1…, reg/12D3…, stake/12D3…, dele/frm1…/12D3…, sess/12D3…/SESSION, pool/NAME, seed/EPOCH, prop/ID, val/ADDRESS, coef, orac/frm1…, cert/EPOCH/BATCH, vest/frm1…/EPOCH/LENGTH, unb/frm1…/12D3…/EPOCH, param, network, total, head or hex:…"

// field is one line of a record; raw is what JSON has instead of value, "" the same.
type field struct{ name, value, raw string }

// record writes a value out for people; nil where only the bytes are known.
type record func(value []byte) ([]field, error)

// of makes a record of a decoder and of how to write what it gives.
func of[T any](decode func([]byte) (T, error), write func(T) []field) record {
	return func(b []byte) ([]field, error) {
		v, err := decode(b)
		if err != nil {
			return nil, err
		}
		return write(v), nil
	}
}

func text(name, v string) field         { return field{name: name, value: v} }
func num(name string, v uint64) field   { return text(name, strconv.FormatUint(v, 10)) }
func money(name string, v uint64) field { return field{name, frm(v), strconv.FormatUint(v, 10)} }
func flag(name string, v bool) field    { return text(name, strconv.FormatBool(v)) }
func at(name string, ms uint64) field {
	return text(name, time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano))
}
func bytesField(name string, b []byte) field { return text(name, hex.EncodeToString(b)) }

// parseKey reads a key as people write it.
func parseKey(words string) (k []byte, r record, err error) {
	parts := strings.Split(words, "/")
	p := &keyParts{rest: parts[1:]}
	switch kind := parts[0]; {
	case strings.HasPrefix(words, "hex:"):
		b, err := hex.DecodeString(words[len("hex:"):])
		if err != nil || len(b) == 0 || len(b) > light.MaxKey {
			return nil, nil, withHint(fmt.Errorf("%w: %q", errKey, words), fmt.Sprintf("hex: and 2 to %d hex digits", 2*light.MaxKey))
		}
		return b, nil, nil
	case kind == "acct":
		k, r = state.AccountKey(p.address()), of(state.DecodeAccount, accountFields)
	case kind == "reg" || kind == "node":
		k, r = state.NodeKey(p.node()), of(state.DecodeNode, nodeFields)
	case kind == "stake":
		k, r = state.StakeKey(p.node()), of(state.DecodeStake, func(s state.Stake) []field {
			return []field{money("amount", s.Amount), num("offences", uint64(s.Offences)), num("accused", uint64(s.Accused)), flag("jailed", s.Jailed), flag("tombstoned", s.Tombstoned)}
		})
	case kind == "dele":
		k, r = state.DelegationKey(p.address(), p.node()), of(state.DecodeDelegation, func(d state.Delegation) []field {
			return []field{num("expires_epoch", d.Expires), num("cut_ppm", uint64(d.CutPPM))}
		})
	case kind == "sess":
		k, r = state.SessionKey(p.node(), [16]byte(p.hex(tx.SessionSize))), of(state.DecodeSession, sessionFields)
	case kind == "vest":
		k, r = state.VestingKey(p.address(), p.number(math.MaxUint64), p.number(math.MaxUint64)), of(state.DecodeLot, func(l state.Lot) []field {
			return []field{money("held", l.Held), money("granted", l.Granted), money("may_leave_early", l.Early), num("early_epoch", l.From)}
		})
	case kind == "unb":
		k, r = state.UnbondingKey(p.address(), p.node(), p.number(math.MaxUint64)), of(state.DecodeUnbonding, func(u state.Unbonding) []field {
			return []field{money("amount", u.Amount)}
		})
	case kind == "orac":
		k, r = state.OracleKey(p.address()), of(state.DecodeDeviations, deviationFields)
	case kind == "seed":
		k, r = state.SeedKey(p.number(math.MaxUint64)), nil
	case kind == "cert":
		k, r = state.CertificateKey(p.number(math.MaxUint64), uint32(p.number(math.MaxUint32))), of(state.DecodeCertificate, func(c state.Certificate) []field {
			return []field{bytesField("result", c.Result[:]), text("submitter", c.Submitter.String()), num("height", c.Height), num("signers", uint64(c.Signers))}
		})
	case kind == "prop":
		k, r = state.ProposalKey(p.number(math.MaxUint64)), of(state.DecodeProposal, proposalFields)
	case kind == "val":
		k, r = state.ValidatorKey([20]byte(p.hex(20))), of(state.DecodeValidator, validatorFields)
	case kind == "pool":
		pool, ok := economics.ParsePool(p.next())
		p.bad = p.bad || !ok
		k, r = state.PoolKey(pool), poolFields
	case words == "param/network" || words == "network":
		return state.NetworkKey(), of(state.DecodeNetwork, networkFields), nil
	case words == "param/now" || words == "param" || words == "params":
		return state.ParamsKey(), of(state.DecodeParams, paramFields), nil
	case words == "total" || words == "total/now":
		return state.TotalsKey(), of(state.DecodeTotals, totalFields), nil
	case words == "away" || words == "away/now":
		return state.EmptyKey(), of(state.DecodeEmpty, emptyFields), nil
	case words == "coef" || words == "coef/now":
		return state.CoefficientKey(), of(state.DecodeCoefficient, coefficientFields), nil
	case words == "head" || words == "head/now":
		return state.HeadKey(), of(state.DecodeHead, headFields), nil
	default:
		p.bad = true
	}
	if p.bad || len(p.rest) > 0 {
		if p.why != nil {
			return nil, nil, fmt.Errorf("%w: %w", errKey, p.why)
		}
		return nil, nil, withHint(fmt.Errorf("%w: %q", errKey, words), tryKeys)
	}
	return k, r, nil
}

// keyParts takes what stands behind the first slash apart. After a part that does not fit,
// bad is set and all others are zero.
type keyParts struct {
	rest []string
	bad  bool
	why  error // of the first address or id that is mistyped; it says what to try
}

func (p *keyParts) next() string {
	if len(p.rest) == 0 {
		p.bad = true
		return ""
	}
	s := p.rest[0]
	p.rest = p.rest[1:]
	return s
}

func (p *keyParts) address() key.Address {
	a, err := key.ParseAddress(p.next())
	p.fail(err)
	return a
}

func (p *keyParts) node() key.Node {
	n, err := key.ParseNode(p.next())
	p.fail(err)
	return n
}

func (p *keyParts) fail(err error) {
	if err != nil && !p.bad {
		p.why = err
	}
	p.bad = p.bad || err != nil
}

func (p *keyParts) number(limit uint64) uint64 {
	v, err := strconv.ParseUint(p.next(), 10, 64)
	p.bad = p.bad || err != nil || v > limit
	return v
}

func (p *keyParts) hex(size int) []byte {
	b, err := hex.DecodeString(p.next())
	if err != nil || len(b) != size {
		p.bad = true
		return make([]byte, size)
	}
	return b
}

func accountFields(a state.Account) []field {
	return []field{money("balance", a.Balance), num("nonce", a.Nonce), num("nodes", uint64(a.Nodes))}
}

func nodeFields(n state.Node) []field {
	class := "edge"
	if n.Class == economics.ClassEnterprise {
		class = "enterprise"
	}
	f := []field{text("owner", n.Owner.String()), text("roles", roleText(n.Roles)), text("class", class), text("region", n.Region),
		num("price_micro_usd_per_hour", n.Price), num("registered_epoch", n.Registered)}
	if len(n.Subnets) > 0 {
		f = append(f, text("subnets", subnetText(n.Subnets)), num("subnets_from_epoch", n.Moved))
	}
	if n.Validates() {
		f = append(f, bytesField("consensus_key", n.Keys.Consensus[:]), bytesField("vrf_key", n.Keys.VRF[:]))
	}
	if n.Roles.Has(economics.RoleContainer) {
		r := n.Need
		f = append(f, money("container_stake", r.Amount), num("container_stake_from_epoch", r.From), money("container_stake_before", r.Before),
			num("container_stake_set_epoch", r.Set), num("container_stake_peak_rp_milli", r.Peak), flag("container_stake_measured", r.Measured))
	}
	if n.NextFrom != 0 {
		f = append(f, num("next_keys_from_epoch", n.NextFrom), bytesField("next_consensus_key", n.Next.Consensus[:]), bytesField("next_vrf_key", n.Next.VRF[:]))
	}
	return f
}

func deviationFields(d state.Deviations) []field {
	f := []field{num("off_total", d.Total), at("last_made", d.MadeMS), num("strikes", uint64(len(d.Epochs)))}
	for i, e := range d.Epochs {
		f = append(f, num("strike_epoch."+strconv.Itoa(i+1), e))
	}
	return f
}

func coefficientFields(x state.Coefficient) []field {
	return []field{money("coefficient", x.SC), num("next_epoch", x.Next), money("revenue", x.Sum()), num("revenue_day", x.Day)}
}

func sessionFields(s state.Session) []field {
	f := []field{text("player", s.Player.String()), text("owner", s.Owner.String()), text("phase", phaseText(s.Phase)), money("per_second", s.PerSecond),
		num("seconds", uint64(s.Seconds)), money("escrow", s.Escrow), num("price_micro_usd_per_hour", s.Price), money("per_usd", s.Rate),
		at("opened", s.OpenedMS), num("expires_epoch", s.Expires),
		num("voucher", s.Seq), num("covered_seconds", uint64(s.Covered)), money("paid", s.Paid)}
	if s.Closes != 0 {
		f = append(f, num("closes_epoch", s.Closes))
	}
	if s.Indexer != (key.Node{}) {
		f = append(f, text("indexer", s.Indexer.String()))
	}
	return f
}

func proposalFields(p state.Proposal) []field {
	f := []field{text("parameter", p.Parameter), num("value", p.Value), text("proposer", p.Proposer.String()), num("closes_epoch", p.Closes), num("activates_epoch", p.Activates)}
	for i, n := range p.Approvals {
		f = append(f, text("approval."+strconv.Itoa(i+1), n.String()))
	}
	return f
}

func emptyFields(e state.Empty) (out []field) {
	for _, a := range e {
		out = append(out, text("node", a.Node.String()), num("until_epoch", a.Until), num("missed", uint64(a.Missed)), num("blocks", uint64(a.Blocks)))
	}
	return out
}

func validatorFields(v state.Validator) []field {
	return []field{text("node", v.Node.String()), text("owner", v.Owner.String()), num("power", v.Power),
		bytesField("consensus_key", v.Keys.Consensus[:]), bytesField("vrf_key", v.Keys.VRF[:])}
}

func networkFields(n state.Network) []field {
	f := []field{text("chain", n.Chain), bytesField("genesis", n.Genesis[:]), at("time", n.GenesisMS), money("supply", n.Supply)}
	for i, o := range n.Oracles {
		f = append(f, text("oracle."+strconv.Itoa(i+1), o.String()))
	}
	return f
}

func paramFields(p economics.Params) []field {
	var f []field
	for _, name := range economics.ParamNames() {
		v, _ := p.Get(name)
		f = append(f, field{name, paramText(name, v), strconv.FormatUint(v, 10)})
	}
	return f
}

func totalFields(t state.Totals) []field {
	f := []field{money("balances", t.Balances), money("stakes", t.Stakes), money("unbonding", t.Unbonding), money("vesting", t.Vesting), money("escrow", t.Escrow), money("burned", t.Burned)}
	for _, p := range economics.Pools() {
		f = append(f, money("pool_"+p.String(), t.Pool(p)))
	}
	return f
}

// poolFields reads the layout, 1 byte, and the amount, 8 bytes.
func poolFields(b []byte) ([]field, error) {
	if len(b) != 9 || b[0] != 1 {
		return nil, fmt.Errorf("%w: a pool of %d bytes", state.ErrRecord, len(b))
	}
	return []field{money("amount", binary.BigEndian.Uint64(b[1:]))}, nil
}

func headFields(h state.Head) []field {
	return []field{num("height", h.Height), at("time", h.TimeMS), num("epoch", h.Epoch),
		bytesField("seed", h.Seed[:]), bytesField("proposer", h.Proposer[:]), num("candidates_frozen_to_epoch", h.Frozen), num("next_proposal", h.Proposal)}
}

// queryRow is the answer to a question, with what proves it.
type queryRow struct {
	Key    string            `json:"key"` // hex
	Exists bool              `json:"exists"`
	Value  string            `json:"value,omitempty"` // hex
	Height uint64            `json:"height"`          // the state after this block
	Record map[string]string `json:"record,omitempty"`
	Proof  *proofRow         `json:"proof,omitempty"`
	fields []field
}

// proofRow leads from a value to a header that can be checked elsewhere.
type proofRow struct {
	Root         string          `json:"root"` // of the state after the block
	HeaderHeight uint64          `json:"header_height"`
	HeaderHash   string          `json:"header_hash"`
	ICS23        string          `json:"ics23"` // hex of the marshalled CommitmentProof
	Header       json.RawMessage `json:"header"`
}

func ledgerQuery(l *ledgerFlags) *cobra.Command {
	var prove bool
	c := &cobra.Command{
		Use:   "query KEY",
		Short: "Prove what is under a key of the state, or that nothing is",
		Long: `query asks for one record and verifies the proof. KEY is ` + tryKeys + `.
With --prove the proof is shown: an ICS-23 commitment proof (IAVL) of key and value under the
root, which is the app hash of the header of the next block. Anybody who trusts that header's
hash can check it without this program.`,
		Example: `  framemesh ledger query acct/frm1…
  framemesh ledger query total --prove --json
  framemesh ledger query hex:746f74616c2f6e6f77`,
		Args: oneArg("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			k, rec, err := parseKey(args[0])
			if err != nil {
				return err
			}
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			p, err := v.Value(c.Context(), k)
			if err != nil {
				return explainLedger(err)
			}
			r := queryRow{Key: hex.EncodeToString(k), Exists: p.Value != nil, Value: hex.EncodeToString(p.Value), Height: p.Height}
			if rec != nil && p.Value != nil {
				if r.fields, err = rec(p.Value); err != nil {
					fmt.Fprintf(c.ErrOrStderr(), "warning: %v: a newer version of this program knows what it means\n", err)
				}
				r.Record = map[string]string{}
				for _, f := range r.fields {
					r.Record[f.name] = cmp.Or(f.raw, f.value)
				}
			}
			if prove {
				h, err := v.Header(c.Context(), p.Height+1)
				if err != nil {
					return explainLedger(err)
				}
				header, err := json.Marshal(h.Header)
				if err != nil {
					return err
				}
				r.Proof = &proofRow{hex.EncodeToString(h.AppHash), uint64(h.Height), hex.EncodeToString(h.Hash()), hex.EncodeToString(p.Proof), header}
			}
			if l.json {
				return printJSON(c.OutOrStdout(), r)
			}
			return r.print(c)
		},
	}
	c.Flags().BoolVar(&prove, "prove", false, "show root, header and proof")
	return c
}

func (r queryRow) print(c *cobra.Command) error {
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, f := range r.fields {
		fmt.Fprintf(t, "%s\t%s\n", f.name, f.value)
	}
	switch {
	case !r.Exists:
		fmt.Fprintf(t, "proven\tnothing is under this key after block %d\n", r.Height)
	case len(r.fields) == 0:
		fmt.Fprintf(t, "value\t%s\n", r.Value)
		fallthrough
	default:
		fmt.Fprintf(t, "proven\tafter block %d\n", r.Height)
	}
	if p := r.Proof; p != nil {
		fmt.Fprintf(t, "key\t%s\n", r.Key)
		if r.Exists {
			fmt.Fprintf(t, "value\t%s\n", r.Value)
		}
		fmt.Fprintf(t, "root\t%s\nheader\t%d\nheader hash\t%s\nproof\t%s\n", p.Root, p.HeaderHeight, p.HeaderHash, p.ICS23)
	}
	return t.Flush()
}
