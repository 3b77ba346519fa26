package state

import (
	"encoding/binary"
	"testing"

	"github.com/framemesh/framemesh/ledger/tx"
)

// BenchmarkTransfer applies payments of a hundred accounts in blocks of a thousand, on a
// store in memory, without the signature.
func BenchmarkTransfer(b *testing.B) {
	w := newBed(b)
	people := make([]identity, 100)
	for i := range people {
		people[i] = who(string(binary.AppendUvarint(nil, uint64(i))))
		w.must(w.do(who("alice"), &tx.Transfer{To: people[i].raw(), Amount: 1_000 * frm}))
	}
	w.end()
	bodies := make([]*tx.Tx, 1000)
	for i := range bodies {
		from := people[i%len(people)].address()
		bodies[i] = &tx.Tx{Signer: from, Account: from, Body: body(&tx.Transfer{To: people[(i*7+1)%len(people)].raw(), Amount: 1})}
	}
	var nonce uint64
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; {
		w.now += 1000
		if _, err := w.BeginBlock(Block{Height: w.Head().Height + 1, TimeMS: w.now}); err != nil {
			b.Fatal(err)
		}
		for j := 0; j < len(bodies) && i < b.N; j, i = j+1, i+1 {
			bodies[j].Body.Nonce = nonce + uint64(j/len(people))
			if _, err := w.Apply(bodies[j]); err != nil {
				b.Fatal(err)
			}
		}
		nonce += uint64(len(bodies) / len(people))
		if _, err := w.EndBlock(); err != nil {
			b.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		w.store.writes = nil
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

// BenchmarkEpoch enters an epoch with 10,000 staked nodes: candidates and validators anew.
func BenchmarkEpoch(b *testing.B) {
	w := newBed(b)
	for i := range uint64(10_000) {
		id := who(string(binary.AppendUvarint(nil, i))).node()
		n := Node{Owner: who("alice").address(), Roles: container | checker, Keys: Keys{Consensus: [32]byte(id), VRF: [32]byte(id)}}
		w.must(w.overlay.Set(NodeKey(id), n.Encode()))
		w.must(w.move(poolOf(0), stakeOf(id), 20_000*frm+i*frm))
	}
	w.end()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.now += 10_000
		if _, err := w.BeginBlock(Block{Height: w.Head().Height + 1, TimeMS: w.now}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.EndBlock(); err != nil {
			b.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		w.store.writes = nil
	}
}
