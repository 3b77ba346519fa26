package testnet

import (
	"strconv"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
)

func happened(kind string, pairs ...string) abci.Event {
	e := abci.Event{Type: kind}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, abci.EventAttribute{Key: pairs[i], Value: pairs[i+1]})
	}
	return e
}

// What a block says of rounds is told in words, with the reason and who it is about.
func TestBlocksAreToldInWords(t *testing.T) {
	node := key.Node{1}
	id := peerOf(node.String())
	s := story{names: func(peer string) string { return map[string]string{id: "container-1"}[peer] }, owners: func(a string) string { return map[string]string{"acct": "checker-2"}[a] },
		containers: map[string]Container{}, right: map[uint64]map[string]bool{}, certified: map[uint64]bool{}}
	tile := strconv.Itoa(int(proof.ReasonTile))
	for _, e := range []abci.Event{
		happened("certificate_judged", "epoch", "7", "batch", "0", "signers", "4"),
		happened("weight", "epoch", "7", "class", state.RewardChecker.String(), "node", node.String(), "capacity", "1"),
		happened("proven", "epoch", "7", "node", node.String(), "verdict", "ok", "reason", "0", "rp_milli", "21000", "score_milli", "20000", "weight", "5"),
		happened("fraud_proven", "epoch", "8", "node", node.String(), "reason", tile, "proof", "ab", "reporter", "acct"),
		happened("slash", "node", node.String(), "offence", "forged", "amount", "100000000"),
		happened("unproven", "epoch", "8", "node", node.String(), "verdict", "bad", "reason", tile, "evidence", "cd"),
		happened("session_settled", "epoch", "8"),
		happened("accused", "epoch", "8", "node", node.String(), "offence", "drop", "session", "ef", "final_epoch", "12"),
	} {
		s.take(e, 40, 8)
	}
	if len(s.happened) != 6 {
		t.Fatalf("%d things happened: %+v", len(s.happened), s.happened)
	}
	for i, want := range []struct{ name, tone, code, text string }{
		{"", ToneGood, "", "Batch 0 is certified by 4 checkers."},
		{"container-1", ToneGood, "", "The container proved what it renders. 21.0 RP."},
		{"container-1", ToneBad, "wrong_tile", "A tile that the container committed to does not recompute."},
		{"container-1", ToneBad, "forged", "Lost 1 FRM of stake and income."},
		{"container-1", ToneBad, "wrong_tile", "A tile that the container committed to does not recompute."},
		{"container-1", ToneBad, "drop", "It was gone while a paid session ran. A committee accuses it; final in epoch 12 unless it appeals."},
	} {
		if h := s.happened[i]; h.Name != want.name || h.Tone != want.tone || h.Code != want.code || h.Text != want.text || h.Height != 40 {
			t.Errorf("%d: %+v", i, h)
		}
	}
	if h := s.happened[2]; h.Reporter != "checker-2" || h.Evidence != "ab" || h.Reason != uint32(proof.ReasonTile) {
		t.Errorf("who proved it, and by what: %+v", h)
	}
	if h := s.happened[5]; h.Session != "ef" {
		t.Errorf("of what session: %+v", h)
	}
	if c := s.containers[id]; c.Epoch != 8 || c.Verdict != "bad" || c.Paid || c.Evidence != "cd" {
		t.Errorf("how it stands: %+v", c)
	}
	if !s.certified[7] || s.certified[8] || !s.right[7][id] {
		t.Errorf("certified %v, right %v", s.certified, s.right)
	}
	s.take(happened("proven", "epoch", "6", "node", node.String(), "verdict", "ok"), 41, 8)
	if s.containers[id].Epoch != 8 {
		t.Error("an older verdict replaced a newer one")
	}
	for range maxHappened + 10 {
		s.take(happened("certificate_judged", "epoch", "9"), 50, 9)
	}
	if len(s.happened) != maxHappened {
		t.Errorf("%d are remembered", len(s.happened))
	}
}

// Whatever an event lacks, nothing breaks.
func TestStrangeEventsAreTaken(t *testing.T) {
	s := story{containers: map[string]Container{}, right: map[uint64]map[string]bool{}, certified: map[uint64]bool{}}
	for _, kind := range []string{"certificate_judged", "weight", "proven", "unproven", "reward", "fraud_proven", "slash", "accused", "acquitted", "checker_wrong", "checker_banned", "epoch", ""} {
		s.take(happened(kind), 1, 1)
		s.take(happened(kind, "epoch", "x", "node", "y", "reason", "-1", "amount", ""), 1, 1)
	}
}
