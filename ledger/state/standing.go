package state

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// ReadStanding is what rounds have shown of a container as it stands in r; ok is false for
// one of which nothing was ever said. Ask Proven before it may stand by.
func ReadStanding(r Reader, n key.Node) (s Standing, ok bool, err error) {
	if s, ok, err = load(r, StandingKey(n), DecodeStanding); !ok {
		s = newStanding()
	}
	return s, ok, err
}

// ReadConduct is how a checker has judged as it stands in r; ok is false for one that has
// never been judged.
func ReadConduct(r Reader, n key.Node) (c Conduct, ok bool, err error) {
	return load(r, ConductKey(n), DecodeConduct)
}

// ReadHistory are the last verdicts on a node in all of its roles, in the order of blocks,
// at most KeptVerdicts of each. An indexer's are numbered by the node's offences. It only gets
// single values, so that it works over proofs.
func ReadHistory(r Reader, n key.Node) ([]Verdict, error) {
	s, _, err := ReadStanding(r, n)
	if err != nil {
		return nil, err
	}
	c, _, err := ReadConduct(r, n)
	if err != nil {
		return nil, err
	}
	stake, _, err := load(r, StakeKey(n), DecodeStake)
	if err != nil {
		return nil, err
	}
	var all []Verdict
	for _, ring := range []struct {
		role  economics.Role
		total uint32
	}{{economics.RoleContainer, s.Verdicts}, {economics.RoleChecker, c.Verdicts}, {economics.RoleIndexer, uint32(stake.Offences)}} {
		for i := ring.total - min(ring.total, KeptVerdicts); i < ring.total; i++ {
			v, ok, err := load(r, HistoryKey(n, ring.role, i), DecodeVerdict)
			if err != nil {
				return nil, err
			}
			if ok {
				all = append(all, v)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Verdict) int { return cmp.Compare(a.Height, b.Height) })
	return all, nil
}

// Appealed is an accusation that a wider committee looks at again.
type Appealed struct {
	Batch      uint32 // of the certificate that answers it
	Accusation [32]byte
}

// ReadAppeals are the appeals that are judged in an epoch, in the order in which they were
// made. It reads one record.
func ReadAppeals(r Reader, epoch uint64) ([]Appealed, error) {
	names, _, err := load(r, AppealsKey(epoch), decodeAppeals)
	if err != nil {
		return nil, err
	}
	all := make([]Appealed, len(names))
	for i, id := range names {
		all[i] = Appealed{AppealBatch(id), id}
	}
	return all, nil
}

// ReadAccusation is a slash that waits for its appeal.
func ReadAccusation(r Reader, id [32]byte) (a Accusation, ok bool, err error) {
	return load(r, AccusationKey(id), DecodeAccusation)
}

func (m *Machine) standing(n key.Node) (Standing, error) {
	s, _, err := ReadStanding(m.overlay, n)
	return s, err
}

func (m *Machine) conduct(n key.Node) (Conduct, error) {
	c, _, err := ReadConduct(m.overlay, n)
	return c, err
}

// remark writes a verdict into the ring of a container and its standing with it.
func (m *Machine) remark(n key.Node, s Standing, v Verdict) error {
	v.Role, v.Height = economics.RoleContainer, m.head.Height
	if err := m.overlay.Set(HistoryKey(n, v.Role, s.Verdicts), v.Encode()); err != nil {
		return err
	}
	s.Verdicts++
	return m.setStanding(n, s)
}

// remarkChecker is remark for a checker.
func (m *Machine) remarkChecker(n key.Node, c Conduct, v Verdict) error {
	v.Role, v.Height = economics.RoleChecker, m.head.Height
	if err := m.overlay.Set(HistoryKey(n, v.Role, c.Verdicts), v.Encode()); err != nil {
		return err
	}
	c.Verdicts++
	return m.overlay.Set(ConductKey(n), c.Encode())
}

// remarkIndexer writes down what an indexer was convicted of, under the number of that
// offence: nothing else is ever said of indexers.
func (m *Machine) remarkIndexer(n key.Node, v Verdict) error {
	s, err := m.stake(n)
	if err != nil || s.Offences == 0 {
		return err
	}
	v.Role, v.Height = economics.RoleIndexer, m.head.Height
	return m.overlay.Set(HistoryKey(n, v.Role, uint32(s.Offences)-1), v.Encode())
}

// forgetNode takes away what was found about a node that leaves the registry.
func (m *Machine) forgetNode(n key.Node) error {
	from := with(prefixHistory, n[:])
	keys := [][]byte{StandingKey(n), ConductKey(n)}
	err := m.overlay.Range(from, prefixEnd(from), func(k, _ []byte) bool {
		keys = append(keys, bytes.Clone(k))
		return true
	})
	for _, k := range keys {
		if err == nil {
			err = m.overlay.Delete(k)
		}
	}
	if err != nil {
		return err
	}
	return m.forgetFigures(n)
}

// dayEpochs is how many epochs make a day, at least 1.
func (m *Machine) dayEpochs() uint64 { return max(1, 86_400/m.params.EpochSeconds) }

// restore gives back priority for the clean days until an epoch.
func (m *Machine) restore(s *Standing, epoch uint64) {
	if s.CleanFrom >= epoch {
		return
	}
	days := (epoch - s.CleanFrom) / m.dayEpochs()
	s.PriorityPPM = uint32(economics.Restore(uint64(s.PriorityPPM), days))
	s.CleanFrom += days * m.dayEpochs()
}

// demoted halves a container's priority in matching, besides what an offence costs.
func (m *Machine) demoted(n key.Node) error {
	s, err := m.standing(n)
	if err != nil {
		return err
	}
	m.restore(&s, m.head.Epoch)
	s.PriorityPPM = uint32(economics.Demote(uint64(s.PriorityPPM)))
	s.CleanFrom = m.head.Epoch
	return m.setStanding(n, s)
}
