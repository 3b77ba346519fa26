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
	d := newDriver(b, accounts, 0)
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

// BenchmarkBlockAfterRestart is a block of 500 transfers of BenchmarkBlockByAccounts while
// old states are deleted, before and after a restart of the node, which begins with an empty
// cache. Run it with -benchtime 1x.
func BenchmarkBlockAfterRestart(b *testing.B) {
	for _, accounts := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			if accounts == 1_000_000 && os.Getenv(millionEnv) == "" {
				b.Skip("set " + millionEnv + "=1 to run it")
			}
			for b.Loop() {
				blockAfterRestart(b, accounts)
			}
		})
	}
}

func blockAfterRestart(b *testing.B, accounts int) {
	const keep, transfers = 20, 500
	d := newDriver(b, accounts, keep)
	run := func(what string, blocks int) {
		runtime.GC() // what went before
		before, begin := d.n.app.tree.Nodes(), time.Duration(0)
		for range blocks {
			txs := d.transfers(b, transfers)
			start := cpuTime()
			d.block(b, txs)
			begin += cpuTime() - start
		}
		after := d.n.app.tree.Nodes()
		b.ReportMetric(begin.Seconds()*1000/float64(blocks), "cpu-ms/"+what)
		b.ReportMetric(float64(after.Missed-before.Missed)/float64(blocks), "disk-nodes/"+what)
	}
	for range 2 * keep { // until the caches hold what is hot, and each block has one to delete
		d.block(b, d.transfers(b, transfers))
	}
	run("before", 40)
	d.close(b)
	d.open(b)
	run("first", 1)
	run("2nd-10th", 9)
	run("11th-50th", 40)
	b.ReportMetric(0, "ns/op")
}

// driver calls the application as the engine of a single validator does.
type driver struct {
	n        *Chain
	net      *network
	keep     uint64
	proposer []byte
	height   int64
	nonces   map[int]uint64
	draw     *rand.Rand
}

// newDriver fills a new ledger. It keeps the states of so many blocks, 0 for all.
func newDriver(b *testing.B, accounts int, keep uint64) *driver {
	b.Helper()
	d := &driver{net: newNetwork(b, plan{validators: 1, players: 1}), keep: keep, nonces: map[int]uint64{}, draw: rand.New(rand.NewPCG(1, 2))}
	d.open(b)
	b.Cleanup(func() { d.close(b) })
	doc, err := comet.GenesisDoc(d.n.c.Genesis)
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

// open opens the store, as a node does that starts.
func (d *driver) open(b *testing.B) {
	b.Helper()
	c := d.net.config(0).withDefaults()
	if d.keep > 0 {
		c.KeepVersions = d.keep
	}
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
}

func (d *driver) close(b *testing.B) {
	b.Helper()
	if err := d.n.closeStore(); err != nil {
		b.Error(err)
	}
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
