package state

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// hashKernel renders a tile by hashing its place: the rules of evidence do not care for
// pictures. A frame has four tiles.
type hashKernel struct{}

var _ proof.Kernel = hashKernel{}

const frameTiles = 4

func sha(parts ...[]byte) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

func (hashKernel) Version() string { return proof.KernelRP1 }

func (hashKernel) Shape(size uint32) (uint32, uint64, bool) { return frameTiles, 1024, size == 0 }

func (hashKernel) RootsRoot(roots [][32]byte) [32]byte {
	var all []byte
	for _, r := range roots {
		all = append(all, r[:]...)
	}
	return sha([]byte("roots"), all)
}

func (hashKernel) Picks(nonce, commit [32]byte, frames, tiles uint32, k int) (picks []proof.Pick) {
	start := binary.BigEndian.Uint32(nonce[:])
	for i := range min(uint32(k), frames*tiles) {
		at := (start + i) % (frames * tiles)
		picks = append(picks, proof.Pick{Frame: at / tiles, Tile: at % tiles})
	}
	return picks
}

func leafOf(task, container [32]byte, p proof.Pick) [32]byte {
	return sha([]byte("leaf"), task[:], container[:], u32(p.Frame), u32(p.Tile))
}

func pathRoot(leaf [32]byte, tile uint32, siblings [][32]byte) [32]byte {
	for _, s := range siblings {
		if tile&1 == 0 {
			leaf = sha(leaf[:], s[:])
		} else {
			leaf = sha(s[:], leaf[:])
		}
		tile >>= 1
	}
	return leaf
}

