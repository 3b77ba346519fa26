package state

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// wide is a network of as many nodes as a genesis file holds: 500 checkers and containers
// that stand.
func wide(b *testing.B) (*bed, map[key.Node]identity) {
	b.Helper()
	const checkers, containers = 500, 9_498
	keys := map[key.Node]identity{}
	bed := newBed(b, func(p *genesis.Plan) {
		for i := range checkers {
			id := who(fmt.Sprintf("checker %d", i))
			keys[id.node()] = id
			p.Nodes = append(p.Nodes, genesis.Node{Node: id.node(), Owner: key.Address(sha256.Sum256(u32(uint32(i)))),
				Roles: genesis.Roles(economics.RoleChecker), Stake: uint64(1_000+i) * frm})
		}
		for i := range containers {
			name := u32(uint32(1_000_000 + i))
			p.Nodes = append(p.Nodes, genesis.Node{Node: key.Node(sha256.Sum256(name)), Owner: key.Address(sha256.Sum256(name[:3])),
				Roles: genesis.Roles(economics.RoleContainer), Stake: 2_000 * frm, RPMilli: 100_000})
		}
	})
	for _, name := range []string{"v1", "v2"} {
		keys[who(name).node()] = who(name)
	}
	return bed, keys
}

// BenchmarkDraw draws an epoch's batches and committees out of 10,000 nodes, as each node
// does once in an epoch.
func BenchmarkDraw(b *testing.B) {
	bed, _ := wide(b)
	for b.Loop() {
		if a, ok, err := DrawnFor(bed.Reader(), chainName, 0, bed.Params()); err != nil || !ok || len(a.Batches) != 594 {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkCertificate judges a certificate on 16 containers with as many attestations as a
// committee of N = 2 has members, and says what it weighs: for the first time; again, by a
// machine that knows the signatures; and one whose last signature is wrong, which is refused.
func BenchmarkCertificate(b *testing.B) {
	bed, keys := wide(b)
	batch := bed.drawn(0).Batches[7]
	raw, err := proof.EncodeResult(bed.result(0, 7, nil))
	bed.must(err)
	op, junk := &tx.VoteCertificate{Epoch: 0, Batch: 7, Result: raw}, &tx.VoteCertificate{Epoch: 0, Batch: 7, Result: raw}
	for place, n := range batch.Committee {
		sig := tx.Attest(chainName, keys[n].private, 0, 7, raw)
		op.AddAttestation(place, sig)
		if place == len(batch.Committee)-1 {
			sig[0] ^= 1
		}
		junk.AddAttestation(place, sig)
	}
	bed.must(bed.do(who("alice"), &tx.Transfer{To: who("v1").raw(), Amount: 1})) // a fee is burned that can come back
	verifier := tx.NewVerifier(chainName, 10)
	for _, c := range []struct {
		name string
		op   *tx.VoteCertificate
		by   Attests
		good bool
	}{{"new", op, nil, true}, {"known", op, verifier, true}, {"junk", junk, verifier, false}} {
		signed := bed.signed(who("alice"), wrap(c.op))
		bed.must(verifier.Verify(signed))
		b.Run(c.name, func(b *testing.B) {
			live := bed.live
			bed.attests = c.by
			for b.Loop() {
				bed.overlay.Begin()
				if err := bed.applyCertificate(&txContext{Tx: signed}, c.op); (err == nil) != c.good {
					b.Fatal(err)
				}
				bed.must(bed.overlay.Discard())
				bed.live = live
			}
			b.ReportMetric(float64(len(signed.Raw)), "tx-B")
			b.ReportMetric(float64(len(raw)), "result-B")
		})
	}
}

// BenchmarkAppealCommittee finds the committee of an appeal, drawn from 502 checkers: for the
// first time, and again, as each certificate on the appeal asks for it.
func BenchmarkAppealCommittee(b *testing.B) {
	bed, _ := wide(b)
	a := Accusation{Node: bed.drawn(0).Batches[7].Containers[0], Signers: bed.drawn(0).Batches[7].Committee}
	for name, again := range map[string]bool{"new": false, "known": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if !again {
					bed.draws = new(Draws)
				}
				if members, err := bed.appealCommittee(0, [32]byte{1}, a); err != nil || len(members) != 11 {
					b.Fatal(len(members), err)
				}
			}
		})
	}
}
