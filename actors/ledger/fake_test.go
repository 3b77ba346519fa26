package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// fake is a source whose blocks the test makes: what a network does wrong.
type fake struct {
	lock
	head    Head
	values  map[string][]byte
	blocks  map[[32]byte]light.Inclusion
	taken   [][]byte
	submit  func(raw []byte) error // nil = takes it
	follows []func(Head)
	hints   []uint64
	reads   int
	looks   int // for transactions
}

type lock struct{ ch chan struct{} }

func newFake(doc *genesis.Doc) *fake {
	f := &fake{lock: lock{make(chan struct{}, 1)}, values: map[string][]byte{}, blocks: map[[32]byte]light.Inclusion{}}
	f.head = Head{Summary: light.Summary{Height: 1, TimeMS: doc.TimeMS(), Full: true}}
	return f
}

func (f *fake) hold() func() { f.ch <- struct{}{}; return func() { <-f.ch } }

func (f *fake) Head() Head { defer f.hold()(); return f.head }

func (f *fake) Follow(fn func(Head)) func() {
	defer f.hold()()
	f.follows = append(f.follows, fn)
	return func() {}
}

func (f *fake) Value(_ context.Context, k []byte) ([]byte, uint64, error) {
	defer f.hold()()
	f.reads++
	return f.values[string(k)], f.head.Height, nil
}

func (f *fake) Submit(_ context.Context, raw []byte) error {
	defer f.hold()()
	if f.submit != nil {
		if err := f.submit(raw); err != nil {
			return err
		}
	}
	f.taken = append(f.taken, raw)
	return nil
}

func (f *fake) Tx(_ context.Context, hash [32]byte) (light.Inclusion, error) {
	defer f.hold()()
	f.looks++
	in, ok := f.blocks[hash]
	if !ok {
		return in, ErrUnknown
	}
	return in, nil
}

func (f *fake) Hint(_ string, height uint64) { defer f.hold()(); f.hints = append(f.hints, height) }

func (f *fake) count() int { defer f.hold()(); return len(f.taken) }

func (f *fake) looked() int { defer f.hold()(); return f.looks }

// block makes the next block, so much later.
func (f *fake) block(later time.Duration, txs ...[]byte) {
	free := f.hold()
	f.head.Height++
	f.head.TimeMS += uint64(later.Milliseconds())
	f.head.Hash = sha256.Sum256([]byte{byte(f.head.Height)})
	for _, raw := range txs {
		f.blocks[sha256.Sum256(raw)] = light.Inclusion{Height: f.head.Height, Tx: raw}
	}
	h, follows := f.head, f.follows
	free()
	for _, fn := range follows {
		fn(h)
	}
}

func (f *fake) nonce(a key.Address, n uint64) {
	defer f.hold()()
	f.values[string(state.AccountKey(a))] = state.Account{Balance: 1, Nonce: n}.Encode()
}

func fakeLedger(t *testing.T, change ...func(*Options)) (*Ledger, *fake, *genesis.Doc) {
	t.Helper()
	doc := genesisOf(t, genesis.Key(address(seeded("consensus", 0))), genesis.Key(address(seeded("vrf", 0))), time.UnixMilli(1_780_000_000_000))
	f := newFake(doc)
	o := Options{Genesis: doc, Source: f, Now: func() time.Time { return time.UnixMilli(int64(f.Head().TimeMS)) }}
	for _, ch := range change {
		ch(&o)
	}
	return begun(t, o), f, doc
}

func send(t *testing.T, l *Ledger, body *tx.Body) chan sent {
	out := make(chan sent, 1)
	go func() {
		r, err := l.Send(within(t), Signer{Key: seeded("player", 0)}, body)
		out <- sent{r, err}
	}()
	return out
}

// TestFallsOutOfThePool: a transaction that no block takes is submitted again.
func TestFallsOutOfThePool(t *testing.T) {
	l, f, _ := fakeLedger(t)
	out := send(t, l, transfer(address(seeded("player", 1)), 5))
	until(t, "it is submitted", func() bool { return f.count() == 1 })
	for f.count() < 2 {
		before := f.looked()
		f.block(time.Second)
		until(t, "it is looked for", func() bool { return f.looked() > before })
		if f.Head().Height > 40 {
			t.Fatal("it was never submitted again")
		}
	}
	f.block(time.Second, f.taken[1])
	got := <-out
	if got.err != nil || got.receipt.Height != f.Head().Height {
		t.Fatal(got)
	}
	if sha256.Sum256(f.taken[0]) != sha256.Sum256(f.taken[1]) {
		t.Fatal("another transaction was sent: both could have been paid")
	}
}

func TestRunsOutOfTime(t *testing.T) {
	l, f, _ := fakeLedger(t, func(o *Options) { o.ValidFor = 5 * time.Second })
	out := send(t, l, transfer(address(seeded("player", 1)), 5))
	until(t, "it is submitted", func() bool { return f.count() == 1 })
	f.block(10 * time.Second)
	if got := <-out; !errors.Is(got.err, ErrVoid) {
		t.Fatal(got)
	}
}

