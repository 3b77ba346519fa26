package state

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Prefixes of what match certificates are compared with.
const (
	prefixFigures = "figs/"
	prefixBegan   = "began/"
	prefixBeacon  = "bcn/"
)

// FiguresKey holds the last Changes of what the ledger says of a container.
func FiguresKey(n key.Node) []byte { return with(prefixFigures, n[:]) }

// BeganKey holds the height of the first block of an epoch, 8 bytes.
func BeganKey(epoch uint64) []byte { return with(prefixBegan, u64(epoch)) }

// BeaconKey holds the epoch of which this is the seed, 8 bytes.
func BeaconKey(seed [32]byte) []byte { return with(prefixBeacon, seed[:]) }

// KeptChanges is how many changes of a container's figures are remembered. A round changes
// them once or twice, so that they reach back further than MatchEpochs.
const KeptChanges = 16

// Change is what the ledger said of a container after a block, and until the next change.
type Change struct {
	Height  uint64
	Figures proof.Figures
}

// Changes are the last ones, the oldest first. Before the first of them nothing was said,
// unless Cut says that there were more.
type Changes struct {
	Cut bool
	All []Change
}

// Encode writes 3 bytes and 32 for each change.
func (c Changes) Encode() []byte {
	w := newWriter(2 + 32*len(c.All))
	cut := uint8(0)
	if c.Cut {
		cut = 1
	}
	w.u8(cut)
	w.u8(uint8(len(c.All)))
	for _, x := range c.All {
		w.u64(x.Height)
		w.u64(x.Figures.RPMilli)
		w.u32(x.Figures.QualityPPM)
		w.u32(x.Figures.PriorityPPM)
		w.u64(x.Figures.ProvenUntil)
	}
	return w.b
}

// DecodeChanges reads what Encode wrote. It wraps ErrRecord.
func DecodeChanges(b []byte) (c Changes, err error) {
	r := newReader("changes", b)
	cut, n := r.u8(), int(r.u8())
	c.Cut = cut == 1
	r.check(cut <= 1 && n <= KeptChanges)
	for i := range min(n, KeptChanges) {
		x := Change{r.u64(), proof.Figures{RPMilli: r.u64(), QualityPPM: r.u32(), PriorityPPM: r.u32(), ProvenUntil: r.u64()}}
		r.check(i == 0 || c.All[i-1].Height < x.Height)
		r.check(x.Figures.QualityPPM <= amount.PPM && x.Figures.PriorityPPM <= amount.PPM)
		c.All = append(c.All, x)
	}
	return c, r.done()
}

// After says whether these were the figures after a block: Unknown where too much changed
// since to tell.
func (c Changes) After(height uint64, f proof.Figures) proof.Answer {
	var had proof.Figures // nothing was said
	known := !c.Cut
	for _, x := range c.All {
		if x.Height > height {
			break
		}
		had, known = x.Figures, true
	}
	switch {
	case !known:
		return proof.Unknown
	case had == f:
		return proof.Right
	}
	return proof.Wrong
}

// add takes what is said from a block on.
func (c Changes) add(height uint64, f proof.Figures) (out Changes, changed bool) {
	var last Change
	if n := len(c.All); n > 0 {
		last = c.All[n-1]
	}
	if last.Figures == f {
		return c, false
	}
	if len(c.All) > 0 && last.Height == height { // what counts is what stands after the block
		c.All[len(c.All)-1].Figures = f
		return c, true
	}
	c.All = append(c.All, Change{height, f})
	if len(c.All) > KeptChanges {
		c.Cut, c.All = true, c.All[1:]
	}
	return c, true
}

// setStanding writes a standing, and remembers what of it indexers go by.
func (m *Machine) setStanding(n key.Node, s Standing) error {
	if err := m.overlay.Set(StandingKey(n), s.Encode()); err != nil {
		return err
	}
	return m.figuresAre(n, proof.Figures{RPMilli: s.RPMilli, QualityPPM: s.QualityPPM, PriorityPPM: s.PriorityPPM, ProvenUntil: s.ProvenUntil})
}

func (m *Machine) figuresAre(n key.Node, f proof.Figures) error {
	c, _, err := load(m.overlay, FiguresKey(n), DecodeChanges)
	if err != nil {
		return err
	}
	if next, changed := c.add(m.head.Height, f); changed {
		return m.overlay.Set(FiguresKey(n), next.Encode())
	}
	return nil
}

// forgetFigures is when a node leaves the registry: from now on nothing is said of it, and
// once no certificate can be judged by it any more, the record goes as well.
func (m *Machine) forgetFigures(n key.Node) error {
	if b, err := m.overlay.Get(FiguresKey(n)); err != nil || b == nil {
		return err
	}
	if err := m.figuresAre(n, proof.Figures{}); err != nil {
		return err
	}
	return m.schedule(m.head.Epoch+MatchEpochs+2, dueVoteCleanup, with("", []byte{cleanFiguresOf}, n[:]))
}

// cleanFigures takes the changes of a node away of which nothing has been said since. One that
// came back and left again in between has a later time for it: a certificate that is still
// judged may name what was said of it meanwhile, and its indexer would be convicted of that.
func (m *Machine) cleanFigures(n key.Node) error {
	if b, err := m.overlay.Get(StandingKey(n)); err != nil || b != nil {
		return err
	}
	c, ok, err := load(m.overlay, FiguresKey(n), DecodeChanges)
	if err != nil || !ok {
		return err
	}
	judged, err := m.firstJudged()
	if err != nil || len(c.All) > 0 && c.All[len(c.All)-1].Height >= judged {
		return err
	}
	return m.overlay.Delete(FiguresKey(n))
}

// firstJudged is the height of the first block that certificates are still compared with.
func (m *Machine) firstJudged() (height uint64, err error) {
	facts := m.matchFacts()
	for e := m.head.Epoch - min(m.head.Epoch, MatchEpochs); e <= m.head.Epoch; e++ {
		if height, ok := facts.number(BeganKey(e)); ok || facts.bad != nil {
			return height, facts.bad
		}
	}
	return m.head.Height, nil
}

// began remembers where an epoch begins, and whose seed that is.
func (m *Machine) began(epoch, height uint64, seed [32]byte) error {
	if err := m.overlay.Set(BeganKey(epoch), u64(height)); err != nil {
		return err
	}
	return m.overlay.Set(BeaconKey(seed), u64(epoch))
}

// tidySeeds takes old seeds away with what leads to them, and where old epochs began.
func (m *Machine) tidySeeds(epoch uint64) error {
	if err := m.tidy(prefixBegan, epoch, keptCandidates, tidiedSeeds); err != nil || epoch <= keptSeeds {
		return err
	}
	var old [][32]byte
	err := m.overlay.Range([]byte(prefixSeed), with(prefixSeed, u64(epoch-keptSeeds)), func(_, v []byte) bool {
		if len(v) == 32 {
			old = append(old, [32]byte(v))
		}
		return len(old) < tidiedSeeds
	})
	for _, seed := range old {
		if err == nil {
			err = m.overlay.Delete(BeaconKey(seed))
		}
	}
	if err != nil {
		return err
	}
	return m.tidy(prefixSeed, epoch, keptSeeds, tidiedSeeds)
}
