// Package why tells in words what the ledger says about a node: what was found about it in
// the last epochs, what keeps it from being paid or matched, and what its owner can do. It
// decides nothing, and reads single records only, so that it works over proofs.
package why

import (
	"encoding/hex"
	"errors"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
)

// Values gets single records of one state; a light client's proofs are one source.
type Values func(key []byte) ([]byte, error)

// errRange: what is read here comes with a proof of its own, and a range has none.
var errRange = errors.New("why: only single records can be read")

var _ state.Reader = Values(nil)

// Get implements state.Reader.
func (v Values) Get(k []byte) ([]byte, error) { return v(k) }

// Range implements state.Reader; it always fails.
func (Values) Range(_, _ []byte, _ func(k, v []byte) bool) error { return errRange }

// Facts are what the ledger has about a node.
type Facts struct {
	Node  key.Node
	Epoch uint64 // that runs
	// NowMS is the time by the clock of whoever asks and NextMS when the epoch after Epoch and
	// its round begin, in unix ms; NowMS = 0 is not known. What is known of the ledger may be
	// older than NextMS.
	NowMS, NextMS uint64
	// Params are those in force.
	Params     economics.Params
	Registered bool
	Entry      state.Node // of a registered one, as the next two
	Stake      state.Stake
	Delegation bool   // the owner lets the node's key act for it
	Free       uint64 // base units that the owner can spend, of a registered node
	Standing   state.Standing
	Stood      bool // a round or the genesis has said something about it
	Conduct    state.Conduct
	Judged     bool // it has judged
	Away       state.Away
	NoSeat     bool // it has keys to validate, and has lost its seat for now, as Away says
	History    []state.Verdict
	// Accusations are the ones that are not decided, in the order of History.
	Accusations []Accused
}

// Accused is an accusation with its name.
type Accused struct {
	ID [32]byte
	state.Accusation
}

// Read collects the facts about a node from a state of that epoch.
func Read(r state.Reader, n key.Node, epoch uint64, p economics.Params) (Facts, error) {
	f := Facts{Node: n, Epoch: epoch, Params: p}
	var err error
	if f.Entry, f.Registered, err = get(r, state.NodeKey(n), state.DecodeNode); err != nil {
		return f, err
	}
	if f.Registered {
		if f.Stake, _, err = get(r, state.StakeKey(n), state.DecodeStake); err != nil {
			return f, err
		}
		d, ok, err := get(r, state.DelegationKey(f.Entry.Owner, n), state.DecodeDelegation)
		if err != nil {
			return f, err
		}
		f.Delegation = ok && epoch <= d.Expires
		account, _, err := get(r, state.AccountKey(f.Entry.Owner), state.DecodeAccount)
		if err != nil {
			return f, err
		}
		f.Free = account.Balance
	}
	if f.Standing, f.Stood, err = state.ReadStanding(r, n); err != nil {
		return f, err
	}
	empty, err := state.ReadEmpty(r)
	if err != nil {
		return f, err
	}
	f.Away, f.NoSeat = empty.Of(n)
	if f.Conduct, f.Judged, err = state.ReadConduct(r, n); err != nil {
		return f, err
	}
	if f.History, err = state.ReadHistory(r, n); err != nil {
		return f, err
	}
	for _, v := range f.History {
		if v.Verdict != state.VerdictAccused {
			continue
		}
		id := state.AccusationID(n, v.Epoch, v.Batch, economics.Offence(v.Reason))
		a, ok, err := state.ReadAccusation(r, id)
		if err != nil {
			return f, err
		}
		if ok {
			f.Accusations = append(f.Accusations, Accused{id, a})
		}
	}
	return f, nil
}

func get[T any](r state.Reader, k []byte, decode func([]byte) (T, error)) (v T, ok bool, err error) {
	b, err := r.Get(k)
	if err != nil || b == nil {
		return v, false, err
	}
	v, err = decode(b)
	return v, err == nil, err
}

