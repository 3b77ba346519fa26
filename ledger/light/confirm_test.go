package light

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/cometbft/cometbft/types"
)

// A head that nobody else has yet counts at once, and is confirmed when others have it.
func TestHeadsAreConfirmedAfterwards(t *testing.T) {
	n := newNetwork(t, 4).grow(60, nil)
	ahead, behind := (&full{n: n}).reach(50), (&full{n: n}).reach(49)
	w := new(wire).set("a", honest(ahead)).set("b", honest(behind))
	c, f := n.client(w)
	c.look(within(t))
	if s := c.Status(); s.Height != 50 || s.Witnesses != 0 || s.Err != nil {
		t.Fatalf("%+v", s)
	}
	ahead.reach(52)
	behind.reach(51)
	c.look(within(t))
	if s := c.Status(); s.Height != 52 || s.Witnesses != 1 || s.Err != nil {
		t.Fatalf("block 50 was shown by a second peer: %+v", s)
	}
	if f.count() != 0 {
		t.Errorf("%v", f.all)
	}
}

// Who shows another block afterwards has made it up, or has caught the validators at
// signing two.
func TestAnotherBlockAfterwards(t *testing.T) {
	for name, tc := range map[string]struct {
		keys int // of the validators that sign the other block
		want error
	}{"of strangers": {0, nil}, "of two thirds": {3, ErrFork}} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 4).grow(60, nil)
			node := (&full{n: n}).reach(50)
			late := (&full{n: n}).reach(49)
			w := new(wire).set("a", honest(node)).set("b", honest(late))
			c, f := n.client(w)
			c.look(within(t))
			node.reach(51)
			late.reach(51)
			w.set("b", twist(late, func(req *Request, _ *Response) *Response {
				if req.GetLightBlock().GetHeight() != 50 {
					return nil
				}
				return n.another(t, 50, tc.keys)
			}))
			c.look(within(t))
			if err := c.Status().Err; !errors.Is(err, tc.want) || (tc.want == nil && err != nil) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if blamed := f.of("b") != nil; blamed != (tc.want == nil) {
				t.Errorf("accused of %v", f.of("b"))
			}
		})
	}
}

// another is the answer with a block that is not the chain's, signed by that many of its
// validators; 0 stands for keys of strangers.
func (n *network) another(t *testing.T, height int64, keys int) *Response {
	t.Helper()
	b := n.at(height)
	h, set, signers := *b.Header, b.ValidatorSet, map[string]ed25519.PrivateKey{}
	h.Time = h.Time.Add(time.Millisecond)
	if keys == 0 {
		var strangers []*types.Validator
		for i := range set.Size() {
			strangers = append(strangers, n.know(seeded("stranger", i)))
		}
		set, keys = types.NewValidatorSet(strangers), set.Size()
		h.ValidatorsHash, h.ProposerAddress = set.Hash(), set.Validators[0].Address
	}
	for _, v := range set.Validators[:keys] {
		signers[string(v.Address)] = n.keys[string(v.Address)]
	}
	raw, err := EncodeLightBlock(n.sign(&h, set, signers))
	if err != nil {
		t.Fatal(err)
	}
	return &Response{Answer: &Response_LightBlock{LightBlock: &LightBlock{Block: raw}}}
}
