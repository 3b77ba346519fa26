package state

import (
	"crypto/sha256"
	"fmt"
	"slices"
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

// BenchmarkCertificate judges a certificate on 16 containers with three attestations, all
// but the signatures, and says what it weighs.
func BenchmarkCertificate(b *testing.B) {
	bed, keys := wide(b)
	batch := bed.drawn(0).Batches[7]
	r := bed.result(0, 7, nil)
	raw, err := proof.EncodeResult(r)
	bed.must(err)
	op := &tx.VoteCertificate{Epoch: 0, Batch: 7, Result: raw}
	signers := slices.SortedFunc(slices.Values(batch.Committee[:3]), compareNodes)
	for _, n := range signers {
		op.Attestations = append(op.Attestations, tx.Attest(chainName, keys[n].private, 0, 7, raw))
	}
	bed.must(bed.do(who("alice"), &tx.Transfer{To: who("v1").raw(), Amount: 1})) // a fee is burned that can come back
	signed := bed.signed(who("alice"), wrap(op))
	live := bed.live
	for b.Loop() {
		bed.overlay.Begin()
		if err := bed.applyCertificate(&txContext{Tx: signed}, op); err != nil {
			b.Fatal(err)
		}
		bed.must(bed.overlay.Discard())
		bed.live = live
	}
	b.ReportMetric(float64(len(signed.Raw)), "tx-B")
	b.ReportMetric(float64(len(raw)), "result-B")
}
