package chain

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	cstypes "github.com/cometbft/cometbft/consensus/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/light"
)

// Four validators hold one state, and a node that comes later gets the same, whether it
// replays every block or starts from a snapshot.
func TestFourValidatorsAndThoseWhoComeLater(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 4, players: 4})
	configs := make([]Config, 4)
	for i := range configs {
		configs[i] = n.config(i)
		configs[i].SnapshotEvery, configs[i].KeepSnapshots = 10, 1000 // they come fast here
	}
	vals := launchAll(t, configs...)
	for _, v := range vals {
		awaitHeight(t, v, 1)
	}
	for nonce := range uint64(5) {
		for i, k := range n.players {
			submit(t, vals[i], transfer(t, n.doc.ChainID, k, nonce, public(n.players[(i+1)%4]), 1+nonce))
		}
	}
	last := transfer(t, n.doc.ChainID, n.players[0], 5, public(n.players[1]), 99)
	height := committedTx(t, vals[3], submit(t, vals[0], last))

	replayed := launch(t, n.follower("replay", 0))
	await(t, vals[0], "a snapshot after the transfers", func() bool { return vals[0].app.snaps.newest(t) > height })
	c := n.follower("snapshot", 0)
	c.Bootstrap, c.DiscoveryTime = light.NewTurns(lightClient(t, n, vals[1], vals[2])), minDiscovery
	quick := launch(t, c)
	target := vals[0].Head().Height + 3
	all := append(vals, replayed, quick)
	for _, v := range all {
		awaitHeight(t, v, target+1)
	}
	want := rootAt(t, vals[0], target)
	for i, v := range all {
		if got := rootAt(t, v, target); got != want {
			t.Errorf("node %d has root %s after block %d, node 0 has %s", i, got, target, want)
		}
		if a, b := account(t, v, public(n.players[1])), account(t, vals[0], public(n.players[1])); a != b {
			t.Errorf("node %d: %+v, node 0: %+v", i, a, b)
		}
		// Who came late may have doubted its clock while the blocks that it got were old.
		await(t, v, "four validators and no warning", func() bool { h := v.Head(); return h.Validators == 4 && h.Warning == "" })
	}
	if base := quick.blocks.Base(); base <= int64(height) {
		t.Errorf("the node with the snapshot has blocks from %d on: it replayed them", base)
	}
	if base := replayed.blocks.Base(); base != 1 {
		t.Errorf("the node that replays has blocks from %d on", base)
	}
	if _, err := replayed.Tx(([32]byte)(cmttypes.Tx(last).Hash())); err != nil {
		t.Errorf("replayed: %v", err)
	}
}

// Two validators of four are cut off from the other two: nobody makes blocks. Once they
// hear each other again they go on, from one and the same block.
func TestPartitionStopsAndHealsWithoutAFork(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 4, players: 2})
	cut := new(barrier)
	configs := make([]Config, 4)
	for i := range configs {
		configs[i] = n.config(i)
		configs[i].Peers = nil
		for j := range i { // the later dials the earlier, so that there is one line per pair
			addr := n.addrs[j]
			if i/2 != j/2 {
				addr = cut.proxy(t, addr)
			}
			configs[i].Peers = append(configs[i].Peers, n.id(j)+"@"+addr)
		}
	}
	vals := launchAll(t, configs...)
	for _, v := range vals {
		awaitHeight(t, v, 3)
	}
	heights := func() (h [4]uint64) {
		for i, v := range vals {
			h[i] = v.Head().Height
		}
		return h
	}
	cut.raise()
	at := heights()
	signed := slices.Max(at[:]) + 1 // for which two thirds may have voted before the cut
	awaitPoll(t, "both halves waiting for votes", func() bool {
		for _, v := range vals {
			if _, _, step := v.step(t); step != int(cstypes.RoundStepPrevote) && step != int(cstypes.RoundStepPrecommit) {
				return false
			}
		}
		return cut.lines() == 0
	})
	// Within a half one may still bring the other what it has. Then nothing moves, in a time in
	// which a whole network makes dozens of blocks.
	before := heights()
	for moved := true; moved; {
		window := time.NewTimer(2 * configs[0].ProposeTimeout)
		<-window.C
		after := heights()
		if moved, before = after != before, after; slices.Max(after[:]) > signed {
			t.Fatalf("blocks were made by a half: %v, at the cut %v", after, at)
		}
	}
	cut.fall()
	for _, v := range vals {
		v.dialPeers()
	}
	target := max(before[0], before[1], before[2], before[3]) + 3
	for _, v := range vals {
		awaitHeight(t, v, target+1)
	}
	for h := uint64(1); h <= target; h++ {
		want, err := vals[0].lightBlock(h)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range vals[1:] {
			got, err := v.lightBlock(h)
			if err != nil || got.Header.Hash().String() != want.Header.Hash().String() {
				t.Fatalf("block %d: node %d has %v, node 0 %v (%v)", h, i+1, got, want, err)
			}
		}
	}
}

// barrier lets connections through, or cuts them all and lets none through.
type barrier struct {
	mu    sync.Mutex
	up    bool
	conns map[net.Conn]bool
}

// proxy is an address that leads to addr while the barrier is down.
func (b *barrier) proxy(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil || !b.add(in, out) {
				in.Close()
				if err == nil {
					out.Close()
				}
				continue
			}
			pipe := func(dst, src net.Conn) {
				_, _ = io.Copy(dst, src)
				b.drop(in, out)
			}
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
	return l.Addr().String()
}

func (b *barrier) add(conns ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.up {
		return false
	}
	if b.conns == nil {
		b.conns = map[net.Conn]bool{}
	}
	for _, c := range conns {
		b.conns[c] = true
	}
	return true
}

func (b *barrier) drop(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(b.conns, c)
	}
}

func (b *barrier) lines() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

func (b *barrier) raise() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = true
	for c := range b.conns {
		c.Close()
	}
}

func (b *barrier) fall() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = false
}

// step is where a node is in its height: height, round, step.
func (n *Chain) step(t *testing.T) (height, round, step int) {
	t.Helper()
	env, err := n.node.ConfigureRPC()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := env.ConsensusState.GetRoundStateSimpleJSON()
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		HRS string `json:"height/round/step"`
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(out.HRS, "%d/%d/%d", &height, &round, &step); err != nil {
		t.Fatal(err)
	}
	return height, round, step
}

// newest is the highest snapshot that a node has.
func (s *snapshots) newest(t *testing.T) uint64 {
	t.Helper()
	have, err := s.files.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(have) == 0 {
		return 0
	}
	return uint64(have[0])
}
