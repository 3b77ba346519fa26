package state

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/btree"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// memory is a Store in memory that remembers the order of its writes.
type memory struct {
	tree   *btree.BTreeG[record]
	writes [][2]string // key, value; "" = deleted
}

type record struct {
	key   string
	value []byte
}

func newMemory() *memory {
	return &memory{tree: btree.NewG(32, func(a, b record) bool { return a.key < b.key })}
}

func (s *memory) Get(k []byte) ([]byte, error) {
	r, _ := s.tree.Get(record{key: string(k)})
	return r.value, nil
}

func (s *memory) Set(k, v []byte) error {
	s.tree.ReplaceOrInsert(record{string(k), bytes.Clone(v)})
	s.writes = append(s.writes, [2]string{string(k), string(v)})
	return nil
}

func (s *memory) Delete(k []byte) error {
	s.tree.Delete(record{key: string(k)})
	s.writes = append(s.writes, [2]string{string(k), ""})
	return nil
}

func (s *memory) Range(from, to []byte, fn func(k, v []byte) bool) error {
	visit := func(r record) bool { return fn([]byte(r.key), r.value) }
	if to == nil {
		s.tree.AscendGreaterOrEqual(record{key: string(from)}, visit)
	} else {
		s.tree.AscendRange(record{key: string(from)}, record{key: string(to)}, visit)
	}
	return nil
}

// identity is a key pair that can be an account, a node or an oracle.
type identity struct{ private ed25519.PrivateKey }

func who(name string) identity {
	seed := sha256.Sum256([]byte(name))
	return identity{ed25519.NewKeyFromSeed(seed[:])}
}

func (i identity) raw() []byte          { return i.private[ed25519.SeedSize:] }
func (i identity) address() key.Address { return key.Address(i.raw()) }
func (i identity) node() key.Node       { return key.Node(i.raw()) }
func (i identity) key() [32]byte        { return [32]byte(i.raw()) }

const chainName = "state-test"

const frm = uint64(amount.FRM)

// bed is a network of one machine: time stands still until a test moves it.
type bed struct {
	tb testing.TB
	*Machine
	store *memory
	doc   *genesis.Doc
	first []ValidatorUpdate
	last  Result
	seen  []Event // of the block that has begun
	now   uint64
}

var genesisTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// validatorNode is a validator of the genesis file: node key, owner, consensus and VRF keys
// are named after it.
func validatorNode(name string, stake uint64) genesis.Node {
	return genesis.Node{
		Node: who(name).node(), Owner: who(name + " owner").address(), Roles: genesis.Roles(economics.RoleChecker), Region: "eu",
		VRFKey: who(name + " vrf").key(), ConsensusKey: who(name + " consensus").key(), Stake: stake, Delegate: true,
	}
}

// testPlan is a network with short waits, two validators with owners who have money, and a
// rich account named alice.
func testPlan() genesis.Plan {
	p := economics.DefaultParams()
	p.EpochSeconds = 10
	p.UnbondEpochs, p.AppealEpochs, p.VestLotEpochs, p.HostVestEpochs = 40, 34, 4, 20
	p.RewardVest2Epochs, p.RewardVest3Epochs = 20, 40
	p.ParamDelayEpochs, p.ParamWindowEpochs, p.DelegationMaxEpochs = 3, 5, 50
	p.OracleMin = 1
	return genesis.Plan{
		Chain: chainName, Time: genesisTime, Params: &p,
		Accounts: []genesis.Account{
			{Address: who("alice").address(), Amount: 1_000_000 * frm},
			{Address: who("v1 owner").address(), Amount: 100_000 * frm},
			{Address: who("v2 owner").address(), Amount: 100_000 * frm},
		},
		Nodes:   []genesis.Node{validatorNode("v1", 20_000*frm), validatorNode("v2", 10_000*frm)},
		Oracles: []key.Address{who("oracle").address()},
	}
}

func newBed(tb testing.TB, change ...func(*genesis.Plan)) *bed {
	tb.Helper()
	p := testPlan()
	for _, c := range change {
		c(&p)
	}
	d, err := genesis.Build(p)
	if err != nil {
		tb.Fatal(err)
	}
	b := &bed{tb: tb, store: newMemory(), doc: d, now: d.TimeMS()}
	if b.Machine, b.first, err = Init(b.store, d, WithKernel(hashKernel{}), WithMatcher(plainMatcher{})); err != nil {
		tb.Fatal(err)
	}
	b.audit()
	b.begin(1000)
	return b
}

func (b *bed) audit() {
	b.tb.Helper()
	walked, err := Walk(b.store)
	if err != nil {
		b.tb.Fatal(err)
	}
	if walked != b.Supply() {
		b.tb.Fatalf("the records sum to %+v, the totals say %+v", walked, b.Supply())
	}
	if sum, ok := walked.Sum(); !ok || sum != b.doc.Supply {
		b.tb.Fatalf("all purses hold %d, the supply is %d", sum, b.doc.Supply)
	}
}

// begin starts the next block some milliseconds later.
func (b *bed) begin(ms uint64, bad ...Misbehavior) {
	b.tb.Helper()
	b.now += ms
	height := b.Head().Height + 1
	events, err := b.BeginBlock(Block{Height: height, TimeMS: b.now, VRF: sha256.Sum256(u64(height)), Misbehavior: bad})
	if err != nil {
		b.tb.Fatal(err)
	}
	b.seen = events
}

