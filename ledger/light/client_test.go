package light

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cometbft/cometbft/types"
)

func TestJoinsWithTheGenesisFileAlone(t *testing.T) {
	n := newNetwork(t, 4).grow(50, nil)
	a, b := (&full{n: n}).reach(50), (&full{n: n}).reach(50)
	c, f := n.client(new(wire).set("a", honest(a)).set("b", honest(b)))
	if !c.look(within(t)) {
		t.Fatal("no head:", c.Status().Err)
	}
	st := c.Status()
	if st.Height != 50 || st.Hash != [32]byte(n.at(50).Hash()) || st.Validators != 4 || st.Witnesses != 1 || st.Err != nil {
		t.Fatalf("%+v", st)
	}
	if f.count() != 0 {
		t.Fatal("honest peers were blamed", f.all)
	}
	if c.look(within(t)) {
		t.Fatal("a head grew out of nothing")
	}
	n.grow(53, nil)
	a.reach(53)
	b.reach(52) // a moment behind: the head goes on, and the last that b confirmed is near
	if !c.look(within(t)) || c.Head().Height != 53 || c.Status().Witnesses != 1 {
		t.Fatalf("%+v", c.Status())
	}
	n.grow(70, nil)
	a.reach(70) // b stays where it was: nobody has confirmed for long, and that is said
	if !c.look(within(t)) || c.Head().Height != 70 || c.Status().Witnesses != 0 {
		t.Fatalf("%+v", c.Status())
	}
}

func TestOnePeerIsEnoughAndSaysSo(t *testing.T) {
	n := newNetwork(t, 1).grow(9, nil)
	c, _ := n.client(new(wire).set("a", honest((&full{n: n}).reach(9))))
	if !c.look(within(t)) || c.Status().Witnesses != 0 || c.Head().Height != 9 {
		t.Fatalf("%+v", c.Status())
	}
}

func TestNobodyThere(t *testing.T) {
	n := newNetwork(t, 1).grow(2, nil)
	c, _ := n.client(new(wire))
	c.look(within(t))
	if err := c.Status().Err; !errors.Is(err, ErrNoPeers) {
		t.Fatal(err)
	}
	if _, err := started(t, c).Submit(within(t), []byte("tx")); !errors.Is(err, ErrNoPeers) {
		t.Fatal(err)
	}
}

// TestSetsChange goes over a chain in which the validators are replaced one by one, so
// that nobody of the first set is left at the end.
func TestSetsChange(t *testing.T) {
	n := newNetwork(t, 4)
	first := n.sets(1)
	n.sets = func(h int64) *types.ValidatorSet {
		if h < 10 {
			return first
		}
		var vs []*types.Validator
		for i := range 4 {
			vs = append(vs, n.know(seeded("later", int(h/10)+i)))
		}
		return types.NewValidatorSet(vs)
	}
	n.grow(120, nil)
	c, f := n.client(new(wire).set("a", honest((&full{n: n}).reach(120))).set("b", honest((&full{n: n}).reach(120))))
	if !c.look(within(t)) || c.Head().Height != 120 || c.Status().Witnesses != 1 || f.count() != 0 {
		t.Fatalf("%+v %v", c.Status(), f.all)
	}
	if got := c.headers.Size(); got > 60 {
		t.Fatalf("%d of 120 headers were fetched: it did not skip", got)
	}
}

// forge is a block of a height signed by keys that are no validators'.
func forge(n *network, height int64, change func(h *types.Header), outsiders bool) *types.LightBlock {
	h := *n.at(height).Header
	if change != nil {
		change(&h)
	}
	set, keys := n.sets(height), n.keys
	if outsiders {
		keys = map[string]ed25519.PrivateKey{}
		var vs []*types.Validator
		for i := range 4 {
			k := seeded("outsider", i)
			v := n.know(k)
			keys[string(v.Address)] = k
			vs = append(vs, v)
		}
		set = types.NewValidatorSet(vs)
		h.ValidatorsHash, h.NextValidatorsHash = set.Hash(), set.Hash()
	}
	return n.sign(&h, set, keys)
}

func answerBlock(t testing.TB, b *types.LightBlock) *Response {
	raw, err := EncodeLightBlock(b)
	if err != nil {
		t.Fatal(err)
	}
	return &Response{Answer: &Response_LightBlock{LightBlock: &LightBlock{Block: raw}}}
}

