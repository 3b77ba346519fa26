package testnet

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	pb "google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p/gossip"
	"github.com/framemesh/framemesh/p2p/wire"
)

const roundSeconds = 20

// proving starts a network of rounds and waits for its first certificate.
func proving(t *testing.T, containers int, change ...func(*Money)) *Net {
	t.Helper()
	realEpochs(t)
	m := &Money{EpochSeconds: roundSeconds, Proofs: true}
	for _, ch := range change {
		ch(m)
	}
	n := start(t, Options{Containers: containers, Checkers: 5, Slots: 1, Money: m})
	until(t, "a first certificate", 20*roundSeconds*time.Second, func() bool {
		for _, p := range proofsOf(t, n) {
			if p.Certificates > 0 {
				return true
			}
		}
		return false
	})
	return n
}

func proofsOf(t *testing.T, n *Net) []Proofs {
	t.Helper()
	all, err := n.Proofs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Frauds != 0 || p.Slashes != 0 || p.Wrong != 0 {
			t.Fatalf("honest nodes were accused: %+v", p)
		}
	}
	return all
}

// epochOf is the epoch that runs, by the genesis file.
func epochOf(n *Net) uint64 {
	return uint64(time.Since(n.Genesis().Time).Seconds()) / roundSeconds
}

// provenAgain waits for a whole epoch, begun from now on, in which all containers are proven.
func provenAgain(t *testing.T, n *Net, containers int, after string) {
	t.Helper()
	from := epochOf(n) + 1
	until(t, "a round after "+after, 25*roundSeconds*time.Second, func() bool {
		for _, p := range proofsOf(t, n) {
			if p.Epoch >= from && p.Certificates > 0 && p.Proven == containers {
				return true
			}
		}
		return false
	})
}

// roundsOfTries is how often something is done to a round that has to end in its epoch all the
// same: a machine that stalls may miss a round by itself.
const roundsOfTries = 4

// endsWell waits for the certificate of an epoch, and says whether there is one: it comes in the
// epoch itself, or is brought to the ledger in the next.
func endsWell(t *testing.T, n *Net, epoch uint64) (certified bool) {
	t.Helper()
	until(t, fmt.Sprintf("the certificate of epoch %d, or the end of the next", epoch), 4*roundSeconds*time.Second, func() bool {
		for _, p := range proofsOf(t, n) {
			certified = certified || p.Epoch == epoch && p.Certificates > 0
		}
		return certified || epochOf(n) > epoch+1
	})
	if !certified {
		t.Logf("epoch %d has no certificate", epoch)
	}
	return certified
}

// nodeKeyOf is a stranger's key as one of a node.
func nodeKeyOf(h host.Host) ed25519.PrivateKey {
	raw, err := h.Peerstore().PrivKey(h.ID()).Raw()
	if err != nil {
		panic(err)
	}
	return ed25519.PrivateKey(raw)
}

// commitment is one that a stranger signs, for whatever epoch and network.
func commitment(h host.Host, chain string, epoch uint64) []byte {
	root := sha256.Sum256([]byte("no frames"))
	o, err := proof.Sign(chain, nodeKeyOf(h), &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{
		Epoch: epoch, Frames: 512, Size: 7, Roots: root[:], Kernel: proof.KernelRP1}}})
	if err != nil {
		panic(err)
	}
	return o.Raw
}

// proofServices are the protocols of a round.
func proofServices(n *Net) []service {
	return []service{
		{"check/commit", "checker-1", func(i int, h host.Host) pb.Message {
			switch i % 6 {
			case 0:
				return &wire.CommitRequest{Statement: random(1 + i)}
			case 1:
				return &wire.CommitRequest{Statement: commitment(h, n.Network(), epochOf(n))}
			case 2:
				return &wire.CommitRequest{Statement: commitment(h, n.Network(), 1<<63)}
			case 3:
				return &wire.CommitRequest{Statement: commitment(h, "elsewhere", epochOf(n))}
			case 4:
				forged := commitment(h, n.Network(), epochOf(n))
				forged[len(forged)-1] ^= 1
				return &wire.CommitRequest{Statement: forged}
			}
			return &wire.CommitRequest{}
		}},
		{"check/recall", "checker-2", nil},
		{"check/open", "container-1", func(i int, _ host.Host) pb.Message {
			switch i % 4 {
			case 0:
				return &wire.OpenRequest{Epoch: epochOf(n), Commit: random(32), Picks: []uint32{1 << 31, 1 << 31}}
			case 1:
				return &wire.OpenRequest{Epoch: 1 << 63, Commit: random(32), Picks: []uint32{0, 0}}
			case 2:
				return &wire.OpenRequest{Epoch: epochOf(n), Commit: random(31), Picks: []uint32{0, 0}}
			}
			return &wire.OpenRequest{Epoch: epochOf(n), Commit: random(32), Picks: make([]uint32, 258)}
		}},
		{"check/ping", "container-2", func(i int, _ host.Host) pb.Message {
			if i%2 == 0 {
				return &wire.PingRequest{Epoch: epochOf(n), Nonce: random(32)}
			}
			return &wire.PingRequest{Epoch: 1 << 63, Nonce: random(3)}
		}},
	}
}

