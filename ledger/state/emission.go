package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// An epoch's emission is handed out when the epoch after it has passed as well: until then
// its results may still be certified. So when epoch n begins, all epochs up to n − 2 are
// paid for. Epochs without a block have no results; what they emit goes to the reserve.

// payoutStep is how many recipients one piece of due work pays.
const payoutStep = 100

// AddWeight adds to what a node did in an epoch: what is recorded when the epoch is paid
// for decides its reward. Sessions enter their fees here when they settle; whoever judges
// verified results enters capacity and work. An epoch that has been paid for takes no more:
// then it is an error, which stops the node.
func (m *Machine) AddWeight(epoch uint64, c RewardClass, n key.Node, w Weight) error {
	if c >= rewardEnd || w.Capacity > economics.MaxWeight || w.Work > economics.MaxWeight || w.Fees > m.network.Supply {
		return fmt.Errorf("%w: weight of %s out of range", ErrRecord, n)
	}
	if e, err := m.emission(); err != nil {
		return err
	} else if epoch < e.Next {
		return fmt.Errorf("%w: weight for epoch %d, paid up to %d", ErrRecord, epoch, e.Next)
	}
	k := WeightKey(epoch, c, n)
	old, _, err := load(m.overlay, k, DecodeWeight)
	if err != nil {
		return err
	}
	// Each node's sums stay below the bound of one weight, so that those of 2^24 nodes fit.
	next := Weight{
		Capacity: min(old.Capacity+w.Capacity, economics.MaxWeight),
		Work:     min(old.Work+w.Work, economics.MaxWeight),
		Fees:     min(old.Fees+w.Fees, m.network.Supply),
	}
	sum, err := m.weightSum(epoch, c)
	if err != nil {
		return err
	}
	sum.Capacity = economics.Sum(sum.Capacity, next.Capacity-old.Capacity)
	sum.Work = economics.Sum(sum.Work, next.Work-old.Work)
	if err := m.overlay.Set(WeightSumKey(epoch, c), sum.Encode()); err != nil {
		return err
	}
	return m.overlay.Set(k, next.Encode())
}

// dropWeight takes a node's weight of readiness out of an epoch that is not paid for yet: it
// was proven false. What its sessions paid in fees stays.
func (m *Machine) dropWeight(epoch uint64, c RewardClass, n key.Node) error {
	if e, err := m.emission(); err != nil || epoch < e.Next {
		return err
	}
	k := WeightKey(epoch, c, n)
	w, ok, err := load(m.overlay, k, DecodeWeight)
	if err != nil || !ok || w.Capacity == 0 {
		return err
	}
	sum, err := m.weightSum(epoch, c)
	if err != nil {
		return err
	}
	sum.Capacity -= min(sum.Capacity, w.Capacity)
	w.Capacity = 0
	if err := m.overlay.Set(WeightSumKey(epoch, c), sum.Encode()); err != nil {
		return err
	}
	return m.overlay.Set(k, w.Encode())
}

// addLoad enters capacity that stood ready in an epoch, or that was paid for, in
// milli-RP·seconds: their ratio is the class's utilisation.
func (m *Machine) addLoad(epoch uint64, c RewardClass, offered, paid uint64) error {
	sum, err := m.weightSum(epoch, c)
	if err != nil {
		return err
	}
	sum.Offered, sum.Paid = economics.Sum(sum.Offered, offered), economics.Sum(sum.Paid, paid)
	sum.Utilisation = uint32(economics.Utilisation(sum.Paid, sum.Offered))
	return m.overlay.Set(WeightSumKey(epoch, c), sum.Encode())
}

func (m *Machine) weightSum(epoch uint64, c RewardClass) (WeightSum, error) {
	sum, _, err := load(m.overlay, WeightSumKey(epoch, c), DecodeWeightSum)
	return sum, err
}

func (m *Machine) emission() (Emission, error) {
	e, _, err := load(m.overlay, EmissionKey(), DecodeEmission)
	return e, err
}

