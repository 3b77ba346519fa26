package round

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

const chain = "test"

func keyOf(kind string, i int) ed25519.PrivateKey {
	seed := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(kind), uint32(i)))
	return ed25519.NewKeyFromSeed(seed[:])
}

func nodeOf(k ed25519.PrivateKey) key.Node { return key.Node(k[ed25519.SeedSize:]) }

// cheap is the kernel with tiles that cost a hash.
func cheap() *recompute.Kernel {
	return recompute.With(func(_ kernel.Size, seed kernel.Seed, tile uint32, words *[kernel.TileWords]uint32) {
		copy(words[:], []uint32{binary.LittleEndian.Uint32(seed[:]), binary.LittleEndian.Uint32(seed[4:]), tile})
	})
}

// kit is one batch and its committee, without a network in between: what one says the
// others hear at once.
type kit struct {
	t        testing.TB
	params   judge.Params
	plan     *judge.Assignment
	times    judge.Times
	now      uint64
	keys     map[key.Node]ed25519.PrivateKey
	rounds   []*Round // by place in the committee
	silent   map[int]bool
	certs    []*tx.VoteCertificate
	frauds   []Fraud
	ballots  []Ballot
	said     []*proof.Opened // all that was gossiped
	unanswer bool            // containers do not open
	answer   func(*proof.Openings)
	chains   map[key.Node]*rendering
	standing judge.Standing
}

const frames = 12

func newKit(t testing.TB) *kit {
	k := &kit{t: t, keys: map[key.Node]ed25519.PrivateKey{}, silent: map[int]bool{}, chains: map[key.Node]*rendering{},
		params:   judge.Params{N: 2, Batch: 16, K: 48, CheckPPM: 1_000_000, CapPPM: 1_200_000, EpochMS: 900_000, DurMS: 13_000, GraceMS: 500, Reference: kernel.Reference},
		standing: judge.Standing{Rounds: 3, MedianMilli: 1 << 40}}
	var containers, checkers []judge.Candidate
	for i := range 2 {
		containers = append(containers, k.candidate("container", i))
	}
	for i := range 5 {
		checkers = append(checkers, k.candidate("checker", i))
	}
	k.times = judge.Schedule(k.params, 7, 1_790_000_000_000)
	k.plan = judge.Assign(chain, sha256.Sum256([]byte("seed")), 7, containers, checkers, k.params)
	for _, m := range k.plan.Batches[0].Committee {
		r, err := New(k.setup(m))
		if err != nil {
			t.Fatal(err)
		}
		k.rounds = append(k.rounds, r)
	}
	for _, c := range k.plan.Batches[0].Containers {
		k.chains[c] = render(cheap(), k.plan.Task, c)
	}
	k.to(k.times.Start)
	return k
}

func (k *kit) candidate(kind string, i int) judge.Candidate {
	secret := keyOf(kind, i)
	k.keys[nodeOf(secret)] = secret
	return judge.Candidate{Node: nodeOf(secret), Stake: 1, Owner: key.Address(nodeOf(secret))}
}

func (k *kit) setup(m key.Node) Setup {
	return Setup{Chain: chain, Key: k.keys[m], Assignment: k.plan, Times: k.times, Params: k.params, Kernel: cheap(),
		Standing: func(key.Node) judge.Standing { return k.standing }, Secret: Secret(k.keys[m], chain, 7), CrossPPM: 1_000_000}
}

// to lets time pass for everybody.
func (k *kit) to(now uint64) {
	k.now = now
	for i, r := range k.rounds {
		k.do(i, r.At(now))
	}
}

func (k *kit) do(i int, todo []Action) {
	k.t.Helper()
	for _, a := range todo {
		switch a := a.(type) {
		case Publish:
			k.said = append(k.said, a.Opened)
			for n, other := range k.rounds {
				if n != i && !k.silent[i] {
					more, _ := other.Heard(k.now, a.Opened)
					k.do(n, more)
				}
			}
		case Ask:
			if k.unanswer {
				k.do(i, k.rounds[i].Failed(k.now, a.Container))
				continue
			}
			more, err := k.rounds[i].Opened(k.now, a.Container, k.open(a, k.rounds[i].Me()))
			if err != nil && k.answer == nil {
				k.t.Error(err)
			}
			k.do(i, more)
		case Verify:
			k.do(i, k.rounds[i].Verified(k.now, a.Job.Run()))
		case Submit:
			k.certs = append(k.certs, a.Certificate)
			for _, r := range k.rounds {
				r.OnLedger(a.Batch)
			}
		case Ballot:
			k.ballots = append(k.ballots, a)
		case Fraud:
			k.frauds = append(k.frauds, a)
		}
	}
}

