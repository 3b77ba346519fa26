package chain

import (
	"encoding/hex"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// One of four validators is killed: the others go on, and it catches up. All four are
// killed: all go on from where they were. Nothing that was committed is lost.
func TestValidatorsSurviveKills(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 4, players: 2})
	all := n.procs(50 * time.Millisecond)
	for _, p := range all {
		p.start()
	}
	for _, p := range all {
		p.awaitHeight(2)
	}
	hash, at := commit(t, all[0], transfer(t, n.doc.ChainID, n.players[0], 0, public(n.players[1]), 5))

	all[3].kill()
	h := all[0].height()
	for _, p := range all[:3] {
		p.awaitHeight(h + 5)
	}
	second, _ := commit(t, all[1], transfer(t, n.doc.ChainID, n.players[0], 1, public(n.players[1]), 6))
	all[3].start()
	h = all[0].height()
	for _, p := range all {
		p.awaitHeight(h + 1)
	}
	sameBlocks(t, all, h)
	for _, hash := range []string{hash, second} {
		if _, err := all[3].ask("tx %s", hash); err != nil {
			t.Errorf("the one that came back does not know %s: %v", hash, err)
		}
	}

	var had uint64
	for i, p := range all {
		had = max(had, p.height())
		t.Logf("validator %d takes %s", i, p.memory("VmRSS"))
	}
	before := all[0].header(at)
	for _, p := range all {
		p.strike()
	}
	for _, p := range all {
		p.kill()
	}
	for _, p := range all {
		p.start()
	}
	for _, p := range all {
		p.awaitHeight(had + 3)
	}
	sameBlocks(t, all, had+2)
	if after := all[0].header(at); after != before {
		t.Errorf("block %d was %s and is %s", at, before, after)
	}
}

// commit submits a transaction and waits until the next header proves it: from here on it
// must never be lost.
func commit(t testing.TB, p *proc, raw []byte) (hash string, height uint64) {
	t.Helper()
	var a answer
	awaitPoll(t, "a validator that takes transactions", func() (taken bool) {
		var err error
		if a, err = p.ask("submit %s", hex.EncodeToString(raw)); err != nil && !strings.Contains(err.Error(), ErrCatchingUp.Error()) {
			t.Fatal(err)
		}
		return err == nil
	})
	awaitPoll(t, "transaction "+a.Hash, func() bool {
		found, err := p.ask("tx %s", a.Hash)
		height = found.Height
		return err == nil
	})
	return a.Hash, height
}

// A validator is killed at random instants, over and over, under load. Whatever it had
// acknowledged is there after each start, in the block where it was, and no block changes.
// Every other life is counted from its beginning, so that it is killed in its first steps too;
// the rest from what it acknowledged first, however slow the machine is. FRAMEMESH_KILLS sets
// how often.
func TestKillsAtRandomInstantsLoseNothing(t *testing.T) {
	t.Parallel()
	kills := 20
	if s := os.Getenv("FRAMEMESH_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() {
		kills = 3
	}
	n := newNetwork(t, plan{validators: 1, players: 2})
	p := n.procs(10 * time.Millisecond)[0]
	random := rand.New(rand.NewSource(1))
	acked, headers := map[string]uint64{}, map[uint64]string{} // transaction to height, block to hash
	soon := func() time.Duration { return time.Duration(random.Intn(500)) * time.Millisecond }
	for kill := range kills {
		p.start()
		p.awaitHeight(1)
		check := func() {
			for hash, at := range acked {
				found, err := p.ask("tx %s", hash)
				if err != nil || found.Height != at {
					t.Fatalf("after kill %d: transaction %s of block %d: at %d, %v", kill, hash, at, found.Height, err)
				}
			}
			for h, want := range headers {
				if got := p.header(h); got != want {
					t.Fatalf("after kill %d: block %d was %s and is %s", kill, h, want, got)
				}
			}
		}
		check()
		// what was under way at the kill may be in or not: only the ledger knows
		a, err := p.ask("nonce %x", public(n.players[0]))
		if err != nil {
			t.Fatal(err)
		}
		nonce, waiting := a.Height, []string(nil)
		fromFirst, due := kill%2 == 1, soon()
		if fromFirst {
			due = patience / 4 // without any
		}
		struck := time.AfterFunc(due, p.strike)
		for alive := true; alive; {
			if len(waiting) < 32 {
				a, err := p.ask("submit %x", transfer(t, n.doc.ChainID, n.players[0], nonce, public(n.players[1]), 1))
				if err == nil {
					waiting = append(waiting, a.Hash)
					nonce++
				}
				alive = err != errGone
			}
			if len(waiting) == 0 {
				continue
			}
			found, err := p.ask("tx %s", waiting[0])
			if alive = alive && err != errGone; err == nil {
				acked[waiting[0]], waiting = found.Height, waiting[1:]
				if fromFirst && struck.Stop() {
					struck.Reset(soon())
				}
				fromFirst = false
				if hdr, err := p.ask("header %d", found.Height); err == nil {
					headers[found.Height] = hdr.Hash
				}
			}
		}
		struck.Stop()
		p.kill()
	}
	t.Logf("%d kills, %d acknowledged transactions in %d blocks", kills, len(acked), len(headers))
	if len(acked) == 0 {
		t.Error("nothing was ever acknowledged: the test shows nothing")
	}
}

// A crash at each of the steps by which a block becomes final, one after the other: the
// next start goes on.
func TestCrashAtEachStepOfACommit(t *testing.T) {
	t.Parallel()
	steps := 20 // a block passes ten of them
	if testing.Short() {
		steps = 5
	}
	n := newNetwork(t, plan{validators: 1, players: 2})
	p := n.procs(10 * time.Millisecond)[0]
	last := uint64(0)
	for step := range steps {
		p.env = []string{fmt.Sprintf("FAIL_TEST_INDEX=%d", step)}
		p.start()
		awaitPoll(t, fmt.Sprintf("crash at step %d", step), func() bool {
			a, err := p.ask("head")
			if err == nil {
				last = max(last, a.Height)
			}
			return err == errGone
		})
		p.kill()
	}
	p.env = nil
	p.start()
	if h := p.height(); h < last {
		t.Fatalf("was at %d, is at %d", last, h)
	}
	p.awaitHeight(last + 3)
}
