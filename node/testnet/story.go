package testnet

import (
	"fmt"
	"strconv"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node/why"
)

// How a Happening is meant.
const (
	ToneGood = "good"
	ToneBad  = "bad"
	ToneNote = "note"
)

// Happening is one thing that happened in the rounds, as the ledger has it.
type Happening struct {
	Height   uint64 `json:"height"`
	Epoch    uint64 `json:"epoch"`          // that it is about
	Kind     string `json:"kind"`           // the event's, see docs/spec/ledger-state.md
	Name     string `json:"name,omitempty"` // of the peer, such as container-1
	Node     string `json:"node,omitempty"` // its id
	Tone     string `json:"tone"`
	Code     string `json:"code,omitempty"` // of the reason
	Reason   uint32 `json:"reason,omitempty"`
	Text     string `json:"text"`
	Evidence string `json:"evidence,omitempty"` // hash
	Amount   uint64 `json:"amount,string,omitempty"`
	Reporter string `json:"reporter,omitempty"` // who proved it: a peer's name, or an account
	Session  string `json:"session,omitempty"`  // that an accusation names
}

// Container is how a container stands.
type Container struct {
	Name    string `json:"name"`
	Node    string `json:"node"`
	Epoch   uint64 `json:"epoch"` // of the verdict
	Verdict string `json:"verdict"`
	Code    string `json:"code,omitempty"`
	Reason  uint32 `json:"reason,omitempty"`
	Text    string `json:"text"`
	Score   uint64 `json:"score_milli"` // its median, milli-RP
	Last    uint64 `json:"rp_milli"`    // of the last round it was measured in
	Paid    bool   `json:"paid"`        // the round counts
	// Evidence is the hash of what decided; "" for none.
	Evidence string `json:"evidence,omitempty"`
}

// maxHappened bounds what is remembered.
const maxHappened = 2048

// story is what the blocks so far tell.
type story struct {
	names      func(id string) string      // of peers; "" for strangers
	owners     func(account string) string // of peers' owners
	happened   []Happening
	containers map[string]Container
	right      map[uint64]map[string]bool // checkers that were paid for an epoch, by id
	certified  map[uint64]bool
}

func (s *story) tell(h Happening) {
	if s.names != nil && h.Name == "" {
		h.Name = s.names(h.Node)
	}
	s.happened = append(s.happened, h)
	if len(s.happened) > maxHappened {
		s.happened = s.happened[1:]
	}
}

// take reads one event of a block, in whose epoch it was.
func (s *story) take(e abci.Event, height, now uint64) {
	at := map[string]string{}
	for _, a := range e.Attributes {
		at[a.Key] = a.Value
	}
	num := func(k string) uint64 {
		v, _ := strconv.ParseUint(at[k], 10, 64) // 0 for what is missing
		return v
	}
	h := Happening{Height: height, Epoch: num("epoch"), Kind: e.Type, Node: peerOf(at["node"]), Tone: ToneNote, Evidence: at["evidence"]}
	if i, ok := proof.Reason(num("reason")).Info(); ok {
		h.Reason, h.Code, h.Text = uint32(i.Code), i.Name, i.Text
	}
	switch e.Type {
	case "certificate_judged":
		s.certified[h.Epoch] = true
		h.Tone, h.Text = ToneGood, fmt.Sprintf("Batch %s is certified by %s checkers.", at["batch"], at["signers"])
	case "proven", "unproven":
		s.verdict(&h, at, num)
	case "weight":
		if at["class"] == state.RewardChecker.String() {
			if s.right[h.Epoch] == nil {
				s.right[h.Epoch] = map[string]bool{}
			}
			s.right[h.Epoch][h.Node] = true
		}
		return
	case "reward":
		h.Amount, h.Tone = num("amount"), ToneGood
		h.Text = fmt.Sprintf("Paid %s %s for epoch %d.", amount.Amount(h.Amount), state.Symbol, h.Epoch)
	case "fraud_proven":
		h.Tone, h.Evidence = ToneBad, at["proof"]
		h.Reporter = at["reporter"]
		if s.owners != nil && s.owners(h.Reporter) != "" {
			h.Reporter = s.owners(h.Reporter)
		}
	case "slash":
		h.Epoch, h.Tone, h.Code, h.Amount = now, ToneBad, at["offence"], num("amount")
		h.Text = fmt.Sprintf("Lost %s %s of stake and income.", amount.Amount(h.Amount), state.Symbol)
		if h.Amount == 0 {
			h.Text = "Nothing was left for it to lose."
		}
	case "accused":
		h.Tone, h.Code, h.Session = ToneBad, at["offence"], at["session"]
		h.Text = fmt.Sprintf("%s A committee accuses it; final in epoch %s unless it appeals.", offenceText(h.Code), at["final_epoch"])
	case "acquitted":
		h.Tone, h.Code, h.Text = ToneGood, at["offence"], "The accusation was taken back."
	case "checker_wrong":
		h.Tone = ToneBad
		if h.Text == "" {
			h.Text = "Its answer was contradicted."
		}
	case "checker_banned":
		h.Tone, h.Text = ToneBad, fmt.Sprintf("Gets no duties until epoch %s.", at["until_epoch"])
	default:
		return
	}
	s.tell(h)
}

// offenceText tells an offence by its name.
func offenceText(name string) string {
	o := economics.OffenceIdle
	for o.String() != "" && o.String() != name {
		o++
	}
	return why.OffenceText(o)
}

func (s *story) verdict(h *Happening, at map[string]string, num func(string) uint64) {
	verdict := at["verdict"]
	for v := range uint32(proof.VerdictRefused + 1) {
		if h.Text == "" && proof.VerdictName(v) == verdict {
			h.Text = why.VerdictText(v)
		}
	}
	h.Tone = ToneGood
	if h.Kind == "unproven" {
		h.Tone = ToneBad
	}
	c := Container{Node: h.Node, Epoch: h.Epoch, Verdict: verdict, Code: h.Code, Reason: h.Reason, Text: h.Text,
		Score: num("score_milli"), Last: num("rp_milli"), Paid: num("weight") > 0, Evidence: h.Evidence}
	if s.names != nil {
		c.Name = s.names(h.Node)
	}
	if verdict == "ok" {
		h.Text += fmt.Sprintf(" %d.%d RP.", c.Last/1000, c.Last%1000/100)
	}
	if s.containers[h.Node].Epoch <= c.Epoch {
		s.containers[h.Node] = c
	}
}

// peerOf is a node as peers are called; "" for none.
func peerOf(node string) string {
	n, err := key.ParseNode(node)
	if err != nil {
		return ""
	}
	id, err := n.Peer()
	if err != nil {
		return ""
	}
	return id.String()
}