// hostile are peers that answer for light blocks wrongly. Each must be caught and dropped
// when it is the primary and when it is the witness, and the client goes on without it.
func TestHostileHeaders(t *testing.T) {
	n := newNetwork(t, 4).grow(40, nil)
	node := (&full{n: n}).reach(40)
	lie := func(make func(height int64) *Response) answerer {
		return twist(node, func(req *Request, _ *Response) *Response {
			a, ok := req.GetAsk().(*Request_LightBlock)
			if !ok {
				return nil
			}
			h := int64(a.LightBlock.GetHeight())
			if h == 0 {
				h = 40
			}
			if h == 1 {
				return nil // the root is right, what follows is not
			}
			return make(h)
		})
	}
	otherHash := func(h *types.Header) { h.AppHash = hashOf("another", 1) }
	for name, liar := range map[string]answerer{
		"forged header": lie(func(h int64) *Response {
			b := forge(n, h, otherHash, false)
			b.Commit = n.at(h).Commit // of the true header
			return answerBlock(t, b)
		}),
		"signed by too few": lie(func(h int64) *Response {
			f := forge(n, h, otherHash, false)
			few := n.sign(f.Header, n.sets(h), map[string]ed25519.PrivateKey{string(n.sets(h).Validators[0].Address): n.keys[string(n.sets(h).Validators[0].Address)]})
			return answerBlock(t, few)
		}),
		"wrong signatures": lie(func(h int64) *Response {
			b := forge(n, h, otherHash, false)
			for i := range b.Commit.Signatures {
				b.Commit.Signatures[i].Signature = bytes.Repeat([]byte{7}, 64)
			}
			return answerBlock(t, b)
		}),
		"another validator set": lie(func(h int64) *Response { return answerBlock(t, forge(n, h, otherHash, true)) }),
		"another chain": lie(func(h int64) *Response {
			return answerBlock(t, forge(n, h, func(h *types.Header) { h.ChainID = "other" }, false))
		}),
		"another height": lie(func(h int64) *Response { return answerBlock(t, n.at(h-1)) }),
		"truncated": lie(func(h int64) *Response {
			r := answerBlock(t, n.at(h))
			a := r.GetLightBlock()
			a.Block = a.Block[:len(a.Block)/2]
			return r
		}),
		"oversized": lie(func(int64) *Response {
			return &Response{Answer: &Response_LightBlock{LightBlock: &LightBlock{Block: make([]byte, MaxLightBlock+1)}}}
		}),
		"much too large": lie(func(int64) *Response {
			return &Response{Answer: &Response_Block{Block: &Block{LightBlock: make([]byte, MaxResponse+1)}}}
		}),
		"another answer": lie(func(int64) *Response { return &Response{Answer: &Response_Value{Value: &Value{}}} }),
		"nothing":        lie(func(int64) *Response { return &Response{Answer: &Response_LightBlock{}} }),
	} {
		t.Run(name, func(t *testing.T) {
			primary := func(a answerer) answerer { // claims to be ahead, so it is asked first
				return func(ctx context.Context, req *Request) (*Response, error) {
					resp, err := a(ctx, req)
					if h := resp.GetHead(); h != nil {
						h.Height++
					}
					return resp, err
				}
			}
			for _, role := range []string{"primary", "witness"} {
				w := new(wire).set("b", honest(node)).set("c", honest(node)).set("liar", liar)
				if role == "primary" {
					w.set("liar", primary(liar))
				} else {
					w.set("b", primary(honest(node)))
				}
				c, f := n.client(w)
				for range 3 {
					c.look(within(t))
				}
				if name == "another height" && role == "primary" {
					continue // a newest block that is not the newest is no lie
				}
				if f.of("liar") == nil {
					t.Errorf("%s: not caught", role)
				}
				if f.of("b") != nil || f.of("c") != nil {
					t.Errorf("%s: the honest were blamed: %v %v", role, f.of("b"), f.of("c"))
				}
				if h := c.Head(); h.Height != 40 || h.Hash != [32]byte(n.at(40).Hash()) {
					t.Errorf("%s: at %d: %v", role, h.Height, c.Status().Err)
				}
				for _, p := range c.book.choose(w.Peers(within(t)), 9, false) {
					if p == "liar" {
						t.Errorf("%s: it is asked again", role)
					}
				}
			}
		})
	}
}

