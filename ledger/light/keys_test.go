package light

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// shelf is a full node that names keys, all but those it hides.
type shelf struct {
	*full
	names, hides []string
}

func (s shelf) Keys(_ context.Context, prefix, after []byte, limit int) (keys [][]byte, more bool, err error) {
	for _, k := range s.names {
		if len(k) < len(prefix) || k[:len(prefix)] != string(prefix) || k <= string(after) || slices.Contains(s.hides, k) {
			continue
		}
		if len(keys) == limit {
			return keys, true, nil
		}
		keys = append(keys, []byte(k))
	}
	return keys, false, nil
}

func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("sess/%05d", i))
	}
	return append(out, "stake/1")
}

// Peers list together: what one hides another names, over several answers, and a node that
// keeps no state is passed over.
func TestKeysAreListedByPeersTogether(t *testing.T) {
	n := newNetwork(t, 4).grow(3, nil)
	node := &full{n: n}
	node.reach(3)
	all := names(2*MaxKeys + 7)
	w := new(wire).set("a", honest(shelf{node, all, all[3:9]})).set("b", honest(shelf{node, all, all[MaxKeys-1 : MaxKeys+1]})).set("c", honest(node))
	c, f := n.client(w)
	got, err := c.Keys(within(t), []byte("sess/"))
	if err != nil || len(got) != len(all)-1 || !slices.IsSortedFunc(got, func(a, b []byte) int { return slices.Compare(a, b) }) {
		t.Fatalf("%d keys, %v", len(got), err)
	}
	if got, err := c.Keys(within(t), []byte("none/")); err != nil || len(got) != 0 {
		t.Errorf("%d keys, %v", len(got), err)
	}
	if f.count() != 0 {
		t.Errorf("%v", f.all)
	}
}

// Answers that break the rules of a listing drop their sender, and no listing grows for
// ever.
func TestKeysOfLiars(t *testing.T) {
	n := newNetwork(t, 4).grow(3, nil)
	node := shelf{&full{n: n}, names(3), nil}
	node.reach(3)
	endless := 0
	for name, tc := range map[string]struct {
		say  *Keys
		want error
	}{
		"another prefix":  {&Keys{Keys: [][]byte{[]byte("acct/1")}}, ErrAnswer},
		"out of order":    {&Keys{Keys: [][]byte{[]byte("sess/2"), []byte("sess/1")}}, ErrAnswer},
		"twice":           {&Keys{Keys: [][]byte{[]byte("sess/2"), []byte("sess/2")}}, ErrAnswer},
		"long key":        {&Keys{Keys: [][]byte{append([]byte("sess/"), make([]byte, MaxKey)...)}}, ErrAnswer},
		"more of nothing": {&Keys{More: true}, ErrAnswer},
		"too many":        {&Keys{Keys: slices.Repeat([][]byte{[]byte("sess/1")}, MaxKeys+1)}, ErrAnswer},
		"endless":         {nil, ErrTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			w := new(wire).set("a", twist(node, func(req *Request, _ *Response) *Response {
				if req.GetKeys() == nil {
					return nil
				}
				say := tc.say
				if say == nil {
					say = &Keys{More: true}
					for range MaxKeys {
						endless++
						say.Keys = append(say.Keys, fmt.Appendf(nil, "sess/%09d", endless))
					}
				}
				return &Response{Answer: &Response_Keys{Keys: say}}
			}))
			c, f := n.client(w)
			if _, err := c.Keys(within(t), []byte("sess/")); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if (f.of("a") != nil) != errors.Is(tc.want, ErrAnswer) {
				t.Errorf("accused of %v", f.of("a"))
			}
		})
	}
}

// One full peer among many light ones is found, whatever the order.
func TestTheOneFullPeerIsFound(t *testing.T) {
	n := newNetwork(t, 4).grow(5, func(_ int64, set func(k, v string)) [][]byte { set("a", "b"); return nil })
	node := shelf{(&full{n: n}).reach(5), names(3), nil}
	w := new(wire).set("zz", honest(node))
	helper, _ := n.client(new(wire).set("zz", honest(node)))
	helper.look(within(t))
	for i := range 12 {
		w.set(fmt.Sprintf("light-%02d", i), honest(NewRelay(helper)))
	}
	for range 5 { // the order turns
		c, _ := n.client(w)
		c.look(within(t))
		if v, err := c.Value(within(t), []byte("a")); err != nil || string(v.Value) != "b" {
			t.Fatalf("%+v, %v", v, err)
		}
		if k, err := c.Keys(within(t), []byte("sess/")); err != nil || len(k) != 3 {
			t.Fatalf("%d keys, %v", len(k), err)
		}
	}
}