// TestNonceOfAnotherProgram: somebody else used the key; the nonce is read again.
func TestNonceOfAnotherProgram(t *testing.T) {
	l, f, _ := fakeLedger(t)
	a := address(seeded("player", 0))
	f.nonce(a, 3)
	free := f.hold()
	f.submit = func(raw []byte) error {
		if x, err := tx.Decode(raw); err != nil || x.Body.GetNonce() != 4 {
			return &Refused{state.ErrNonce.Code, "the next is 4"}
		}
		return nil
	}
	free()
	out := send(t, l, transfer(address(seeded("player", 1)), 5))
	until(t, "the nonce is read", func() bool { defer f.hold()(); return f.reads > 0 })
	f.nonce(a, 4)
	for f.count() == 0 {
		f.block(time.Millisecond)
		until(t, "the head is seen", func() bool { return l.heads.get().Height == f.Head().Height })
	}
	f.block(time.Second, f.taken[0])
	if got := <-out; got.err != nil {
		t.Fatal(got)
	}
}

func TestRefusedInABlock(t *testing.T) {
	l, f, _ := fakeLedger(t)
	out := send(t, l, transfer(address(seeded("player", 1)), 5))
	until(t, "it is submitted", func() bool { return f.count() == 1 })
	free := f.hold()
	f.blocks[sha256.Sum256(f.taken[0])] = light.Inclusion{Height: 2, Code: state.ErrFunds.Code, Text: "not that much"}
	free()
	f.block(time.Second)
	if got := <-out; !errors.Is(got.err, state.ErrFunds) || got.receipt.Height != 2 {
		t.Fatal(got)
	}
}

// TestNotices: heads are hints, quotes count when an oracle signed them and only the newest
// of each, and junk costs a counter.
func TestNotices(t *testing.T) {
	topic := new(room)
	l, f, doc := fakeLedger(t, func(o *Options) { o.Topic = seat{topic, "me"} })
	now := f.Head().TimeMS
	say := func(body []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := (seat{topic, "other"}).Publish(within(t), body); err != nil {
			t.Fatal(err)
		}
	}
	say(light.EncodeHead(light.Summary{Height: 44}))
	if len(f.hints) != 1 || f.hints[0] != 44 {
		t.Fatal(f.hints)
	}
	if _, _, err := l.PerSecond(within(t), 1000); !errors.Is(err, ErrNoPrice) {
		t.Fatal(err)
	}
	q := func(signer string, perUSD, at uint64, chain string) {
		t.Helper()
		x, err := quote.Sign(chain, seeded(signer, 0), perUSD, at)
		if err != nil {
			t.Fatal(err)
		}
		say(light.EncodeQuote(x.Encode()))
	}
	good := uint64(amount.FRM)
	q("player", good, now, doc.ChainID)           // no oracle
	q("oracle", good, now, "another-chain")       // not for this network
	q("oracle", good, now+10*60_000, doc.ChainID) // from the future
	q("oracle", good, now-10*60_000, doc.ChainID) // long past
	if got := l.Quotes(); len(got) != 0 {
		t.Fatal(len(got))
	}
	q("oracle", 2*good, now, doc.ChainID)
	q("oracle", 3*good, now-1, doc.ChainID) // older than what is known
	if s := l.Status(); s.PerUSD != 2*good {
		t.Fatal(s.PerUSD)
	}
	for _, junk := range [][]byte{nil, {1}, make([]byte, 5000), []byte("\x12\x05hello")} {
		l.hear("other", junk)
	}
	f.block(2 * time.Minute)
	until(t, "the price is too old", func() bool { return l.Status().PerUSD == 0 })
}

// TestTellsHeadsOnce: a full node tells a head unless another has told it.
func TestTellsHeadsOnce(t *testing.T) {
	topic := new(room)
	heard := make(chan *light.Notice, 64)
	if err := (seat{topic, "other"}).Subscribe(within(t), func(_ peer.ID, body []byte) {
		if n, err := light.DecodeNotice(body); err == nil && n.GetHead() != nil {
			heard <- n
		}
	}); err != nil {
		t.Fatal(err)
	}
	_, f, _ := fakeLedger(t, func(o *Options) { o.Topic = seat{topic, "me"} })
	for n := (*light.Notice)(nil); n.GetHead().GetHeight() < 3; n = <-heard {
		f.block(2 * time.Second)
	}
}

func TestFaucetLimits(t *testing.T) {
	var d funded
	f := &Faucet{PerMinute: 2, Total: 3}
	now := time.UnixMilli(1_780_000_000_000)
	claim := func(i int, at time.Duration) error {
		c, first, err := d.claim(address(seeded("someone", i)), f, now.Add(at))
		if err == nil && first {
			d.settle(address(seeded("someone", i)), c, true)
		}
		return err
	}
	for _, step := range []struct {
		who  int
		at   time.Duration
		want error
	}{{1, 0, nil}, {1, 0, nil}, {2, 0, nil}, {3, 0, ErrFaucetDry}, {3, time.Minute, nil}, {4, 3 * time.Minute, ErrFaucetDry}} {
		if err := claim(step.who, step.at); !errors.Is(err, step.want) {
			t.Fatal(step, err)
		}
	}
}