// epochEmission pays for the epochs that have become final. Those with results are paid
// one by one; those between them had no block and are paid in one step, by the difference
// of two cumulative sums, which is what single steps would emit.
func (m *Machine) epochEmission(_, epoch uint64) ([]Event, error) {
	e, err := m.emission()
	if err != nil || epoch < 2 || e.Next > epoch-2 {
		return nil, err
	}
	results, err := m.epochsWithResults(e.Next, epoch-1)
	if err != nil {
		return nil, err
	}
	var events []Event
	from := e.Next
	for _, at := range append(results, epoch-1) {
		for _, span := range [][2]uint64{{from, at}, {at, min(at+1, epoch-1)}} {
			if span[0] >= span[1] {
				continue
			}
			ev, err := m.emit(span[0], span[1])
			if err != nil {
				return nil, err
			}
			events = append(events, ev)
		}
		from = at + 1
	}
	return events, m.overlay.Set(EmissionKey(), Emission{epoch - 1}.Encode())
}

// epochsWithResults are the epochs from, …, to−1 in which anything was recorded. Only
// epochs that had a block can be among them, and those are few: the last ones before a
// standstill.
func (m *Machine) epochsWithResults(from, to uint64) (epochs []uint64, err error) {
	last := with(prefixWeightSum, u64(to))
	for next := from; next < to; {
		found := false
		err := m.overlay.Range(with(prefixWeightSum, u64(next)), last, func(k, _ []byte) bool {
			r := reader{b: k[len(prefixWeightSum):]}
			epochs, found = append(epochs, r.u64()), true
			return false
		})
		if err != nil || !found {
			return epochs, err
		}
		next = epochs[len(epochs)-1] + 1
	}
	return epochs, nil
}

// emit releases what the pools of the schedule give for the epochs from, …, to−1 and gives
// out the shares. Several epochs at once have no results.
func (m *Machine) emit(from, to uint64) (Event, error) {
	var emitted, grants, indexers uint64
	shares := [rewardEnd]uint64{}
	for _, pool := range economics.EmittingPools() {
		v := m.params.Emission(pool, m.network.Allocated[pool], from, to)
		take := m.params.SplitTake(v)
		if err := m.move(poolOf(pool), poolOf(economics.PoolGrants), take.Grants); err != nil {
			return Event{}, err
		}
		if err := m.move(poolOf(pool), poolOf(economics.PoolIndexers), take.Indexers); err != nil {
			return Event{}, err
		}
		emitted, grants, indexers = emitted+v, grants+take.Grants, indexers+take.Indexers
		shares[classOf(pool)] = take.Rest
	}
	shares[RewardIndexer] = indexers
	if quarterEnded(m.params, from, to) {
		// The checkers' bonus of a quarter is its emission and all penalties.
		penalties := m.totals.Pools[economics.PoolPenalties]
		if err := m.move(poolOf(economics.PoolPenalties), poolOf(economics.PoolCheckerBonus), penalties); err != nil {
			return Event{}, err
		}
		shares[RewardBonus] += penalties
	}
	before := m.totals.Reserve()
	for c, share := range shares {
		if err := m.startPayout(from, to, RewardClass(c), share); err != nil {
			return Event{}, err
		}
	}
	return event("emission", "from_epoch", from, "to_epoch", to-1, "emitted", emitted,
		"grants", grants, "indexers", indexers, "reserve", m.totals.Reserve()-before), nil
}

func classOf(pool economics.Pool) RewardClass {
	switch pool {
	case economics.PoolEnterprise:
		return RewardEnterprise
	case economics.PoolCheckerBase:
		return RewardChecker
	case economics.PoolCheckerBonus:
		return RewardBonus
	}
	return RewardEdge
}

// quarterEnded says whether a quarter ends with one of the epochs from, …, to−1.
func quarterEnded(p economics.Params, from, to uint64) bool {
	return to/p.Quarter() > from/p.Quarter()
}

// startPayout begins to hand out a class's share of an epoch. With nothing recorded it goes
// to the reserve at once: nobody gets a windfall.
func (m *Machine) startPayout(epoch, to uint64, c RewardClass, share uint64) error {
	b, err := m.overlay.Get(WeightSumKey(epoch, c))
	if err != nil {
		return err
	}
	if b == nil || to != epoch+1 {
		return m.move(poolOf(c.Pool()), poolOf(economics.PoolReserve), share)
	}
	sum, err := DecodeWeightSum(b)
	if err != nil {
		return err
	}
	p := Payout{Sum: sum, Left: share}
	switch c {
	case RewardEdge, RewardEnterprise:
		p.Capacity, p.Work = economics.SplitPool(share, uint64(sum.Utilisation))
	case RewardIndexer:
		p.Work = share
	default:
		p.Capacity = share
	}
	if err := m.overlay.Delete(WeightSumKey(epoch, c)); err != nil {
		return err
	}
	if err := m.overlay.Set(PayoutKey(epoch, c), p.Encode()); err != nil {
		return err
	}
	return m.schedule(m.head.Epoch, dueDistribute, payoutSubject(epoch, c))
}

