package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
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
	past    map[uint64]map[string][]byte // by height, what stood there instead
	blocks  map[[32]byte]light.Inclusion
	taken   [][]byte
	submit  func(raw []byte) error // nil = takes it
	follows []func(Head)
	hints   []uint64
	reads   int
	dead    bool // reads fail
	hurries int
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
	if f.dead {
		return nil, 0, ErrBusy
	}
	return f.values[string(k)], f.head.Height, nil
}

func (f *fake) ValueAt(_ context.Context, k []byte, height uint64) ([]byte, error) {
	defer f.hold()()
	f.reads++
	switch {
	case f.dead:
		return nil, ErrBusy
	case height >= f.head.Height:
		return nil, ErrUnknown
	}
	if v, ok := f.past[height][string(k)]; ok {
		return v, nil
	}
	return f.values[string(k)], nil
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

func (f *fake) Hurry() { defer f.hold()(); f.hurries++ }

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

// TestHeadsAreToldLateRatherThanNever: of heads that come faster than the topic takes them
// the newest is told in the end.
func TestHeadsAreToldLateRatherThanNever(t *testing.T) {
	var tl teller
	now := time.UnixMilli(1_780_000_000_000)
	head := func(n byte) Head { return Head{Summary: light.Summary{Height: uint64(n), Hash: [32]byte{n}}} }
	for _, step := range []struct {
		head  byte
		at    time.Duration
		tell  bool
		later time.Duration
	}{{1, 0, true, 0}, {1, time.Second, false, 0}, {2, tellGap / 4, false, tellGap * 3 / 4}, {3, tellGap / 2, false, tellGap / 2},
		{3, tellGap, true, 0}, {4, 3 * tellGap, true, 0}, {5, 2 * tellGap, true, 0}} { // the last after the clock was set back
		tell, later := tl.worth(head(step.head), now.Add(step.at))
		if tell != step.tell || later != step.later {
			t.Errorf("%+v: %v, %v", step, tell, later)
		}
	}
	tl.hear(bytes.Repeat([]byte{9}, 32))
	if tell, later := tl.worth(Head{Summary: light.Summary{Hash: [32]byte(bytes.Repeat([]byte{9}, 32))}}, now.Add(time.Minute)); tell || later != 0 {
		t.Error("what another has told is told again")
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

func (f *fake) put(k, v []byte) { defer f.hold()(); f.values[string(k)] = v }

// outage makes every read fail until it is called again with false.
func (f *fake) outage(is bool) { defer f.hold()(); f.dead = is }

// TestDrawable: indexers of the frozen sets of this epoch and the one before may be drawn,
// nobody else, and each set is read once.
func TestDrawable(t *testing.T) {
	l, f, doc := fakeLedger(t)
	node := func(i int) key.Node { return key.Node(address(seeded("node", i))) }
	id := func(i int) peer.ID {
		p, err := node(i).Peer()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	set := func(epoch uint64, who ...int) {
		p := state.CandidatePage{Total: uint32(len(who))}
		for _, i := range who {
			p.Candidates = append(p.Candidates, state.Candidate{Node: node(i), Stake: 1})
		}
		slices.SortFunc(p.Candidates, func(a, b state.Candidate) int { return bytes.Compare(a.Node[:], b.Node[:]) })
		f.put(state.CandidatesKey(epoch, economics.RoleIndexer, 0), p.Encode())
	}
	may := func(want ...bool) {
		t.Helper()
		for i, w := range want {
			if got, err := l.Drawable(within(t), id(i)); err != nil || got != w {
				t.Errorf("epoch %d, indexer %d: %v %v", l.Epoch(), i, got, err)
			}
		}
	}
	if _, err := l.Drawable(within(t), id(0)); !errors.Is(err, ErrNoCandidates) {
		t.Fatal(err)
	}
	set(0, 0)
	set(1, 0, 1)
	set(2, 1, 2)
	set(3, 2)
	may(true, false, false)
	epoch := time.Duration(doc.Params.EpochSeconds) * time.Second
	next := func() {
		t.Helper()
		f.block(epoch)
		until(t, "the head is seen", func() bool { return l.heads.get().Height == f.Head().Height })
	}
	next()
	may(true, true, false)
	next()
	may(true, true, true)
	reads := func() int { defer f.hold()(); return f.reads }
	before := reads()
	for range 100 {
		may(true, true, true)
	}
	if n := reads() - before; n > 20 { // the actor reads the new epoch meanwhile
		t.Errorf("%d reads for what is known", n)
	}
	next()
	may(false, true, true)
	if ok, err := l.Drawable(within(t), "no key"); ok || err != nil {
		t.Error(ok, err)
	}
}

// TestRegistryIsReadWhenItCanBe: a question that failed for want of a head is asked again
// with the next one, though nobody asks a second time.
func TestRegistryIsReadWhenItCanBe(t *testing.T) {
	l, f, _ := fakeLedger(t)
	n := key.Node(address(seeded("node", 1)))
	id, err := n.Peer()
	if err != nil {
		t.Fatal(err)
	}
	f.outage(true)
	f.put(state.NodeKey(n), state.Node{Owner: address(seeded("owner", 1)), Roles: economics.RoleContainer, Region: "eu"}.Encode())
	f.put(state.StakeKey(n), state.Stake{Amount: 77}.Encode())
	reads := func() int { defer f.hold()(); return f.reads }
	before := reads()
	l.Meet(id)
	until(t, "it is asked", func() bool { return reads() > before })
	f.outage(false)
	until(t, "it is known", func() bool {
		f.block(time.Millisecond)
		_, known := l.registry.known.Get(id)
		return known
	})
	if !l.Registered(id) || l.Stake(id) != 77 || l.Stake("a stranger") != 0 {
		t.Error(l.Registered(id), l.Stake(id))
	}
	f.put(state.StakeKey(n), state.Stake{Amount: 99, Jailed: true}.Encode())
	l.ReadAgain(id)
	until(t, "the stake of a jailed node counts for nothing", func() bool { return l.Stake(id) == 0 })
}

// TestBellAndGift: what the page and the container go by.
func TestBellAndGift(t *testing.T) {
	l, f, _ := fakeLedger(t, func(o *Options) { o.Faucet = &Faucet{Key: seeded("player", 9), Amount: 7} })
	if g := l.Status().Gift; g != 7 {
		t.Error(g)
	}
	bell := l.NextBlock()
	select {
	case <-bell:
		t.Fatal("no block came")
	default:
	}
	f.block(time.Second)
	select {
	case <-bell:
	case <-within(t).Done():
		t.Fatal("the block was not told")
	}
	if n := func() int { defer f.hold()(); return f.hurries }(); n == 0 {
		t.Error("nobody looks out for the block that is waited for")
	}
	if l.BlockTimeMS() != f.Head().TimeMS {
		t.Error(l.BlockTimeMS())
	}
	other, _, _ := fakeLedger(t)
	if g := other.Status().Gift; g != 0 {
		t.Error(g)
	}
}

// TestClosesThatAreRefused: what settles anyway counts as settled; a voucher that the
// player has presented already is accepted by a close without it.
func TestClosesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		rule  *state.Rule
		bare  error // what becomes of the close without a voucher
		sends int
		fails bool
	}{
		{state.ErrNoSession, nil, 1, false}, {state.ErrOver, nil, 1, false}, {state.ErrClosing, nil, 1, false},
		{state.ErrReplay, nil, 2, false}, {state.ErrOlder, nil, 2, false},
		{state.ErrReplay, &Refused{state.ErrClosing.Code, "wait"}, 2, false},
		{state.ErrForged, nil, 1, true}, {state.ErrStranger, nil, 1, true},
	} {
		l, f, _ := fakeLedger(t)
		container, session := key.Node(address(seeded("node", 1))), [16]byte{3}
		f.put(state.SessionKey(container, session), state.Session{Player: address(seeded("player", 0)), Owner: address(seeded("owner", 1)),
			PerSecond: 5, Seconds: 10, Escrow: 50, Price: 1, Rate: 1, OpenedMS: 1, Expires: 9, Phase: state.PhaseOpen}.Encode())
		var sends, bare int
		free := f.hold()
		f.submit = func(raw []byte) error {
			x, err := tx.Decode(raw)
			if err != nil {
				return err
			}
			sends++
			if x.Body.GetClose().GetVoucher() != nil {
				return &Refused{c.rule.Code, "no"}
			}
			bare++
			if c.bare == nil {
				f.blocks[sha256.Sum256(raw)] = light.Inclusion{Height: f.head.Height, Tx: raw}
			}
			return c.bare
		}
		free()
		err := l.Close(within(t), Signer{Key: seeded("node", 1)}, []*tx.CloseSession{{Container: container[:], Session: session[:],
			Voucher: &tx.Voucher{Seq: 4, Seconds: 4, Paid: 20, Signature: make([]byte, 64)}}})
		if (err != nil) != c.fails || sends != c.sends || bare != c.sends-1 {
			t.Errorf("%s: %v after %d sends, %d of them bare", c.rule.Name, err, sends, bare)
		}
	}
}