// Report is what is told about a node.
type Report struct {
	Node       string    `json:"node"`
	Owner      string    `json:"owner,omitempty"`
	Roles      []string  `json:"roles"`
	Registered bool      `json:"registered"`
	Epoch      uint64    `json:"epoch"`
	Height     uint64    `json:"height"` // of the block whose state was read; 0 = unknown
	OK         bool      `json:"ok"`     // nothing keeps it from being paid and matched
	Findings   []Finding `json:"findings"`
	Verdicts   []Verdict `json:"verdicts"` // oldest first
	// Indexers are what indexers say of a container's matches: their word, unlike the rest.
	Indexers []Account `json:"indexers,omitempty"`
}

// What a Finding may be about.
const (
	AboutRegistry = "registration"
	AboutStake    = "stake"
	AboutStandby  = "standing_by"
	AboutPay      = "pay"
	AboutMatch    = "matching"
	AboutDuties   = "duties"
	AboutSlash    = "slash"
	AboutAccusal  = "accusation"
	AboutSeat     = "seat" // among the validators
)

// Finding is one thing that the node's owner wants to know.
type Finding struct {
	About string `json:"about"`
	// Code is stable, for machines: a name of docs/spec/proof.md section 8 where the thing
	// rests on a verdict, else one of docs/guides/why.md.
	Code string `json:"code"`
	// Reason is the number of the reason; 0 where the thing rests on no verdict.
	Reason uint32 `json:"reason,omitempty"`
	// Bad says that it costs something now; otherwise it is good to know.
	Bad      bool   `json:"bad"`
	Text     string `json:"text"`
	Next     string `json:"next,omitempty"` // what to do
	Epoch    uint64 `json:"epoch,omitempty"`
	Height   uint64 `json:"height,omitempty"`
	Evidence string `json:"evidence,omitempty"` // hash, hex
	ID       string `json:"id,omitempty"`       // of an accusation
	Session  string `json:"session,omitempty"`  // from which a container went, hex
}

// Verdict is one line of a node's history.
type Verdict struct {
	Epoch    uint64 `json:"epoch"`
	Batch    uint32 `json:"batch"`
	Role     string `json:"role"`
	Verdict  string `json:"verdict"`
	Reason   uint32 `json:"reason,omitempty"`
	Name     string `json:"reason_name,omitempty"`
	Text     string `json:"text"`
	Next     string `json:"next,omitempty"`
	RPMilli  uint64 `json:"rp_milli,omitempty"`
	Weight   uint64 `json:"weight,omitempty"` // in the epoch's reward; 0 = unpaid
	Evidence string `json:"evidence,omitempty"`
	Height   uint64 `json:"height"`
}