func TestForgedFirstHeader(t *testing.T) {
	n := newNetwork(t, 4).grow(5, nil)
	node := (&full{n: n}).reach(5)
	for name, change := range map[string]func(*types.Header){
		"time":       func(h *types.Header) { h.Time = h.Time.Add(time.Millisecond) },
		"parameters": func(h *types.Header) { h.ConsensusHash = hashOf("x", 0) },
	} {
		b := forge(n, 1, change, false)
		if err := CheckFirst(n.gen, b); !errors.Is(err, ErrGenesisHeader) || !strings.Contains(err.Error(), name) {
			t.Error(name, err)
		}
	}
	liar := twist(node, func(req *Request, _ *Response) *Response {
		if req.GetLightBlock() == nil {
			return nil
		}
		return answerBlock(t, forge(n, max(int64(req.GetLightBlock().GetHeight()), 1), nil, true))
	})
	c, f := n.client(new(wire).set("a-liar", liar).set("b", honest(node)))
	for range 3 {
		c.look(within(t))
	}
	if !errors.Is(f.of("a-liar"), ErrGenesisHeader) && !errors.Is(f.of("a-liar"), ErrHeader) {
		t.Fatal("not caught:", f.all)
	}
	if c.Head().Height != 5 {
		t.Fatal(c.Status().Err)
	}
	if err := CheckFirst(n.gen, n.at(1)); err != nil {
		t.Fatal(err)
	}
}

// The peers that say nothing cost their time, which is the bubble's: no honest one is late.
func TestSilentAndVanishingPeers(t *testing.T) {
	n := newNetwork(t, 4).grow(21, nil)
	synctest.Test(t, func(t *testing.T) {
		node := (&full{n: n}).reach(20)
		hang := func(ctx context.Context, _ *Request) (*Response, error) { <-ctx.Done(); return nil, ctx.Err() }
		headOnly := func(ctx context.Context, req *Request) (*Response, error) {
			if req.GetHead() == nil {
				return hang(ctx, req)
			}
			return honest(node)(ctx, req)
		}
		w := new(wire).set("a", hang).set("b", headOnly).set("c", honest(node)).set("d", honest(node))
		c, f := n.client(w, func(c *Config) { c.Timeout, c.HeadGrace = 4*time.Second, 100*time.Millisecond })
		for range 6 {
			c.look(within(t))
		}
		if c.Head().Height != 20 || f.count() != 0 {
			t.Fatalf("at %d, %v, blamed %v", c.Head().Height, c.Status().Err, f.all)
		}
		node.reach(21)
		w.set("c", func(context.Context, *Request) (*Response, error) { return nil, errGone })
		for range 6 {
			c.look(within(t))
		}
		if c.Head().Height != 21 {
			t.Fatal(c.Status().Err)
		}
		w.set("b", nil).set("d", nil)
		c.look(within(t))
		if c.Status().Err == nil || c.Head().Height != 21 {
			t.Fatalf("%+v", c.Status())
		}
	})
}

// TestAnnouncesTooMuch: a height that nobody can prove costs one look and no trust.
func TestAnnouncesTooMuch(t *testing.T) {
	n := newNetwork(t, 4).grow(20, nil)
	node := (&full{n: n}).reach(20)
	boast := twist(node, func(_ *Request, resp *Response) *Response {
		if h := resp.GetHead(); h != nil {
			h.Height = 1 << 63
		}
		return resp
	})
	c, f := n.client(new(wire).set("a", boast).set("b", honest(node)).set("c", honest(node)))
	for range 2 {
		c.look(within(t))
	}
	if c.Head().Height != 20 || f.count() != 0 {
		t.Fatalf("%+v %v", c.Status(), f.all)
	}
	c.Hint("a", 1<<61) // not running: it must not block either
	c.Hint("a", 1<<61)
}

