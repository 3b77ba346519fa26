package tx

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// Description is a transaction for people and for --json: keys as their texts, other bytes
// as hex, amounts in FRM with every decimal that counts.
type Description struct {
	Hash         string  `json:"hash"`
	Operation    string  `json:"operation"`
	Signer       string  `json:"signer"`
	Account      string  `json:"account,omitempty"` // when a delegate acts for it
	Nonce        uint64  `json:"nonce,string"`
	ValidUntilMS uint64  `json:"valid_until_ms,omitempty"`
	Fields       []Field `json:"-"` // of the operation, in the order of the specification
}

// Field is one line of a Description.
type Field struct {
	Name  string
	Value string
}

// MarshalJSON puts the operation's fields into one object, in their order.
func (d Description) MarshalJSON() ([]byte, error) {
	type plain Description
	head, err := json.Marshal(plain(d))
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.Write(head[:len(head)-1])
	b.WriteString(`,"fields":{`)
	for i, f := range d.Fields {
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteString("}}")
	return []byte(b.String()), nil
}

// String is one line for each field.
func (d Description) String() string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-24s %s\n", name, value) }
	line("operation", d.Operation)
	line("hash", d.Hash)
	line("signer", d.Signer)
	if d.Account != "" {
		line("account", d.Account)
	}
	line("nonce", strconv.FormatUint(d.Nonce, 10))
	if d.ValidUntilMS != 0 {
		line("valid_until_ms", strconv.FormatUint(d.ValidUntilMS, 10))
	}
	for _, f := range d.Fields {
		line(f.Name, f.Value)
	}
	return b.String()
}

// Describe renders a transaction that Decode took.
func (t *Tx) Describe() Description {
	d := Description{
		Hash: hex.EncodeToString(t.Hash[:]), Operation: t.Name(), Signer: t.Signer.String(),
		Nonce: t.Body.GetNonce(), ValidUntilMS: t.Body.GetValidUntilMs(),
	}
	if t.Delegated() {
		d.Account = t.Account.String()
	}
	var w writer
	switch op := t.Body.GetOp().(type) {
	case *Body_Claim:
		if v := op.Claim.GetEarly(); v != 0 {
			w.money("early", v)
		}
	case *Body_Transfer:
		w.account("to", op.Transfer.GetTo())
		w.money("amount", op.Transfer.GetAmount())
		w.text("memo", op.Transfer.GetMemo())
	case *Body_Register:
		w.register(op.Register)
	case *Body_Retire:
		w.node("node", op.Retire.GetNode())
	case *Body_Delegate:
		w.node("node", op.Delegate.GetNode())
		w.number("expires_epoch", op.Delegate.GetExpiresEpoch())
		w.number("cut_ppm", uint64(op.Delegate.GetCutPpm()))
	case *Body_Revoke:
		w.node("node", op.Revoke.GetNode())
	case *Body_Stake:
		w.node("node", op.Stake.GetNode())
		w.money("amount", op.Stake.GetAmount())
	case *Body_Unbond:
		w.node("node", op.Unbond.GetNode())
		w.money("amount", op.Unbond.GetAmount())
	case *Body_Open:
		w.open(op.Open)
	case *Body_TopUp:
		w.node("container", op.TopUp.GetContainer())
		w.hex("session", op.TopUp.GetSession())
		w.number("seconds", uint64(op.TopUp.GetSeconds()))
	case *Body_Close:
		w.node("container", op.Close.GetContainer())
		w.close("", op.Close)
	case *Body_BatchClose:
		w.node("container", op.BatchClose.GetSessions()[0].GetContainer())
		for i, s := range op.BatchClose.GetSessions() {
			w.close(strconv.Itoa(i+1)+".", s)
		}
	case *Body_VoteCommit:
		w.number("epoch", op.VoteCommit.GetEpoch())
		w.number("batch", uint64(op.VoteCommit.GetBatch()))
		w.hex("digest", op.VoteCommit.GetDigest())
	case *Body_Certificate:
		w.number("epoch", op.Certificate.GetEpoch())
		w.number("batch", uint64(op.Certificate.GetBatch()))
		w.hex("result", op.Certificate.GetResult())
		for i, a := range op.Certificate.Attestations() {
			w.number("attestation."+strconv.Itoa(i+1), uint64(a.Place))
		}
	case *Body_Fraud:
		w.text("kind", [...]string{"", "tile", "path", "segment", "match", "commit", "second", "vote", "votes"}[op.Fraud.GetKind()])
		w.node("subject", op.Fraud.GetSubject())
		w.number("epoch", op.Fraud.GetEpoch())
		w.hex("statement", op.Fraud.GetStatement())
		w.hex("evidence", op.Fraud.GetEvidence())
	case *Body_DoubleVote:
		w.node("checker", op.DoubleVote.GetChecker())
		w.number("epoch", op.DoubleVote.GetEpoch())
		w.number("batch", uint64(op.DoubleVote.GetBatch()))
		w.hex("result_a", op.DoubleVote.GetResultA())
		w.hex("result_b", op.DoubleVote.GetResultB())
	case *Body_Propose:
		w.text("parameter", op.Propose.GetParameter())
		w.number("value", op.Propose.GetValue())
	case *Body_Approve:
		w.number("proposal", op.Approve.GetProposal())
	case *Body_Appeal:
		w.hex("accusation", op.Appeal.GetAccusation())
	}
	d.Fields = w
	return d
}

