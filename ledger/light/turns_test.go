package light

import (
	"bytes"
	"errors"
	"testing"
)

// turned answers with the light blocks of n after so many turns.
func turned(t *testing.T, n *network, node *full, turns int32) answerer {
	return twist(node, func(req *Request, _ *Response) *Response {
		a, ok := req.GetAsk().(*Request_LightBlock)
		if !ok || a.LightBlock.GetHeight() == 0 {
			return nil
		}
		b := *n.at(int64(a.LightBlock.GetHeight()))
		b.ValidatorSet = b.ValidatorSet.CopyIncrementProposerPriority(turns)
		return answerBlock(t, &b)
	})
}

func TestTurns(t *testing.T) {
	n := newNetwork(t, 4).grow(20, nil)
	node := (&full{n: n}).reach(20)
	want := n.at(20).ValidatorSet.CopyIncrementProposerPriority(3)
	w := new(wire).set("a", turned(t, n, node, 3)).set("b", turned(t, n, node, 3)).set("liar", turned(t, n, node, 2))
	c, f := n.client(w)
	if !c.look(within(t)) || f.count() != 0 {
		t.Fatal("turns are no part of what is compared:", c.Status().Err, f.all)
	}
	got, err := NewTurns(c).Header(within(t), 20)
	if err != nil || !bytes.Equal(got.ValidatorSet.ProposerPriorityHash(), want.ProposerPriorityHash()) ||
		!bytes.Equal(got.ValidatorSet.GetProposer().Address, want.GetProposer().Address) || !bytes.Equal(got.Hash(), n.at(20).Hash()) {
		t.Fatal(got, err)
	}
	if err := got.ValidateBasic(n.doc.ChainID); err != nil {
		t.Fatal(err)
	}
	w.set("a", nil)
	if _, err := NewTurns(c).Header(within(t), 20); !errors.Is(err, ErrTurns) {
		t.Fatal("one against one:", err)
	}
	w.set("liar", nil)
	if _, err := NewTurns(c).Header(within(t), 20); err != nil {
		t.Fatal("a single peer:", err)
	}
	w.set("b", honest(NewRelay(c)))
	if _, err := NewTurns(c).Header(within(t), 20); !errors.Is(err, ErrNoPeers) {
		t.Fatal("a light client has no turns to tell:", err)
	}
	w.set("b", twist(node, func(req *Request, _ *Response) *Response {
		if req.GetLightBlock() == nil {
			return nil
		}
		return answerBlock(t, forge(n, 20, nil, true))
	}))
	if _, err := NewTurns(c).Header(within(t), 20); !errors.Is(err, ErrHeader) || f.of("b") == nil {
		t.Fatal("a forged set:", err)
	}
}