func payoutSubject(epoch uint64, c RewardClass) []byte { return with("", u64(epoch), []byte{byte(c)}) }

// distributeDue pays the next recipients of a payout, in the order of their keys, and asks
// to be called again while there are more. What is left in the end goes to the reserve:
// the remainders of all divisions, shares without weights, work above its fees, and what
// nodes would have got that are not there any more, not in good standing, or, of a quarter's
// bonus, do not deserve it.
func (m *Machine) distributeDue(subject []byte) ([]Event, error) {
	r := reader{b: subject}
	epoch, c := r.u64(), RewardClass(r.u8())
	if r.bad || len(r.b) != 0 || c >= rewardEnd {
		return nil, fmt.Errorf("%w: payout that is due", ErrRecord)
	}
	p, ok, err := load(m.overlay, PayoutKey(epoch, c), DecodePayout)
	if err != nil || !ok {
		return nil, err
	}
	type entry struct {
		node   key.Node
		weight Weight
	}
	var next []entry
	var bad error
	from := with(prefixWeight, u64(epoch), []byte{byte(c)})
	err = m.overlay.Range(from, prefixEnd(from), func(k, v []byte) bool {
		w, err := DecodeWeight(v)
		if bad = err; err != nil || len(k) != len(from)+key.Size {
			return false
		}
		next = append(next, entry{key.Node(k[len(from):]), w})
		return len(next) < payoutStep
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return nil, err
	}

	var events []Event
	for _, e := range next {
		if err := m.overlay.Delete(WeightKey(epoch, c, e.node)); err != nil {
			return nil, err
		}
		work, _ := economics.WorkReward(economics.Payout(p.Work, e.weight.Work, p.Sum.Work), e.weight.Fees)
		v := min(economics.Payout(p.Capacity, e.weight.Capacity, p.Sum.Capacity)+work, p.Left)
		if c == RewardBonus {
			if ok, err := m.deservesBonus(e.node, epoch); err != nil {
				return nil, err
			} else if !ok {
				continue
			}
		}
		paid, err := m.reward(c, e.node, v)
		if err != nil {
			return nil, err
		}
		if c == RewardChecker {
			if err := m.earned(e.node, paid); err != nil {
				return nil, err
			}
		}
		if paid > 0 {
			p.Left -= paid
			events = append(events, event("reward", "epoch", epoch, "class", c.String(), "node", e.node, "amount", paid))
		}
	}
	if len(next) == payoutStep {
		if err := m.overlay.Set(PayoutKey(epoch, c), p.Encode()); err != nil {
			return nil, err
		}
		return events, m.schedule(m.head.Epoch, dueDistribute, subject)
	}
	if err := m.move(poolOf(c.Pool()), poolOf(economics.PoolReserve), p.Left); err != nil {
		return nil, err
	}
	events = append(events, event("payout_ended", "epoch", epoch, "class", c.String(), "reserve", p.Left))
	return events, m.overlay.Delete(PayoutKey(epoch, c))
}

// reward pays a node's owner, and the node key's account the cut that was delegated to it,
// in lots: 30, 30 and 40 % for containers and indexers, one late lot for checkers. It
// returns what was paid: nothing to a node that is gone, jailed or out.
func (m *Machine) reward(c RewardClass, id key.Node, amount uint64) (uint64, error) {
	n, ok, err := m.node(id)
	if err != nil || !ok || amount == 0 {
		return 0, err
	}
	s, err := m.stake(id)
	if err != nil || !m.active(&n, s) {
		return 0, err
	}
	cut, err := m.cutOf(n.Owner, id, amount)
	if err != nil {
		return 0, err
	}
	for _, to := range []struct {
		account key.Address
		amount  uint64
	}{{n.Owner, amount - cut}, {key.Address(id), cut}} {
		if c == RewardChecker || c == RewardBonus {
			if err := m.move(poolOf(c.Pool()), m.checkerLot(to.account), to.amount); err != nil {
				return 0, err
			}
			continue
		}
		lots := m.params.RewardLots(to.amount)
		for _, lot := range lots {
			if err := m.move(poolOf(c.Pool()), m.free(to.account, lot.Epochs), lot.Amount); err != nil {
				return 0, err
			}
		}
	}
	return amount, nil
}