// Hex writes a digest; "" for none.
func Hex(d [32]byte) string {
	if d == ([32]byte{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// RoleNames are the roles that the ledger knows, in its order.
func RoleNames(r economics.Role) []string {
	out := []string{}
	for _, k := range []struct {
		role economics.Role
		name string
	}{{economics.RoleContainer, "container"}, {economics.RoleIndexer, "indexer"}, {economics.RoleChecker, "checker"}} {
		if r.Has(k.role) {
			out = append(out, k.name)
		}
	}
	return out
}

// Of tells the facts.
func Of(f Facts) Report {
	r := Report{Node: f.Node.String(), Registered: f.Registered, Epoch: f.Epoch, Roles: []string{}, Findings: []Finding{}, Verdicts: []Verdict{}}
	if f.Registered {
		r.Owner, r.Roles = f.Entry.Owner.String(), RoleNames(f.Entry.Roles)
	}
	for _, v := range f.History {
		r.Verdicts = append(r.Verdicts, VerdictOf(v))
	}
	r.OK = f.Registered
	r.Add(f.registry())
	r.Add(f.accusations())
	r.Add(f.acquitted())
	if f.Registered && f.Entry.Roles.Has(economics.RoleContainer) {
		r.Add(f.container())
	}
	if f.Registered && f.Entry.Roles.Has(economics.RoleChecker) {
		r.Add(f.checker())
	}
	return r
}

// Add puts findings behind those that there are.
func (r *Report) Add(more []Finding) {
	r.Findings = append(r.Findings, more...)
	for _, x := range more {
		r.OK = r.OK && !x.Bad
	}
}

// VerdictOf tells one verdict.
func VerdictOf(v state.Verdict) Verdict {
	out := Verdict{Epoch: v.Epoch, Batch: v.Batch, Role: "container", Reason: v.Reason, RPMilli: v.RPMilli, Weight: v.Weight,
		Evidence: v.Evidence.String(), Height: v.Height}
	checker := v.Role == economics.RoleChecker
	if checker {
		out.Role = "checker"
	}
	switch v.Verdict {
	case state.VerdictConvicted:
		out.Verdict, out.Text, out.Next = "convicted", "A fraud proof convicted the node.", "rerun it with `framemesh proof show "+out.Evidence+"`"
	case state.VerdictAccused, state.VerdictAcquitted:
		o := economics.Offence(v.Reason)
		out.Reason, out.Name = 0, o.String()
		out.Verdict, out.Text = "accused", "A committee accused the node: "+OffenceText(o)
		if v.Verdict == state.VerdictAcquitted {
			out.Verdict, out.Text = "acquitted", "The accusation was taken back: "+OffenceText(o)
		}
		return out
	case state.VerdictBanned:
		out.Verdict, out.Text = "banned", "The checker gets no duties for a while: its answers were contradicted."
	default:
		out.Verdict = proof.VerdictName(uint32(v.Verdict))
		out.Text = plainVerdict(uint32(v.Verdict), checker)
	}
	if i, ok := proof.Reason(v.Reason).Info(); ok {
		out.Name, out.Text, out.Next = i.Name, i.Text, i.Next
	}
	if out.Verdict == "ok" && !checker && v.Weight == 0 {
		out.Text = "What was checked is right; the round earned nothing."
	}
	return out
}

// VerdictText tells a verdict about a container, without its reason.
func VerdictText(v uint32) string { return plainVerdict(v, false) }

// plainVerdict is a verdict without a reason.
func plainVerdict(v uint32, checker bool) string {
	if checker {
		if v == proof.VerdictOK {
			return "The checker's answer agreed with what was found."
		}
		return "The checker's answer was contradicted."
	}
	switch v {
	case proof.VerdictOK:
		return "The container proved what it renders."
	case proof.VerdictLate:
		return "The commit came too late."
	case proof.VerdictBad:
		return "What the container committed to is wrong."
	case proof.VerdictAbsent:
		return "No commit came from the container."
	case proof.VerdictBusy:
		return "The container was in a session and keeps its score."
	case proof.VerdictRefused:
		return "What the container sent is no commit."
	}
	return "The checkers came to no verdict."
}

// OffenceText tells an offence in a sentence.
func OffenceText(o economics.Offence) string {
	switch o {
	case economics.OffenceIdle:
		return "It was offline while nothing ran."
	case economics.OffenceDrop:
		return "It was gone while a paid session ran."
	case economics.OffenceCapacity:
		return "It rendered less than it promised in its registration, in two rounds in a row."
	case economics.OffenceForged:
		return "What it signed about its rendering is forged."
	case economics.OffenceMatch:
		return "A match certificate of its does not recompute."
	case economics.OffenceCandidates:
		return "It forged the root of the candidates of a match."
	case economics.OffenceOracle:
		return "Its price quotes were far off the median."
	case economics.OffenceEquivocation:
		return "It signed two statements where one is allowed."
	case economics.OffenceDoubleSign:
		return "It signed two blocks of one height."
	case economics.OffenceVote:
		return "Its vote claims what its own checks contradict."
	}
	return "It broke a rule of the network."
}
