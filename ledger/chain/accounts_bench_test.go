package chain

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/comet"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// millionEnv runs the largest size of BenchmarkBlockByAccounts, which takes some minutes to
// set up.
const millionEnv = "FRAMEMESH_BENCH_MILLION"

// BenchmarkBlockByAccounts is a block of transfers between accounts drawn from all that
// there are, through the whole application as the engine calls it: pool, proposal, judgement,
// execution, tree and disk. What a block costs must not grow faster than the nodes of the
// tree that it changes, which grow with the logarithm of the number of accounts.
func BenchmarkBlockByAccounts(b *testing.B) {
	for _, accounts := range []int{1_000, 10_000, 100_000, 1_000_000} {
		for _, transfers := range []int{20, 500} {
			b.Run(fmt.Sprintf("accounts=%d/transfers=%d", accounts, transfers), func(b *testing.B) {
				if accounts == 1_000_000 && os.Getenv(millionEnv) == "" {
					b.Skip("set " + millionEnv + "=1 to run it")
				}
				blockByAccounts(b, accounts, transfers)
			})
		}
	}
}

func blockByAccounts(b *testing.B, accounts, transfers int) {
	d := newDriver(b, accounts)
	for range 10 { // until the caches hold what is hot
		d.block(b, d.transfers(b, transfers))
	}
	runtime.GC() // what the accounts have left behind
	var used time.Duration
	before := d.n.app.tree.Nodes()
	for b.Loop() {
		b.StopTimer()
		txs := d.transfers(b, transfers)
		begin := cpuTime()
		b.StartTimer()
		d.block(b, txs)
		used += cpuTime() - begin
	}
	nodes := d.n.app.tree.Nodes()
	blocks, written := float64(b.N), float64(nodes.Written-before.Written)
	b.ReportMetric(used.Seconds()*1000/blocks, "cpu-ms/block")
	b.ReportMetric(written/blocks, "written-nodes/block")
	b.ReportMetric(float64(nodes.Read-before.Read)/blocks, "read-nodes/block")
	b.ReportMetric(float64(nodes.Missed-before.Missed)/blocks, "disk-nodes/block")
	b.ReportMetric(used.Seconds()*1e6/written, "cpu-us/written-node")
	b.ReportMetric(float64(d.n.app.tree.Len()), "records")
}

// driver calls the application as the engine of a single validator does.
type driver struct {
	n        *Chain
	net      *network
	proposer []byte
	height   int64
	nonces   map[int]uint64
	draw     *rand.Rand
}

func newDriver(b *testing.B, accounts int) *driver {
	b.Helper()
	d := &driver{net: newNetwork(b, plan{validators: 1, players: 1}), nonces: map[int]uint64{}, draw: rand.New(rand.NewPCG(1, 2))}
	c := d.net.config(0).withDefaults()
	c.Registerer = prometheus.NewRegistry()
	d.n = &Chain{c: c, log: c.Log, gate: new(gate), heads: make(chan Head, 1)}
	var err error
	if d.n.metrics, err = newMetrics(c.Registerer); err != nil {
		b.Fatal(err)
	}
	prover, err := vrf.Load(filepath.Join(c.Dir, VRFKeyFile))
	if err != nil {
		b.Fatal(err)
	}
	signer, err := loadSigner(c.Dir, false)
	if err != nil {
		b.Fatal(err)
	}
	d.proposer = signer.Key.Address
	if err := d.n.open(&prover); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.n.closeStore(); err != nil {
			b.Error(err)
		}
	})
	doc, err := comet.GenesisDoc(c.Genesis)
	if err != nil {
		b.Fatal(err)
	}
	validators := make([]abci.ValidatorUpdate, len(doc.Validators))
	for i, v := range doc.Validators {
		validators[i] = abci.Ed25519ValidatorUpdate(v.PubKey.Bytes(), v.Power)
	}
	if _, err := d.n.app.InitChain(context.Background(), &abci.RequestInitChain{
		ChainId: doc.ChainID, AppStateBytes: doc.AppState, Validators: validators,
	}); err != nil {
		b.Fatal(err)
	}
	d.spread(b, accounts)
	d.block(b, nil)
	return d
}

// spread divides the one player's money among many. No genesis file holds so many accounts,
// and as many transfers would take hours.
func (d *driver) spread(b *testing.B, accounts int) {
	b.Helper()
	rich, each := public(d.net.players[0]), 1000*uint64(amount.FRM)/uint64(accounts)
	for i := 1; i < accounts; i++ {
		k := seeded("player", i)
		d.net.players = append(d.net.players, k)
		if err := d.n.app.tree.Set(state.AccountKey(public(k)), state.Account{Balance: each}.Encode()); err != nil {
			b.Fatal(err)
		}
	}
	left := 1000*uint64(amount.FRM) - uint64(accounts-1)*each
	if err := d.n.app.tree.Set(state.AccountKey(rich), state.Account{Balance: left}.Encode()); err != nil {
		b.Fatal(err)
	}
}

// transfers are n signed by accounts drawn from all, none twice.
func (d *driver) transfers(b *testing.B, n int) [][]byte {
	b.Helper()
	players := d.net.players
	txs := make([][]byte, 0, n)
	drawn := make(map[int]bool, n)
	for len(txs) < n {
		from := d.draw.IntN(len(players))
		if drawn[from] {
			continue
		}
		drawn[from] = true
		to := public(players[d.draw.IntN(len(players))])
		if to == public(players[from]) {
			to = public(players[(from+1)%len(players)])
		}
		txs = append(txs, transfer(b, d.net.doc.ChainID, players[from], d.nonces[from], to, 1))
		d.nonces[from]++
	}
	return txs
}

// block brings transactions into the pool, and from there into a block on disk.
func (d *driver) block(b *testing.B, txs [][]byte) {
	b.Helper()
	ctx, a := context.Background(), d.n.app
	d.height++
	at := d.net.doc.Time.Add(time.Duration(d.height) * time.Second)
	if len(txs) > 0 {
		pool := client{nil, a}
		for _, raw := range txs {
			if _, err := pool.CheckTxAsync(ctx, &abci.RequestCheckTx{Tx: raw}); err != nil {
				b.Fatal(err)
			}
		}
		a.line.drain()
	}
	prepared, err := a.PrepareProposal(ctx, &abci.RequestPrepareProposal{
		Height: d.height, Time: at, ProposerAddress: d.proposer, Txs: txs, MaxTxBytes: 4 << 20,
	})
	if err != nil || len(prepared.Txs) != len(txs)+1 {
		b.Fatalf("block %d: %d entries of %d transactions: %v", d.height, len(prepared.Txs), len(txs), err)
	}
	judged, err := a.ProcessProposal(ctx, &abci.RequestProcessProposal{
		Height: d.height, Time: at, ProposerAddress: d.proposer, Txs: prepared.Txs,
	})
	if err != nil || !judged.IsAccepted() {
		b.Fatalf("block %d: %v, %v", d.height, judged, err)
	}
	hash := make([]byte, 32)
	done, err := a.FinalizeBlock(ctx, &abci.RequestFinalizeBlock{
		Height: d.height, Time: at, ProposerAddress: d.proposer, Txs: prepared.Txs, Hash: hash,
	})
	if err != nil {
		b.Fatal(err)
	}
	for i, r := range done.TxResults {
		if r.Code != 0 {
			b.Fatalf("block %d, entry %d: %s", d.height, i, r.Log)
		}
	}
	if _, err := a.Commit(ctx, &abci.RequestCommit{}); err != nil {
		b.Fatal(err)
	}
}