// rendering is an honest chain of the smallest size.
type rendering struct {
	roots  [][32]byte
	leaves [][][32]byte
}

func render(kern *recompute.Kernel, task [32]byte, container key.Node) *rendering {
	r := new(rendering)
	for n := range uint32(frames) {
		leaves := make([][32]byte, 16)
		for t := range leaves {
			leaves[t], _ = kern.Leaf(task, container, 0, r.roots, proof.Pick{Frame: n, Tile: uint32(t)})
		}
		r.leaves, r.roots = append(r.leaves, leaves), append(r.roots, kernel.Root(leaves))
	}
	return r
}

func (r *rendering) Roots() [][32]byte { return r.roots }

func (r *rendering) Open(_ context.Context, picks []proof.Pick) (items []*proof.Opening, err error) {
	for _, p := range picks {
		tree := kernel.NewTree(r.leaves[p.Frame])
		leaf := tree.Leaf(p.Tile)
		o := &proof.Opening{Frame: p.Frame, Tile: p.Tile, Leaf: leaf[:]}
		for _, s := range tree.Path(p.Tile) {
			o.Siblings = append(o.Siblings, s[:])
		}
		items = append(items, o)
	}
	return items, nil
}

var _ prove.Rendering = (*rendering)(nil)

func (k *kit) sign(by key.Node, s *proof.Statement) *proof.Opened {
	k.t.Helper()
	o, err := proof.Sign(chain, k.keys[by], s)
	if err != nil {
		k.t.Fatal(err)
	}
	return o
}

// commit is a container's commitment, changed before it is signed.
func (k *kit) commit(place int, change func(*proof.CapCommit)) *proof.Opened {
	c := k.container(place)
	root := kernel.RootsRoot(k.chains[c].roots)
	says := &proof.CapCommit{Epoch: 7, Frames: frames, Roots: root[:], Kernel: kernel.Name}
	if change != nil {
		change(says)
	}
	return k.sign(c, &proof.Statement{Says: &proof.Statement_Commit{Commit: says}})
}

func (k *kit) container(place int) key.Node { return k.plan.Batches[0].Containers[place] }

// commits brings honest commitments of all containers to all checkers, in time.
func (k *kit) commits() {
	k.now = k.times.T0 + k.params.DurMS + 40
	for i, r := range k.rounds {
		for place := range k.plan.Batches[0].Containers {
			have, todo, err := r.Committed(k.now, k.container(place), k.commit(place, nil), 20)
			if err != nil || have != k.commit(place, nil).Digest {
				k.t.Error(have, err)
			}
			k.do(i, todo)
		}
	}
}

// open answers a question honestly, or as answer changes it.
func (k *kit) open(a Ask, asker key.Node) *proof.Opened {
	items, _ := k.chains[a.Container].Open(context.Background(), a.Picks)
	o := &proof.Openings{Epoch: 7, Checker: asker[:], Commit: a.Commit[:], Items: items}
	for i := range k.chains[a.Container].roots {
		o.Roots = append(o.Roots, k.chains[a.Container].roots[i][:])
	}
	if k.answer != nil {
		k.answer(o)
	}
	return k.sign(a.Container, &proof.Statement{Says: &proof.Statement_Openings{Openings: o}})
}

// moments are those at which something falls due, to the end of the epoch.
func (k *kit) moments() (all []uint64) {
	for at := k.times.NonceReveal; at < k.times.End; at += 1_000 {
		all = append(all, at)
	}
	return all
}

// rest lets the rest of the epoch pass.
func (k *kit) rest() {
	for _, at := range k.moments() {
		if at > k.now {
			k.to(at)
		}
	}
}

func (k *kit) result() *proof.Result {
	k.t.Helper()
	if len(k.certs) == 0 {
		k.t.Fatal("no certificate")
	}
	r, err := proof.DecodeResult(k.certs[0].GetResult())
	if err != nil {
		k.t.Fatal(err)
	}
	return r
}

// rootOf is the root over leaves.
func rootOf(leaves [][32]byte) [32]byte { return kernel.Root(leaves) }

// check judges a fraud proof as the ledger does.
func (k *kit) check(f *tx.FraudProof) (proof.Conviction, error) {
	return proof.Check(proof.Rules{Chain: chain, Kernel: cheap(), Seed: func(uint64) ([32]byte, bool) { return k.plan.Seed, true }}, f)
}
