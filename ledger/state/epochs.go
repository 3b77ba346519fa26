package state

import (
	"crypto/sha256"
	"fmt"
)

// seedDomain keeps these hashes apart from all others.
const seedDomain = "framemesh/seed/1"

// NextSeed adds a proposer's VRF output to the chain of randomness.
func NextSeed(seed, output [32]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(seedDomain))
	h.Write(seed[:])
	h.Write(output[:])
	return [32]byte(h.Sum(nil))
}

// FirstSeed begins the chain of randomness of a network: everybody knows it, so epoch 0
// draws nothing that matters.
func FirstSeed(genesis [32]byte) [32]byte { return NextSeed([32]byte{}, genesis) }

// keptSeeds is for how many epochs a seed can be looked up: a quarter of 900 s epochs,
// longer than any window for evidence.
const keptSeeds = 8_760

// tidiedSeeds is how many old seeds a new epoch takes away at most: it brings one, so this
// catches up with any pause, a little in each epoch.
const tidiedSeeds = 100

// ReadSeed is the seed of an epoch as it stands in r; ok is false for an epoch that has
// not begun, had no block, or is long past.
func ReadSeed(r Reader, epoch uint64) (seed [32]byte, ok bool, err error) {
	b, err := r.Get(SeedKey(epoch))
	if err != nil || b == nil {
		return seed, false, err
	}
	if len(b) != len(seed) {
		return seed, false, fmt.Errorf("%w: seed", ErrRecord)
	}
	return [32]byte(b), true, nil
}

// enterEpoch is the step from the last block's epoch to a later one. Epochs in between had
// no block: what they would have emitted is emitted now, by cumulative sums.
func (m *Machine) enterEpoch(epoch uint64) ([]Event, error) {
	last := m.head.Epoch
	m.head.Epoch = epoch
	// The seed was fixed by the last block of an earlier epoch, when this one's candidates
	// were frozen already.
	if err := m.overlay.Set(SeedKey(epoch), append([]byte(nil), m.head.Seed[:]...)); err != nil {
		return nil, err
	}
	if err := m.began(epoch, m.head.Height, m.head.Seed); err != nil {
		return nil, err
	}
	events := []Event{event("epoch", "epoch", epoch, "skipped", epoch-last-1)}
	if err := m.freezeCandidates(last, epoch); err != nil {
		return nil, err
	}
	if err := m.tidySeeds(epoch); err != nil {
		return nil, err
	}
	for _, step := range []func(last, epoch uint64) ([]Event, error){m.electValidators, m.epochEmission, m.newCoefficient} {
		more, err := step(last, epoch)
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	return events, nil
}

// tidy takes away records under a prefix that is followed by their epoch, once they are
// more than kept epochs old; at most so many at a time, the oldest first.
func (m *Machine) tidy(prefix string, epoch, kept uint64, most int) error {
	if epoch <= kept {
		return nil
	}
	var old [][]byte
	err := m.overlay.Range([]byte(prefix), with(prefix, u64(epoch-kept)), func(k, _ []byte) bool {
		old = append(old, append([]byte(nil), k...))
		return len(old) < most
	})
	for _, k := range old {
		if err == nil {
			err = m.overlay.Delete(k)
		}
	}
	return err
}

// dueKind says what is to be done with a subject at the beginning of an epoch.
type dueKind uint8

// schedule asks for work at the beginning of an epoch, or in the next block when the epoch
// has begun. The same request twice is one.
func (m *Machine) schedule(epoch uint64, kind dueKind, subject []byte) error {
	return m.overlay.Set(dueKey(epoch, kind, subject), []byte{layout})
}

// unschedule takes a request back.
func (m *Machine) unschedule(epoch uint64, kind dueKind, subject []byte) error {
	return m.overlay.Delete(dueKey(epoch, kind, subject))
}

// dueItem is work that is due.
type dueItem struct {
	kind         dueKind
	subject, key []byte
}

// workOff does what is due, lane by lane, in the order of epochs, kinds and subjects, at
// most max_due_per_block of it; the rest waits for the next block.
func (m *Machine) workOff() ([]Event, error) {
	var items []dueItem
	const fixed = len(prefixDue) + 1 + 8 + 1
	for lane := range uint8(lanes) {
		if uint64(len(items)) >= m.params.MaxDuePerBlock {
			break
		}
		from, to := with(prefixDue, []byte{lane}), with(prefixDue, []byte{lane}, u64(m.head.Epoch+1))
		err := m.overlay.Range(from, to, func(k, _ []byte) bool {
			if len(k) >= fixed {
				k = append([]byte(nil), k...)
				items = append(items, dueItem{dueKind(k[fixed-1]), k[fixed:], k})
			}
			return uint64(len(items)) < m.params.MaxDuePerBlock
		})
		if err != nil {
			return nil, err
		}
	}
	var events []Event
	for _, it := range items {
		if err := m.overlay.Delete(it.key); err != nil {
			return nil, err
		}
		more, err := m.workOn(it.kind, it.subject)
		if err != nil {
			return nil, fmt.Errorf("kind %d: %w", it.kind, err)
		}
		events = append(events, more...)
	}
	return events, nil
}