// end ends the block that has begun, writes it down and checks the books.
func (b *bed) end() Result {
	b.tb.Helper()
	res, err := b.EndBlock()
	if err == nil {
		err = b.Flush()
	}
	if err != nil {
		b.tb.Fatal(err)
	}
	b.audit()
	b.last = res
	return res
}

// next ends the block and begins one some milliseconds later.
func (b *bed) next(ms uint64, bad ...Misbehavior) Result {
	b.tb.Helper()
	res := b.end()
	b.begin(ms, bad...)
	return res
}

// pass moves on by whole epochs, one block each.
func (b *bed) pass(epochs int) {
	b.tb.Helper()
	for range epochs {
		b.next(b.Params().EpochSeconds * 1000)
	}
}

// body wraps an operation.
func body(op any) *tx.Body {
	switch op := op.(type) {
	case *tx.Transfer:
		return &tx.Body{Op: &tx.Body_Transfer{Transfer: op}}
	case *tx.Register:
		return &tx.Body{Op: &tx.Body_Register{Register: op}}
	case *tx.Retire:
		return &tx.Body{Op: &tx.Body_Retire{Retire: op}}
	case *tx.Delegate:
		return &tx.Body{Op: &tx.Body_Delegate{Delegate: op}}
	case *tx.Revoke:
		return &tx.Body{Op: &tx.Body_Revoke{Revoke: op}}
	case *tx.Stake:
		return &tx.Body{Op: &tx.Body_Stake{Stake: op}}
	case *tx.Unbond:
		return &tx.Body{Op: &tx.Body_Unbond{Unbond: op}}
	case *tx.Claim:
		return &tx.Body{Op: &tx.Body_Claim{Claim: op}}
	case *tx.ProposeChange:
		return &tx.Body{Op: &tx.Body_Propose{Propose: op}}
	case *tx.ApproveChange:
		return &tx.Body{Op: &tx.Body_Approve{Approve: op}}
	case *tx.CloseSession:
		return &tx.Body{Op: &tx.Body_Close{Close: op}}
	case *tx.Appeal:
		return &tx.Body{Op: &tx.Body_Appeal{Appeal: op}}
	}
	panic(fmt.Sprintf("no operation %T", op))
}

// signed makes a transaction with the signer's next nonce.
func (b *bed) signed(signer identity, body *tx.Body) *tx.Tx {
	b.tb.Helper()
	a, err := b.account(signer.address())
	if err != nil {
		b.tb.Fatal(err)
	}
	body.Nonce = a.Nonce
	return b.sign(signer, body)
}

func (b *bed) sign(signer identity, body *tx.Body) *tx.Tx {
	b.tb.Helper()
	raw, err := tx.Sign(chainName, signer.private, body)
	if err != nil {
		b.tb.Fatal(err)
	}
	t, err := tx.Decode(raw)
	if err == nil {
		err = t.Verify(chainName)
	}
	if err != nil {
		b.tb.Fatal(err)
	}
	return t
}

// do applies an operation by a signer for itself.
func (b *bed) do(signer identity, op any) error {
	b.tb.Helper()
	events, err := b.Apply(b.signed(signer, body(op)))
	b.seen = append(b.seen, events...)
	return err
}

// doFor applies an operation by a delegate.
func (b *bed) doFor(account, delegate identity, op any) error {
	b.tb.Helper()
	wrapped := body(op)
	wrapped.Account = account.raw()
	events, err := b.Apply(b.signed(delegate, wrapped))
	b.seen = append(b.seen, events...)
	return err
}

// must fails the test on an error.
func (b *bed) must(err error) {
	b.tb.Helper()
	if err != nil {
		b.tb.Fatal(err)
	}
}

// refused fails the test unless err is a refusal by a rule.
func (b *bed) refused(err error, r *Rule) {
	b.tb.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, r) || e.Code != r.Code || e.Text == "" {
		b.tb.Fatalf("got %v, want it refused as %q", err, r.Name)
	}
}

func (b *bed) balance(i identity) uint64 {
	b.tb.Helper()
	a, err := b.account(i.address())
	b.must(err)
	return a.Balance
}

// event finds the last event of a kind in the block; nil when there is none.
func (b *bed) event(kind string) map[string]string {
	for i := len(b.seen) - 1; i >= 0; i-- {
		if b.seen[i].Kind != kind {
			continue
		}
		out := map[string]string{}
		for _, a := range b.seen[i].Attrs {
			out[a.Key] = a.Value
		}
		return out
	}
	return nil
}

// possess enters validator keys with proofs for the owner.
func possess(r *tx.Register, owner, consensus, prover identity) {
	k, err := vrf.GenerateKey(bytes.NewReader(prover.private.Seed()))
	if err != nil {
		panic(err) // the seed is long enough
	}
	r.Possess(chainName, owner.address(), consensus.private, k)
}

// registration is a node's first entry, with its consent.
func registration(owner identity, node identity, roles economics.Role, keys bool) *tx.Register {
	r := &tx.Register{Node: node.raw(), Roles: uint32(roles), Region: "eu", PriceMicroUsdPerHour: 500_000}
	if keys {
		k := sha256.Sum256(node.raw())
		possess(r, owner, who(fmt.Sprintf("%x consensus", k)), who(fmt.Sprintf("%x vrf", k)))
	}
	r.Consent(chainName, node.private, owner.address())
	return r
}

// refused says whether err is a refusal: anything else must stop the node.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
