package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Machine applies blocks to a state. It is owned by one goroutine.
//
// A block is BeginBlock, Apply for each transaction, EndBlock, Flush. An error that is no
// *Error leaves the machine unusable: the node stops and starts again from its store.
type Machine struct {
	store   Store
	overlay *Overlay
	network Network
	live
	flushed live // as it was at the last Flush: what a Fork starts from
	written live // as the records have it

	kernel  proof.Kernel  // recomputes fraud proofs
	matcher proof.Matcher // and match certificates
	draws   *Draws
	attests Attests // remembers verified certificates; nil = nobody does

	begun   bool
	quiet   bool   // a fork: transactions report no events, and fraud proofs are not rendered
	samples uint64 // that fraud proofs of this block may have rendered
	updates []ValidatorUpdate
}

// live is the part of the state that every block touches, held decoded. Its records are
// written at the end of the block.
type live struct {
	params      economics.Params
	head        Head
	totals      Totals
	coefficient Coefficient
}

// Block is what consensus says about a block.
type Block struct {
	Height      uint64
	TimeMS      uint64     // Unix milliseconds, never before the last block's
	Proposer    [20]byte   // consensus address
	VRF         [32]byte   // output of the proposer's proof; part of the seed from here on
	Missed      [][20]byte // consensus addresses of validators that did not sign the last block
	Misbehavior []Misbehavior
}

// Misbehavior is a validator that consensus has caught.
type Misbehavior struct {
	Address [20]byte // consensus address
	Height  uint64   // of the offence
	TimeMS  uint64   // of the offence
	Kind    string   // for the event, such as duplicate_vote
}

// ValidatorUpdate tells consensus of a validator's power from now on; 0 takes it out.
type ValidatorUpdate struct {
	Key   [32]byte // Ed25519
	Power uint64
}

// Result is what a block leaves for consensus.
type Result struct {
	Validators []ValidatorUpdate // in the order of their keys
	Events     []Event
}

// newMachine is a machine on a store of which nothing is read yet.
func newMachine(s Store, options []Option) *Machine {
	m := &Machine{store: s, overlay: NewOverlay(s)}
	for _, o := range options {
		o(m)
	}
	if m.draws == nil {
		m.draws = new(Draws)
	}
	return m
}

// Open goes on from the state in s. It wraps ErrState when there is none.
func Open(s Store, options ...Option) (*Machine, error) {
	m := newMachine(s, options)
	for _, part := range []struct {
		key  []byte
		read func([]byte) error
	}{
		{NetworkKey(), func(b []byte) (err error) { m.network, err = DecodeNetwork(b); return err }},
		{ParamsKey(), func(b []byte) (err error) { m.params, err = DecodeParams(b); return err }},
		{HeadKey(), func(b []byte) (err error) { m.head, err = DecodeHead(b); return err }},
		{TotalsKey(), func(b []byte) (err error) { m.totals, err = DecodeTotals(b); return err }},
		{CoefficientKey(), func(b []byte) (err error) { m.coefficient, err = DecodeCoefficient(b); return err }},
	} {
		b, err := s.Get(part.key)
		if err != nil {
			return nil, fmt.Errorf("state: reading %q: %w", part.key, err)
		}
		if b == nil {
			return nil, fmt.Errorf("%w: %q is missing", ErrState, part.key)
		}
		if err := part.read(b); err != nil {
			return nil, err
		}
	}
	m.flushed, m.written = m.live, m.live
	return m, nil
}

// Network is what the genesis file fixed.
func (m *Machine) Network() Network { return m.network }

// Params are the parameters in force.
func (m *Machine) Params() economics.Params { return m.params }

// Head is where the chain stands, with the block that is being applied.
func (m *Machine) Head() Head { return m.head }

// Epoch is the epoch of the last block.
func (m *Machine) Epoch() uint64 { return m.head.Epoch }

// Supply are the running totals.
func (m *Machine) Supply() Totals { return m.totals }

// Reader reads the state with what has been applied and not flushed yet. It must not be
// used while the machine works.
func (m *Machine) Reader() Reader { return m.overlay }

// Fork is a machine on the last flushed state, to try transactions on and to throw away.
// It never writes to the store, flushing it is an error, and its transactions report no
// events. The two machines may work in turn, and at once where the store can be read from
// several goroutines.
func (m *Machine) Fork() *Machine {
	return &Machine{
		store: frozen{m.store}, overlay: NewOverlay(m.store), network: m.network,
		live: m.flushed, flushed: m.flushed, written: m.flushed, quiet: true,
		kernel: m.kernel, matcher: m.matcher, draws: m.draws, attests: m.attests,
	}
}