func TestClockIsOff(t *testing.T) {
	n := newNetwork(t, 2).grow(20, nil)
	node := (&full{n: n}).reach(20)
	w := new(wire).set("a", honest(node)).set("b", honest(node))
	c, f := n.client(w, func(c *Config) { c.Now = func() time.Time { return n.at(20).Time.Add(-10 * time.Minute) } })
	c.look(within(t))
	if err := c.Status().Err; !errors.Is(err, ErrClock) || !strings.Contains(err.Error(), "clock") {
		t.Fatal(err)
	}
	if f.count() != 0 {
		t.Fatal("a wrong clock here is nobody's fault there:", f.all)
	}
	// Ten minutes ahead: the head verifies, values are not believed to be fresh.
	c, _ = n.client(w, func(c *Config) {
		c.Now = func() time.Time { return n.at(20).Time.Add(10 * time.Minute) }
	})
	if !c.look(within(t)) {
		t.Fatal(c.Status().Err)
	}
	c.cfg.Timeout = 30 * time.Millisecond // of the wait for a younger head, which never comes
	if _, err := c.Value(within(t), []byte("height")); !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), "clock") {
		t.Fatal(err)
	}
}

func TestExpiredAndTrustedRoot(t *testing.T) {
	n := newNetwork(t, 2)
	n.every = 24 * time.Hour
	n.grow(200, nil)
	node := (&full{n: n}).reach(200)
	w := new(wire).set("a", honest(node)).set("b", honest(node))
	c, f := n.client(w)
	c.look(within(t))
	if err := c.Status().Err; !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "ledger.trust_height") {
		t.Fatal(err)
	}
	root := &Root{Height: 190, Hash: [32]byte(n.at(190).Hash())}
	c, _ = n.client(w, func(c *Config) { c.Trust = root })
	if !c.look(within(t)) || c.Head().Height != 200 {
		t.Fatal(c.Status().Err)
	}
	if b, err := started(t, c).Header(within(t), 187); err != nil || !bytes.Equal(b.Hash(), n.at(187).Hash()) {
		t.Fatal("below the root:", err)
	}
	wrong := &Root{Height: 190, Hash: [32]byte{1}}
	c, _ = n.client(w, func(c *Config) { c.Trust = wrong })
	c.look(within(t))
	if err := c.Status().Err; !errors.Is(err, ErrRoot) || !strings.Contains(err.Error(), "ledger.trust_hash") {
		t.Fatal(err)
	}
	if f.count() != 0 {
		t.Fatal(f.all)
	}
}

// TestFork: when two thirds sign two headers of one height, the client believes neither
// from there on and says who must decide.
func TestFork(t *testing.T) {
	n := newNetwork(t, 4).grow(30, nil)
	node := (&full{n: n}).reach(30)
	w := new(wire).set("a", honest(node)).set("b", honest(node))
	c, _ := n.client(w)
	if !c.look(within(t)) {
		t.Fatal(c.Status().Err)
	}
	n.grow(40, nil)
	node.reach(40)
	w.set("b", twist(node, func(req *Request, _ *Response) *Response {
		a, ok := req.GetAsk().(*Request_LightBlock)
		if h := int64(a.getHeight()); ok && (h == 0 || h > 30) {
			if h == 0 {
				h = 40
			}
			return answerBlock(t, forge(n, h, func(h *types.Header) { h.AppHash = hashOf("fork", h.Height) }, false))
		}
		return nil
	}))
	c.look(within(t))
	if err := c.Status().Err; !errors.Is(err, ErrFork) || !strings.Contains(err.Error(), "ledger.trust_hash") {
		t.Fatal(err)
	}
	if c.Head().Height != 30 {
		t.Fatal("went on to", c.Head().Height)
	}
	w.set("b", honest(node))
	if c.look(within(t)) {
		t.Fatal("a fork was forgotten")
	}
}

func (r *Request_LightBlock) getHeight() uint64 {
	if r == nil {
		return 0
	}
	return r.LightBlock.GetHeight()
}