func (hashKernel) CheckTile(task, container [32]byte, _ uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error {
	if len(siblings) != 2 || pathRoot(leaf, p.Tile, siblings) != roots[p.Frame] {
		return proof.ErrPath
	}
	if leaf != leafOf(task, container, p) {
		return proof.ErrTile
	}
	return nil
}

func (hashKernel) Work(task, container, checker [32]byte, _ uint32, _ [][32]byte, picks []proof.Pick) ([32]byte, error) {
	var all []byte
	for _, p := range picks {
		leaf := leafOf(task, container, p)
		all = append(all, leaf[:]...)
	}
	return sha([]byte("work"), checker[:], all), nil
}

// render is a frame of four leaves: its root and the path of each tile. spoil may change
// leaves first.
func render(task, container [32]byte, frame uint32, spoil func(leaves *[frameTiles][32]byte)) (root [32]byte, openings [frameTiles]*proof.Opening) {
	var l [frameTiles][32]byte
	for t := range l {
		l[t] = leafOf(task, container, proof.Pick{Frame: frame, Tile: uint32(t)})
	}
	if spoil != nil {
		spoil(&l)
	}
	pairs := [2][32]byte{sha(l[0][:], l[1][:]), sha(l[2][:], l[3][:])}
	for t := range l {
		openings[t] = &proof.Opening{Frame: frame, Tile: uint32(t), Leaf: slices.Clone(l[t][:]),
			Siblings: [][]byte{slices.Clone(l[t^1][:]), slices.Clone(pairs[1-t/2][:])}}
	}
	return sha(pairs[0][:], pairs[1][:]), openings
}

// judging makes committees of three, so that the six checkers of playing are a committee and
// its reserve, and lets both containers stand from the start.
func judging(p *genesis.Plan) {
	p.Params.ProofN = 1
	p.Params.AppealEpochs = 3
	for i := range p.Nodes {
		if economics.Role(p.Nodes[i].Roles).Has(economics.RoleContainer) {
			p.Nodes[i].RPMilli = 100_000
		}
	}
}

func newRounds(tb testing.TB, change ...func(*genesis.Plan)) *bed {
	tb.Helper()
	return newPlay(tb, append([]func(*genesis.Plan){judging}, change...)...)
}

// identity finds the key of a drawn node.
func (b *bed) identity(n key.Node) identity {
	b.tb.Helper()
	i, ok := known(n)
	if !ok {
		b.tb.Fatalf("nobody knows the key of %s", n)
	}
	return i
}

// known finds the key of a node that has one of the kit's names.
func known(n key.Node) (identity, bool) {
	for _, name := range kitNames {
		if who(name).node() == n {
			return who(name), true
		}
	}
	return identity{}, false
}

var kitNames = []string{"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "v1", "v2", "c1", "c2", "i1", "new1", "new2"}

func (b *bed) drawn(epoch uint64) *judge.Assignment {
	b.tb.Helper()
	a, ok, err := DrawnFor(b.Reader(), chainName, epoch, b.Params())
	if err != nil || !ok {
		b.tb.Fatalf("nothing drawn for epoch %d: %v", epoch, err)
	}
	return a
}

// result says that all of a batch is well, every member was right, and what edit makes of it.
func (b *bed) result(epoch uint64, batch uint32, edit func(*proof.Result)) *proof.Result {
	b.tb.Helper()
	drawn := b.drawn(epoch).Batches[batch]
	r := &proof.Result{Epoch: epoch, Batch: batch, Votes: sha([]byte("votes"), u64(epoch), u32(batch)), Correct: 1<<len(drawn.Committee) - 1}
	for range drawn.Containers {
		r.Entries = append(r.Entries, proof.Entry{Verdict: proof.VerdictOK, RPMilli: 100_000})
	}
	if edit != nil {
		edit(r)
	}
	return r
}

// panelOf is who may attest a result, by place.
func (b *bed) panelOf(r *proof.Result) []key.Node {
	b.tb.Helper()
	if r.Batch&appealBit == 0 {
		if all := b.drawn(r.Epoch).Batches; int(r.Batch) < len(all) {
			return all[r.Batch].Members(r.Attempt)
		}
		return nil
	}
	all, err := ReadAppeals(b.Reader(), r.Epoch)
	b.must(err)
	for _, x := range all {
		if x.Batch != r.Batch {
			continue
		}
		a, _, err := ReadAccusation(b.Reader(), x.Accusation)
		b.must(err)
		members, _, err := AppealCommittee(b.Reader(), r.Epoch, x.Accusation, a, b.Params())
		b.must(err)
		return members
	}
	return nil
}

// certificateBy is a certificate on a result, signed by nodes. One that is not in the panel
// signs for a place behind it.
func (b *bed) certificateBy(r *proof.Result, nodes ...key.Node) *tx.VoteCertificate {
	b.tb.Helper()
	raw, err := proof.EncodeResult(r)
	b.must(err)
	c := &tx.VoteCertificate{Epoch: r.Epoch, Batch: r.Batch, Result: raw}
	panel := b.panelOf(r)
	for _, n := range nodes {
		if !slices.Contains(panel, n) {
			panel = append(slices.Clip(panel), n)
		}
	}
	for place, n := range panel {
		if slices.Contains(nodes, n) {
			c.AddAttestation(place, tx.Attest(chainName, b.identity(n).private, r.Epoch, r.Batch, raw))
		}
	}
	return c
}

// certify lets the committee of the only batch attest what edit makes of a good round.
func (b *bed) certify(epoch uint64, edit func(*proof.Result)) {
	b.tb.Helper()
	r := b.result(epoch, 0, edit)
	b.must(b.send(who("alice"), b.certificateBy(r, b.drawn(epoch).Batches[0].Committee...)))
}

// on edits the entry of one container.
func (b *bed) on(epoch uint64, container string, e proof.Entry) func(*proof.Result) {
	return func(r *proof.Result) {
		_, at, ok := b.drawn(epoch).Of(who(container).node())
		if !ok {
			b.tb.Fatalf("%s is in no batch", container)
		}
		r.Entries[at] = e
	}
}

func bad(reason proof.Reason) proof.Entry {
	evidence := sha([]byte("evidence"))
	e := proof.Entry{Verdict: proof.VerdictBad, Reason: reason, Evidence: proof.NameOf(evidence[:])}
	if e.Accuses() {
		e.Found = 7 // by three
	}
	return e
}

func (b *bed) standingOf(name string) Standing {
	b.tb.Helper()
	s, _, err := ReadStanding(b.Reader(), who(name).node())
	b.must(err)
	return s
}

func (b *bed) conductOf(n key.Node) Conduct {
	b.tb.Helper()
	c, _, err := ReadConduct(b.Reader(), n)
	b.must(err)
	return c
}

func (b *bed) weightOf(epoch uint64, c RewardClass, n key.Node) Weight {
	b.tb.Helper()
	w, _, err := load(b.Reader(), WeightKey(epoch, c, n), DecodeWeight)
	b.must(err)
	return w
}

// lastVerdict is the newest verdict on a node.
func (b *bed) lastVerdict(n key.Node) Verdict {
	b.tb.Helper()
	all, err := ReadHistory(b.Reader(), n)
	b.must(err)
	if len(all) == 0 {
		b.tb.Fatalf("no verdict on %s", n)
	}
	return all[len(all)-1]
}

// judgingByDay makes four epochs a day.
func judgingByDay(p *genesis.Plan) { p.Params.EpochSeconds = 21_600 }