type writer []Field

func (w *writer) text(name, s string) {
	if s != "" {
		*w = append(*w, Field{name, s})
	}
}

func (w *writer) number(name string, v uint64) { w.text(name, strconv.FormatUint(v, 10)) }

func (w *writer) hex(name string, b []byte) { w.text(name, hex.EncodeToString(b)) }

func (w *writer) money(name string, v uint64) { w.text(name, amount.Amount(v).String()) }

func (w *writer) account(name string, b []byte) { w.text(name, key.Address(b).String()) }

func (w *writer) node(name string, b []byte) { w.text(name, key.Node(b).String()) }

func (w *writer) register(r *Register) {
	w.node("node", r.GetNode())
	var roles []string
	for i, name := range []string{"container", "indexer", "checker"} {
		if r.GetRoles()&(1<<i) != 0 {
			roles = append(roles, name)
		}
	}
	w.text("roles", strings.Join(roles, " "))
	w.text("region", r.GetRegion())
	w.number("price_micro_usd_per_hour", r.GetPriceMicroUsdPerHour())
	w.text("hardware_class", [...]string{"edge", "enterprise"}[r.GetHardwareClass()])
	if r.GetClaimRpMilli() != 0 {
		w.number("claim_rp_milli", r.GetClaimRpMilli())
	}
	for i, b := range r.GetSubnets() {
		w.text("subnet."+strconv.Itoa(i+1), subnet.Subnet(b).String())
	}
	w.hex("vrf_key", r.GetVrfKey())
	w.hex("consensus_key", r.GetConsensusKey())
}

func (w *writer) open(o *OpenSession) {
	w.node("container", o.GetContainer())
	w.hex("session", o.GetSession())
	w.number("price_micro_usd_per_hour", o.GetPriceMicroUsdPerHour())
	for i, raw := range o.GetQuotes() {
		if q, err := quote.Decode(raw); err == nil { // Decode of the transaction has seen to it
			w.text("quote."+strconv.Itoa(i+1), amount.Amount(q.PerUSD).String()+" per dollar by "+q.Oracle.String())
		}
	}
	w.money("per_second", o.GetPerSecond())
	w.number("seconds", uint64(o.GetSeconds()))
	if total, err := Escrow(o.GetPerSecond(), o.GetSeconds()); err == nil {
		w.text("escrow", total.String())
	}
	if len(o.GetIndexer()) != 0 {
		w.node("indexer", o.GetIndexer())
	}
	w.hex("certificate", o.GetCertificate())
}

func (w *writer) close(prefix string, c *CloseSession) {
	w.hex(prefix+"session", c.GetSession())
	v := c.GetVoucher()
	if v == nil {
		w.text(prefix+"paid", "0")
		return
	}
	w.number(prefix+"voucher", v.GetSeq())
	w.number(prefix+"seconds", uint64(v.GetSeconds()))
	w.money(prefix+"paid", v.GetPaid())
}