func TestRestart(t *testing.T) {
	n := newNetwork(t, 4).grow(30, nil)
	node := (&full{n: n}).reach(30)
	w := new(wire).set("a", honest(node)).set("b", honest(node))
	dir := t.TempDir()
	in := func(c *Config) { c.Dir = dir }
	c, _ := n.client(w, in)
	if !c.look(within(t)) {
		t.Fatal(c.Status().Err)
	}
	path := filepath.Join(dir, fileName)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(err, info.Mode())
	}
	c, _ = n.client(new(wire), in)
	if c.Head().Height != 30 {
		t.Fatal("forgot its head:", c.Head().Height)
	}
	other, err := c.cfg.Genesis.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_ = other
	foreign := newNetwork(t, 3).grow(1, nil)
	if _, err := New(Config{Genesis: foreign.doc, Transport: w, Dir: dir}); !errors.Is(err, ErrOtherNetwork) {
		t.Fatal("another network's directory:", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ = n.client(w, in)
	if c.Head().Height != 0 {
		t.Fatal("damaged headers were believed")
	}
	if !c.look(within(t)) || c.Head().Height != 30 {
		t.Fatal(c.Status().Err)
	}
	// A root that contradicts what is stored: the user's word counts.
	c, _ = n.client(w, in, func(c *Config) { c.Trust = &Root{Height: 30, Hash: [32]byte{9}} })
	if c.Head().Height != 0 {
		t.Fatal("stored headers outrank the configured root")
	}
}

func TestConfig(t *testing.T) {
	n := newNetwork(t, 1)
	for name, cfg := range map[string]Config{
		"no genesis":   {Transport: new(wire)},
		"no transport": {Genesis: n.doc},
		"root":         {Genesis: n.doc, Transport: new(wire), Trust: &Root{Height: 1}},
		"period":       {Genesis: n.doc, Transport: new(wire), Period: 1e6 * time.Hour},
	} {
		if _, err := New(cfg); !errors.Is(err, ErrConfig) {
			t.Error(name, err)
		}
	}
}

// TestFollows runs the loop: hints wake it, followers hear, waiters go on.
func TestFollows(t *testing.T) {
	n := newNetwork(t, 4).grow(5, nil)
	node := (&full{n: n}).reach(5)
	w := new(wire).set("a", honest(node)).set("b", honest(node))
	c, _ := n.client(w, func(c *Config) { c.Poll, c.MinGap = time.Minute, time.Millisecond })
	heads := make(chan Summary, 16)
	defer c.Follow(func(s Summary) { heads <- s })()
	started(t, c)
	if err := c.Wait(within(t), 5); err != nil {
		t.Fatal(err)
	}
	n.grow(8, nil)
	node.reach(8)
	c.Hint("a", 8)
	if err := c.Wait(within(t), 8); err != nil {
		t.Fatal(err)
	}
	if a, b := <-heads, <-heads; a.Height != 5 || b.Height != 8 {
		t.Fatal(a, b)
	}
}

func values(height int64, set func(k, v string)) [][]byte {
	set(fmt.Sprintf("acct/%03d", height), fmt.Sprintf("balance %d", height))
	set("acct/000", fmt.Sprintf("at %d", height))
	return [][]byte{fmt.Appendf(nil, "vrf %d", height), fmt.Appendf(nil, "tx %d", height)}
}

func TestValue(t *testing.T) {
	n := newNetwork(t, 4).grow(20, values)
	node := (&full{n: n}).reach(20)
	w := new(wire).set("a", honest(node)).set("b", honest(node))
	c, f := n.client(w)
	c.look(within(t))
	got, err := c.Value(within(t), []byte("acct/000"))
	if err != nil || string(got.Value) != "at 19" || got.Height != 19 {
		t.Fatal(got, err)
	}
	if got, err := c.Value(within(t), []byte("acct/nobody")); err != nil || got.Value != nil || len(got.Proof) == 0 {
		t.Fatal("absence:", got, err)
	}
	if got, err := c.Value(within(t), []byte("acct/020")); err != nil || got.Value != nil {
		t.Fatal("the head's own state is not proven by it:", got, err)
	}
	if _, err := c.Value(within(t), make([]byte, MaxKey+1)); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	if f.count() != 0 {
		t.Fatal(f.all)
	}
}

func TestHostileValues(t *testing.T) {
	n := newNetwork(t, 4).grow(20, values)
	node := (&full{n: n}).reach(20)
	for name, change := range map[string]func(v *Value){
		"wrong value":       func(v *Value) { v.Value = []byte("at 99") },
		"said to be absent": func(v *Value) { v.Value, v.Exists = nil, false },
		"absent with value": func(v *Value) { v.Exists = false },
		"wrong proof":       func(v *Value) { v.Proof[len(v.Proof)/2] ^= 1 },
		"truncated proof":   func(v *Value) { v.Proof = v.Proof[:len(v.Proof)/2] },
		"no proof":          func(v *Value) { v.Proof = nil },
		"oversized proof":   func(v *Value) { v.Proof = make([]byte, MaxProof+1) },
		"oversized value":   func(v *Value) { v.Value = make([]byte, MaxValue+1) },
		"stale root": func(v *Value) {
			old, err := node.Value(context.Background(), []byte("acct/000"), 10)
			if err != nil {
				t.Fatal(err)
			}
			v.Value, v.Proof = old.Value, old.Proof
		},
		"stale height": func(v *Value) { v.Height-- },
		"another key": func(v *Value) {
			o, err := node.Value(context.Background(), []byte("acct/007"), 19)
			if err != nil {
				t.Fatal(err)
			}
			v.Value, v.Proof = o.Value, o.Proof
		},
	} {
		t.Run(name, func(t *testing.T) {
			liar := twist(node, func(_ *Request, resp *Response) *Response {
				if v := resp.GetValue(); v != nil {
					change(v)
				}
				return resp
			})
			w := new(wire).set("liar", liar)
			c, f := n.client(w)
			if !c.look(within(t)) {
				t.Fatal(c.Status().Err)
			}
			if _, err := c.Value(within(t), []byte("acct/000")); !errors.Is(err, ErrProof) {
				t.Fatal(err)
			}
			if !errors.Is(f.of("liar"), ErrProof) {
				t.Fatal("not dropped:", f.all)
			}
			w.set("b", honest(node))
			if got, err := c.Value(within(t), []byte("acct/000")); err != nil || string(got.Value) != "at 19" {
				t.Fatal("does not go on with the others:", err)
			}
		})
	}
}

func TestTxAndBlock(t *testing.T) {
	n := newNetwork(t, 4).grow(20, values)
	node := (&full{n: n}).reach(20)
	w := new(wire).set("a", honest(node))
	c, f := n.client(w)
	c.look(within(t))
	started(t, c)
	hash := sha256.Sum256([]byte("tx 7"))
	got, err := c.Tx(within(t), hash)
	if err != nil || got.Height != 7 || got.Index != 1 || got.Code != 1 || got.Text != "said" || string(got.Tx) != "tx 7" {
		t.Fatal(got, err)
	}
	if _, err := c.Tx(within(t), [32]byte{1}); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	b, err := c.Block(within(t), 7)
	if err != nil || len(b.Txs) != 2 || b.Header.Height != 7 {
		t.Fatal(b, err)
	}
	if b, err := c.Block(within(t), 0); err != nil || b.Header.Height != 20 {
		t.Fatal(err)
	}
	if _, err := c.Block(within(t), 21); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if f.count() != 0 {
		t.Fatal(f.all)
	}
	for name, change := range map[string]func(r *Response){
		"result":   func(r *Response) { touch(&r.GetTx().Result) },
		"index":    func(r *Response) { r.GetTx().Index = 0 },
		"tx":       func(r *Response) { r.GetTx().Tx = []byte("tx 8") },
		"proof":    func(r *Response) { r.GetTx().Proof = nil },
		"its root": func(r *Response) { p := r.GetTx().ResultProof; p[len(p)-1] ^= 1 },
		"height":   func(r *Response) { r.GetTx().Height = 8 },
	} {
		w.set("a", nil).set("liar "+name, twist(node, func(_ *Request, resp *Response) *Response {
			if resp.GetTx() != nil {
				change(resp)
			}
			return resp
		}))
		if _, err := c.Tx(within(t), hash); !errors.Is(err, ErrProof) || f.of("liar "+name) == nil {
			t.Error(name, err)
		}
		w.set("liar "+name, nil)
	}
	w.set("liar", twist(node, func(_ *Request, resp *Response) *Response {
		if b := resp.GetBlock(); b != nil {
			b.Txs = b.Txs[:1]
		}
		return resp
	}))
	if _, err := c.Block(within(t), 7); !errors.Is(err, ErrProof) || f.of("liar") == nil {
		t.Error(err)
	}
}

func touch(b *[]byte) { *b = append(bytes.Clone(*b), 0x40, 1) }

func TestSubmit(t *testing.T) {
	n := newNetwork(t, 1).grow(3, nil)
	a, b := (&full{n: n, code: 5}).reach(3), (&full{n: n}).reach(3)
	w := new(wire).set("a", honest(a))
	c, f := n.client(w)
	started(t, c)
	var no *Rejected
	if _, err := c.Submit(within(t), []byte("tx")); !errors.As(err, &no) || no.Code != 5 || no.Text != "because" {
		t.Fatal(err)
	}
	w.set("b", honest(b))
	hash, err := c.Submit(within(t), []byte("tx"))
	if err != nil || hash != sha256.Sum256([]byte("tx")) {
		t.Fatal("one of two takes it:", err)
	}
	if _, err := c.Submit(within(t), make([]byte, MaxTx+1)); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	w.set("a", nil).set("b", nil).set("liar", twist(b, func(_ *Request, r *Response) *Response {
		if s := r.GetSubmitted(); s != nil {
			s.Hash = make([]byte, 32)
		}
		return r
	}))
	if _, err := c.Submit(within(t), []byte("tx")); !errors.Is(err, ErrAnswer) || f.of("liar") == nil {
		t.Fatal(err)
	}
}

// TestNothingIsSentAfterStop: what is handed in beside a Stop or after it reaches nobody.
func TestNothingIsSentAfterStop(t *testing.T) {
	n := newNetwork(t, 1).grow(3, nil)
	f := (&full{n: n}).reach(3)
	c, _ := n.client(new(wire).set("a", honest(f)))
	started(t, c)
	if err := c.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(within(t), []byte("tx")); !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
}

// TestRelay: light clients answer each other with what they verified, and hand
// transactions on to full nodes only.
func TestRelay(t *testing.T) {
	n := newNetwork(t, 4).grow(20, values)
	node := (&full{n: n}).reach(20)
	w := new(wire).set("a", honest(node)).set("b", honest(node))
	c, _ := n.client(w)
	c.look(within(t))
	relay := honest(NewRelay(c))
	second, f := n.client(new(wire).set("r", relay))
	if !second.look(within(t)) || second.Head().Height != 20 {
		t.Fatal(second.Status().Err)
	}
	if _, err := second.Value(within(t), []byte("acct/000")); !errors.Is(err, ErrNotFull) {
		t.Fatal(err)
	}
	if _, err := started(t, second).Submit(within(t), []byte("tx")); err != nil {
		t.Fatal(err)
	}
	third, _ := n.client(new(wire).set("r", honest(NewRelay(second))))
	third.look(within(t))
	if _, err := started(t, third).Submit(within(t), []byte("tx")); err == nil {
		t.Fatal("a transaction went over two light clients")
	}
	if f.count() != 0 {
		t.Fatal(f.all)
	}
}

// Others have a light client hand on a few transactions, not so many that full nodes would
// hold them against it.
func TestRelayHandsOnAFewOnly(t *testing.T) {
	n := newNetwork(t, 1).grow(3, values)
	c, _ := n.client(new(wire).set("a", honest((&full{n: n}).reach(3))))
	c.look(within(t))
	now := time.Now()
	c.cfg.Now = func() time.Time { return now }
	r, took := NewRelay(started(t, c)), 0
	for range 100 {
		_, _, _, err := r.Submit(within(t), []byte("tx"))
		if err == nil {
			took++
		} else if !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
	}
	if took != relayBurst {
		t.Errorf("%d of 100 were handed on, want %d", took, relayBurst)
	}
	now = now.Add(relayEvery)
	if _, _, _, err := r.Submit(within(t), []byte("tx")); err != nil {
		t.Errorf("a moment later: %v", err)
	}
}

func TestServerRefuses(t *testing.T) {
	n := newNetwork(t, 1).grow(3, nil)
	s := NewServer((&full{n: n}).reach(3))
	for name, c := range map[string]struct {
		req  *Request
		code string
	}{
		"empty":        {&Request{}, "invalid"},
		"long key":     {&Request{Ask: &Request_Value{Value: &ValueAsk{Key: make([]byte, MaxKey+1)}}}, "invalid"},
		"no key":       {&Request{Ask: &Request_Value{}}, "invalid"},
		"short hash":   {&Request{Ask: &Request_Tx{Tx: &TxAsk{Hash: []byte("x")}}}, "invalid"},
		"block 0":      {&Request{Ask: &Request_Block{}}, "invalid"},
		"future block": {&Request{Ask: &Request_Block{Block: &BlockAsk{Height: 9}}}, "not-found"},
		"large tx":     {&Request{Ask: &Request_Submit{Submit: &SubmitAsk{Tx: make([]byte, MaxTx+1)}}}, "invalid"},
		"unknown tx":   {&Request{Ask: &Request_Tx{Tx: &TxAsk{Hash: make([]byte, 32)}}}, "not-found"},
	} {
		resp, err := s.Handle(within(t), "p", c.req)
		if err != nil || resp.GetRefusal().GetCode() != c.code {
			t.Error(name, resp, err)
		}
	}
}