// Strangers send junk, forgeries and statements that are not theirs to make to every protocol
// and topic of a round: all of it is refused and counted, and the rounds go on with nobody
// accused.
func TestHostilePeersOfRounds(t *testing.T) {
	n := proving(t, 2)
	goroutines, heap := footprint()
	var wg sync.WaitGroup
	for _, s := range proofServices(n) {
		wg.Go(func() { slowStreams(t, n, s) })
		for why, make := range broken {
			victim, h := n.Find(s.at), stranger(t)
			id := knows(t, h, victim)
			before := figure(t, victim, "framemesh_rpc_rejected_total", s.name, why)
			codes, silent := storm(t.Context(), h, id, s.name, 4, make)
			if codes[wire.Code_OK] > 0 || len(codes) == 0 && why != "truncated" {
				t.Errorf("%s, %s: answers %v, %d without", s.name, why, codes, silent)
			}
			if rejected := figure(t, victim, "framemesh_rpc_rejected_total", s.name, why) - before; rejected < 5 || rejected > each {
				t.Errorf("%s, %s: %v counted", s.name, why, rejected)
			}
			_ = h.Close()
		}
		wellFormed(t, n, s)
	}
	for _, at := range []string{"checker-1", "checker-3"} {
		junkOn(t, n, at, gossip.VotesTopic(n.Network(), 0))
	}
	wg.Wait()
	provenAgain(t, n, 2, "hostile peers")
	leaksNothing(t, goroutines, heap)
}

// midway waits for a part of the next epoch, in hundredths.
func midway(t *testing.T, n *Net, percent uint64) (epoch uint64) {
	t.Helper()
	epoch = epochOf(n) + 1
	at := n.Genesis().Time.Add(time.Duration(epoch*100+percent) * roundSeconds * time.Second / 100)
	until(t, fmt.Sprintf("%d %% of epoch %d", percent, epoch), 3*roundSeconds*time.Second, func() bool { return time.Now().After(at) })
	return epoch
}

// back starts a node that crashed once more, on what its disk has.
func back(t *testing.T, n *Net, name string, r node.Role) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := n.Add(ctx, name, r); err != nil {
		t.Fatal(err)
	}
}

func conductOf(t *testing.T, n *Net, k key.Node) (c state.Conduct) {
	t.Helper()
	if err := n.Chain().View(func(r state.Reader) (err error) { c, _, err = state.ReadConduct(r, k); return err }); err != nil {
		t.Fatal(err)
	}
	return c
}

// A checker and a container are gone without goodbye in the middle of a round and come back: the
// round ends in its epoch, nobody is wrong or punished, and the next ones are whole again.
func TestARoundOutlivesCrashes(t *testing.T) {
	n := proving(t, 2)
	checker := n.Find("checker-4").ID()
	for _, percent := range []uint64{40, 60} {
		ended := false
		for try := 0; try < roundsOfTries && !ended; try++ {
			epoch := midway(t, n, percent)
			for _, name := range []string{"checker-4", "container-2"} {
				if err := n.Crash(name); err != nil {
					t.Fatal(err)
				}
			}
			back(t, n, "checker-4", node.RoleChecker)
			back(t, n, "container-2", node.RoleContainer)
			ended = endsWell(t, n, epoch)
		}
		if !ended {
			t.Fatalf("no round in which a checker and a container crash at %d %% ends with a certificate", percent)
		}
		provenAgain(t, n, 2, fmt.Sprintf("a crash at %d %%", percent))
	}
	if k, err := key.NodeOf(checker); err != nil {
		t.Fatal(err)
	} else if c := conductOf(t, n, k); c.WrongTotal != 0 || c.BannedUntil != 0 || c.Correct == 0 {
		t.Errorf("the checker that crashed stands at %+v", c)
	}
}

// One of four validators, which is a member of the committee as well, is gone in the middle of a
// round: blocks and rounds go on without it, and it comes back to both.
func TestARoundOutlivesAValidator(t *testing.T) {
	n := proving(t, 2, func(m *Money) { m.Validators = 4 })
	validator := n.Find("checker-3").ID()
	ended := false
	for try := 0; try < roundsOfTries && !ended; try++ {
		if try > 0 {
			back(t, n, "checker-3", node.RoleChecker)
			provenAgain(t, n, 2, "a round that was missed")
		}
		epoch := midway(t, n, 60)
		if err := n.Crash("checker-3"); err != nil {
			t.Fatal(err)
		}
		ended = endsWell(t, n, epoch)
	}
	if !ended {
		t.Fatal("no round in which a validator crashes ends with a certificate")
	}
	provenAgain(t, n, 2, "a validator's crash")
	back(t, n, "checker-3", node.RoleChecker)
	provenAgain(t, n, 2, "its return")
	k, err := key.NodeOf(validator)
	if err != nil {
		t.Fatal(err)
	}
	if c := conductOf(t, n, k); c.WrongTotal != 0 || c.BannedUntil != 0 {
		t.Errorf("the validator that crashed stands at %+v", c)
	}
}
