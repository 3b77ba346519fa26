package light

import (
	"errors"
	"fmt"
	"testing"
)

// The states of past blocks are proven as the newest is, each by the header after it; one that
// there is not yet is proven by nothing.
func TestValueOfAPastBlock(t *testing.T) {
	n := newNetwork(t, 4).grow(20, values)
	node := (&full{n: n}).reach(20)
	c, f := n.client(new(wire).set("a", honest(node)).set("b", honest(node)))
	c = started(t, c)
	if err := c.Wait(within(t), 20); err != nil {
		t.Fatal(err)
	}
	for _, height := range []uint64{19, 10, 1} {
		got, err := c.ValueAt(within(t), []byte("acct/000"), height)
		if err != nil || string(got.Value) != fmt.Sprintf("at %d", height) || got.Height != height {
			t.Errorf("block %d: %+v, %v", height, got, err)
		}
	}
	if got, err := c.ValueAt(within(t), []byte("acct/015"), 14); err != nil || got.Value != nil || len(got.Proof) == 0 {
		t.Errorf("before it was written: %+v, %v", got, err)
	}
	for _, height := range []uint64{0, 23, 1 << 63, 1<<64 - 1} {
		if _, err := c.ValueAt(within(t), []byte("acct/000"), height); !errors.Is(err, ErrNotFound) {
			t.Errorf("block %d: %v", height, err)
		}
	}
	if _, err := c.ValueAt(within(t), nil, 10); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if f.count() != 0 {
		t.Error(f.all)
	}
}

// A peer that answers with the state of another block is found out and dropped.
func TestHostilePastValues(t *testing.T) {
	n := newNetwork(t, 4).grow(20, values)
	node := (&full{n: n}).reach(20)
	liar := twist(node, func(req *Request, resp *Response) *Response {
		if v := resp.GetValue(); v != nil {
			other, err := node.Value(t.Context(), []byte("acct/000"), 11)
			if err != nil {
				t.Error(err)
				return resp
			}
			v.Value, v.Proof, v.Exists = other.Value, other.Proof, other.Exists
		}
		return resp
	})
	c, _ := n.client(new(wire).set("liar", liar))
	c = started(t, c)
	if err := c.Wait(within(t), 20); err != nil {
		t.Fatal(err)
	}
	if got, err := c.ValueAt(within(t), []byte("acct/000"), 10); !errors.Is(err, ErrProof) {
		t.Errorf("took %+v, %v", got, err)
	}
}