// frozen refuses to be written.
type frozen struct{ Reader }

func (frozen) Set(_, _ []byte) error { return fmt.Errorf("%w: a fork is flushed", ErrState) }
func (frozen) Delete(_ []byte) error { return fmt.Errorf("%w: a fork is flushed", ErrState) }

// BeginBlock starts a block: it counts who did not sign the last one, brings the epoch up to its time, works off what is due,
// punishes who was caught, and adds the proposer's randomness to the seed. It wraps
// ErrBlock for a block that is not the next one or older than the last.
func (m *Machine) BeginBlock(b Block) ([]Event, error) {
	switch {
	case m.begun:
		return nil, fmt.Errorf("%w: block %d has not ended", ErrBlock, m.head.Height)
	case b.Height != m.head.Height+1:
		return nil, fmt.Errorf("%w: block %d after %d", ErrBlock, b.Height, m.head.Height)
	case b.TimeMS < m.head.TimeMS:
		return nil, fmt.Errorf("%w: its time %d ms is before the last block's %d ms", ErrBlock, b.TimeMS, m.head.TimeMS)
	}
	m.begun = true
	m.updates = m.updates[:0]
	m.samples = 0
	m.head.Height, m.head.TimeMS, m.head.Proposer = b.Height, b.TimeMS, b.Proposer

	if err := m.missed(b.Missed); err != nil { // of the last block, so before the epoch changes
		return nil, fmt.Errorf("state: signatures of block %d: %w", b.Height-1, err)
	}
	var events []Event
	if e := economics.Epoch(m.network.GenesisMS, m.params.EpochSeconds, b.TimeMS); e > m.head.Epoch {
		more, err := m.enterEpoch(e)
		if err != nil {
			return nil, fmt.Errorf("state: epoch %d: %w", e, err)
		}
		events = append(events, more...)
	}
	more, err := m.workOff()
	if err != nil {
		return nil, fmt.Errorf("state: work due in epoch %d: %w", m.head.Epoch, err)
	}
	events = append(events, more...)
	for _, v := range b.Misbehavior {
		more, err := m.punish(v)
		if err != nil {
			return nil, fmt.Errorf("state: misbehaviour: %w", err)
		}
		events = append(events, more...)
	}
	m.head.Seed = NextSeed(m.head.Seed, b.VRF)
	return events, nil
}

// EndBlock ends a block: it checks that the purses sum to the supply and writes the head
// and the totals. It wraps ErrInvariant when they do not, after which the node must stop.
func (m *Machine) EndBlock() (Result, error) {
	if !m.begun {
		return Result{}, fmt.Errorf("%w: no block has begun", ErrBlock)
	}
	if err := m.checkSupply(); err != nil {
		return Result{}, fmt.Errorf("state: block %d: %w", m.head.Height, err)
	}
	if err := m.writeLive(); err != nil {
		return Result{}, err
	}
	updates, err := m.takeUpdates()
	if err != nil {
		return Result{}, err
	}
	m.begun = false
	return Result{Validators: updates}, nil
}

// Flush writes the block down to the store, in the order of the keys.
func (m *Machine) Flush() error {
	if m.begun {
		return fmt.Errorf("%w: block %d has not ended", ErrBlock, m.head.Height)
	}
	if err := m.overlay.Flush(m.store); err != nil {
		return fmt.Errorf("state: writing block %d: %w", m.head.Height, err)
	}
	m.flushed = m.live
	return nil
}

func (m *Machine) checkSupply() error {
	if sum, ok := m.totals.Sum(); !ok || sum != m.network.Supply {
		return fmt.Errorf("%w: the purses sum to %d base units, the supply is %d", ErrInvariant, sum, m.network.Supply)
	}
	return nil
}

// writeLive writes what is held decoded: the head, and what changed of totals, pools and
// coefficient.
func (m *Machine) writeLive() error {
	if err := m.overlay.Set(HeadKey(), m.head.Encode()); err != nil {
		return err
	}
	if m.totals != m.written.totals || m.head.Height == 0 {
		if err := m.overlay.Set(TotalsKey(), m.totals.Encode()); err != nil {
			return err
		}
	}
	for _, p := range economics.Pools() {
		if m.totals.Pools[p] != m.written.totals.Pools[p] || m.head.Height == 0 {
			if err := m.overlay.Set(PoolKey(p), encodePool(m.totals.Pools[p])); err != nil {
				return err
			}
		}
	}
	if m.coefficient != m.written.coefficient || m.head.Height == 0 {
		if err := m.overlay.Set(CoefficientKey(), m.coefficient.Encode()); err != nil {
			return err
		}
	}
	m.written = m.live
	return nil
}
