package testnet

import (
	"bytes"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pay "github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// foolish are questions that decode and must be refused, with the words that may refuse
// them. "absent" is a proof that there is nothing.
var foolish = map[string]struct {
	ask  func(i int) *light.Request
	want string
}{
	"nothing":            {func(int) *light.Request { return &light.Request{} }, "invalid"},
	"a value of nothing": {func(int) *light.Request { return &light.Request{Ask: &light.Request_Value{}} }, "invalid"},
	"an empty key": {func(i int) *light.Request {
		return &light.Request{Ask: &light.Request_Value{Value: &light.ValueAsk{Height: uint64(i)}}}
	}, "invalid"},
	"a key too long": {func(i int) *light.Request {
		return &light.Request{Ask: &light.Request_Value{Value: &light.ValueAsk{Key: random(257 + i*100)}}}
	}, "invalid"},
	"the longest key": {func(i int) *light.Request {
		return &light.Request{Ask: &light.Request_Value{Value: &light.ValueAsk{Key: random(256)}}}
	}, "absent"},
	"a state to come": {func(i int) *light.Request {
		return &light.Request{Ask: &light.Request_Value{Value: &light.ValueAsk{Key: random(20), Height: huge(i)}}}
	}, "not-found"},
	"a header to come": {func(i int) *light.Request {
		return &light.Request{Ask: &light.Request_LightBlock{LightBlock: &light.LightBlockAsk{Height: huge(i)}}}
	}, "not-found"},
	"a block to come": {func(i int) *light.Request {
		return &light.Request{Ask: &light.Request_Block{Block: &light.BlockAsk{Height: huge(i)}}}
	}, "not-found"},
	"block 0": {func(int) *light.Request { return &light.Request{Ask: &light.Request_Block{Block: &light.BlockAsk{}}} }, "invalid"},
	"half a hash": {func(i int) *light.Request {
		return &light.Request{Ask: &light.Request_Tx{Tx: &light.TxAsk{Hash: random(i % 32)}}}
	}, "invalid"},
	"a transaction nobody sent": {func(int) *light.Request {
		return &light.Request{Ask: &light.Request_Tx{Tx: &light.TxAsk{Hash: random(32)}}}
	}, "not-found"},
	"an empty transaction": {func(int) *light.Request {
		return &light.Request{Ask: &light.Request_Submit{Submit: &light.SubmitAsk{}}}
	}, "invalid"},
	"a transaction too large": {func(i int) *light.Request { // and yet within a request's limit
		return &light.Request{Ask: &light.Request_Submit{Submit: &light.SubmitAsk{Tx: random(tx.MaxSize + 1 + i*5)}}}
	}, "invalid"},
}

func huge(i int) uint64 {
	return []uint64{1<<64 - 1, 1 << 63, 1<<63 + 1, 1<<63 - 1, 1 << 62, 1 << 40}[i%6]
}

// answer is what a light response says, in a word.
func answer(r *light.Response) string {
	switch a := r.GetAnswer().(type) {
	case *light.Response_Refusal:
		return a.Refusal.GetCode()
	case *light.Response_Value:
		if !a.Value.GetExists() {
			return "absent"
		}
	}
	return fmt.Sprintf("%T", r.GetAnswer())
}

// flock asks `each` times from four goroutines at once and counts the outcomes.
func flock(do func(i int) string) map[string]int {
	out := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := k; i < each; i += 4 {
				what := do(i)
				mu.Lock()
				out[what]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return out
}

// forgiveDelays leaves out what a node gave up for want of time, unless that is much of it.
func forgiveDelays(got map[string]int) {
	if late := wire.Code_DEADLINE.String(); got[late] <= each/4 {
		delete(got, late)
	}
}

func outcomeOf(resp *light.Response, err error) string {
	if err != nil {
		return rpc.CodeOf(err).String()
	}
	return answer(resp)
}

// The ledger's protocol at a node that keeps the chain and at one that follows it.
func hostileQuestions(t *testing.T, n *Net, goesOn func(string)) {
	for _, at := range []string{"checker-1", "container-1"} {
		victim := n.Find(at)
		for why, make := range broken {
			h := stranger(t)
			id := knows(t, h, victim)
			before := figure(t, victim, "framemesh_rpc_rejected_total", "ledger", why)
			codes, silent := storm(t.Context(), h, id, "ledger", 4, make)
			if codes[wire.Code_OK] > 0 || len(codes) == 0 && why != "truncated" {
				t.Errorf("ledger at %s, %s: answers %v, %d without", at, why, codes, silent)
			}
			if rejected := figure(t, victim, "framemesh_rpc_rejected_total", "ledger", why) - before; rejected < 20 || rejected > each {
				t.Errorf("ledger at %s, %s: %v counted", at, why, rejected)
			}
			putOut(t, h, id, "ledger, "+why)
			_ = h.Close()
		}
		goesOn("broken questions to " + at)
		for what, q := range foolish {
			a := newAsker(t, n, at)
			got := flock(func(i int) string { return outcomeOf(a.ask(t.Context(), q.ask(i))) })
			a.leave()
			right := got[q.want] + got["not-full"]
			delete(got, q.want)
			delete(got, wire.Code_BUSY.String())
			forgiveDelays(got)
			if at != "checker-1" {
				delete(got, "not-full")
			}
			if right < each/4 || len(got) > 0 {
				t.Errorf("%s at %s: %d of %d got %s, others %v", what, at, right, each, q.want, got)
			}
		}
		goesOn("foolish questions to " + at)
	}
}

// One peer that asks what is right, only without end, is slowed down and then put out; the
// others are answered all the same.
func hostileFlood(t *testing.T, n *Net) {
	victim := n.Find("checker-1")
	a, b := newAsker(t, n, "checker-1"), newAsker(t, n, "checker-1")
	defer a.leave()
	defer b.leave()
	head := &light.Request{Ask: &light.Request_Head{Head: &light.HeadAsk{}}}
	before := figure(t, victim, "framemesh_rpc_rejected_total", "ledger", "rate")
	for range 20 {
		flock(func(int) string { return outcomeOf(a.ask(t.Context(), head)) })
		if figure(t, victim, "framemesh_rpc_rejected_total", "ledger", "rate")-before > 500 {
			break
		}
	}
	if got := figure(t, victim, "framemesh_rpc_rejected_total", "ledger", "rate") - before; got < 500 {
		t.Errorf("%v questions of a flood refused", got)
	}
	if _, err := b.ask(t.Context(), head); err != nil {
		t.Errorf("another peer is not answered: %v", err)
	}
}

// Transactions that may not be: each is refused, counted and leaves no trace, and what is
// allowed costs what it costs.
func hostileTransactions(t *testing.T, n *Net, goesOn func(string)) {
	rich, poor := n.Account("indexer-1"), newKey(t)
	far := uint64(time.Now().Add(time.Hour).UnixMilli())
	foreign, err := tx.Sign("another-chain", rich, &tx.Body{ValidUntilMs: far, Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: random(32), Amount: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	bomb, err := proto.Marshal(&tx.Signed{Body: bytes.Repeat([]byte{0x0a, 0x00}, 30_000), Signer: random(32), Signature: random(64)})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		what   string
		raw    func(i int) []byte
		reason string // under which the chain counts it
		again  bool   // the pool knows these bytes, and says so once more
	}{
		{"noise", func(i int) []byte { return random(1 + i*300) }, "malformed", false},
		{"64 KiB", func(int) []byte { return random(tx.MaxSize) }, "malformed", false},
		{"many small fields", func(i int) []byte { return append(bytes.Clone(bomb), 0xfa, 0x01, 1, byte(i)) }, "malformed", false},
		{"what only a proposer writes", func(i int) []byte { return beaconLike(t, n, i) }, "reserved", true},
		{"a foreign chain", func(i int) []byte { return foreign }, "signature", true},
		{"a forged signature", func(i int) []byte {
			s := new(tx.Signed)
			if err := proto.Unmarshal(transfer(t, n, rich, 0, uint64(i+1), far), s); err != nil {
				panic(err)
			}
			s.Signature[i%64] ^= 1
			return marshal(s)
		}, "signature", false},
		{"no balance", func(i int) []byte { return transfer(t, n, poor, 0, uint64(i+1), far) }, "rule", false},
		{"a nonce to come", func(i int) []byte { return transfer(t, n, rich, 1_000_000+uint64(i), 1, far) }, "rule", false},
		{"the last nonce", func(i int) []byte { return transfer(t, n, rich, 1<<64-1, uint64(i+1), far) }, "rule", false},
		{"expired", func(i int) []byte { return transfer(t, n, rich, 0, uint64(i+1), 1) }, "rule", false},
	} {
		before := figure(t, n.Find("checker-1"), "framemesh_ledger_refused_total", k.reason)
		a := newAsker(t, n, "checker-1")
		got := flock(func(i int) string {
			code, err := a.submit(t.Context(), k.raw(i))
			if err != nil {
				return rpc.CodeOf(err).String()
			}
			return code
		})
		a.leave()
		counted := figure(t, n.Find("checker-1"), "framemesh_ledger_refused_total", k.reason) - before
		forgiveDelays(got)
		if got[""] > 0 && !k.again || len(got) > 2 || counted < 1 || got["code 1000"] > 0 && k.reason != "malformed" {
			t.Errorf("%s: %v, %v counted as %s", k.what, got, counted, k.reason)
		}
	}
	goesOn("transactions that may not be")
	if a := account(t, n, addressOf(rich)); a.Nonce != 0 || a.Balance != uint64(operatorFunds) {
		t.Errorf("what was refused cost its signer: %+v", a)
	}
	// the same, and again, by several peers: one is in a block
	once := transfer(t, n, rich, 0, 1, far)
	for _, at := range []string{"checker-1", "container-1", "indexer-1"} {
		a := newAsker(t, n, at)
		got := flock(func(int) string {
			code, err := a.submit(t.Context(), once)
			if err != nil {
				return rpc.CodeOf(err).String()
			}
			return code
		})
		a.leave()
		t.Logf("the same 200 times at %s: %v", at, maps.Collect(maps.All(got)))
	}
	until(t, "the transaction is in a block", patience, func() bool { return account(t, n, addressOf(rich)).Nonce == 1 })
	goesOn("the same transaction again and again")
	if a := account(t, n, addressOf(rich)); a.Nonce != 1 || a.Balance != uint64(operatorFunds)-1-n.Genesis().Params.TxFee {
		t.Errorf("one transaction, sent often: %+v", a)
	}
	// a signer who pays for all of it still gets only so much room
	busy := n.Account("checker-1")
	first := account(t, n, addressOf(busy))
	a := newAsker(t, n, "checker-1")
	defer a.leave()
	got := map[string]int{}
	for i := range uint64(each) {
		code, err := a.submit(t.Context(), transfer(t, n, busy, first.Nonce+i, 1, far))
		if err != nil {
			code = rpc.CodeOf(err).String()
		}
		got[code]++
	}
	goesOn("a signer's flood")
	until(t, "the pool is empty", patience, func() bool {
		return figure(t, n.Find("checker-1"), "framemesh_ledger_pool_transactions") == 0
	})
	after := account(t, n, addressOf(busy))
	done := after.Nonce - first.Nonce
	late := wire.Code_DEADLINE.String() // taken or not, the answer came too late
	if done < uint64(got[""]) || done > uint64(got[""]+got[late]) || first.Balance-after.Balance != done*(1+n.Genesis().Params.TxFee) || done == 0 {
		t.Errorf("a flood of one signer: %v taken, %d in blocks, %d paid", got, done, first.Balance-after.Balance)
	}
	t.Logf("a signer's flood: %v", got)
}

// beaconLike claims to be the proposer's part of a block: the real one of a real block,
// and what looks like it.
func beaconLike(t *testing.T, n *Net, i int) []byte {
	t.Helper()
	b, err := n.Chain().Block(uint64(1 + i%5))
	if err != nil {
		t.Fatal(err)
	}
	raw := bytes.Clone(b.GetTxs()[0])
	if i%3 == 1 {
		raw[len(raw)-1] ^= 1
	}
	return raw[:len(raw)-i%3/2]
}

// Strangers make a light client work for them: it does a little, and its own hand on the
// ledger stays free.
func hostileRelaying(t *testing.T, n *Net, goesOn func(string)) {
	far := uint64(time.Now().Add(time.Hour).UnixMilli())
	validator := n.Find("checker-1")
	before := figure(t, validator, "framemesh_rpc_rejected_total", "ledger")
	refused := figure(t, validator, "framemesh_ledger_refused_total")
	var wg sync.WaitGroup
	for s := range 6 {
		a := newAsker(t, n, "container-1")
		k := newKey(t)
		wg.Go(func() {
			defer a.leave()
			flock(func(i int) string {
				raw := random(300)
				if s%2 == 0 { // well signed, by somebody who has nothing
					raw = transfer(t, n, k, 0, uint64(i+1), far)
				}
				code, err := a.submit(t.Context(), raw)
				if err != nil {
					return rpc.CodeOf(err).String()
				}
				return code
			})
		})
	}
	began := time.Now()
	wg.Wait()
	reached := figure(t, validator, "framemesh_ledger_refused_total") - refused
	t.Logf("of 1200 for a light client to pass on, %v reached the chain in %v", reached, time.Since(began).Round(time.Millisecond))
	if got := figure(t, validator, "framemesh_rpc_rejected_total", "ledger") - before; got > 0 {
		t.Errorf("the light client was refused %v times for what strangers made it ask", got)
	}
	if reached > 40+20*time.Since(began).Seconds() {
		t.Errorf("strangers had %v transactions passed on in %v", reached, time.Since(began))
	}
	goesOn("transactions to pass on")
}

// Everything that strangers reach of the ledger, while a game is paid for.
func TestHostilePeersOnTheLedger(t *testing.T) {
	n := startPaid(t, Options{Containers: 1, Slots: 1})
	mine, said := newKey(t), &told{}
	p, money, goesOn := honestPayer(t, n, func(o *pay.Options) { o.Key = mine }, said.hear)
	goroutines, heap := footprint()
	began := n.Chain().Head().Height
	var slow sync.WaitGroup
	slow.Go(func() { hostileDoor(t, n) })
	for _, at := range []string{"checker-1", "indexer-1"} {
		slow.Go(func() { slowStreams(t, n, service{name: "ledger", at: at}) })
	}
	hostileQuestions(t, n, goesOn)
	hostileFlood(t, n)
	hostileTransactions(t, n, goesOn)
	hostileRelaying(t, n, goesOn)
	hostileNotices(t, n, goesOn)
	hostileAccounts(t, n, goesOn)
	hostilePages(t, n, p, money, mine, said, goesOn)
	slow.Wait()
	goesOn("all of it")
	leaksNothing(t, goroutines, heap)
	supplyIsExact(t, n)
	t.Logf("%d blocks meanwhile", n.Chain().Head().Height-began)
}
