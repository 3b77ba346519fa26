package checker_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// kept is what a checker's disk has of the batch of an epoch.
func (m *mesh) kept(n key.Node, epoch uint64) (vote, attested bool) {
	for name := range m.keys {
		if m.node(name) != n {
			continue
		}
		b, err := os.ReadFile(filepath.Join(m.dir, name, fmt.Sprint("round-", epoch)))
		if err != nil {
			return false, false
		}
		var round struct {
			Duties []struct{ Vote, Attested []byte }
		}
		if err := json.Unmarshal(b, &round); err != nil || len(round.Duties) != 1 {
			m.t.Errorf("%s: %v", b, err)
			return false, false
		}
		return round.Duties[0].Vote != nil, round.Duties[0].Attested != nil
	}
	return false, false
}

// hasStamp says whether a checker's disk has a commitment.
func (m *mesh) hasStamp(checker peer.ID, commit []byte) bool {
	for name := range m.keys {
		if m.id(name) != checker {
			continue
		}
		files, err := filepath.Glob(filepath.Join(m.dir, name, "round-*"))
		if err != nil {
			m.t.Error(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err == nil && bytes.Contains(b, []byte(base64.StdEncoding.EncodeToString(commit))) {
				return true
			}
		}
	}
	return false
}

// What a checker is bound to is on its disk before anybody hears of it, the certificate that it
// brings to the ledger included: a kill at any moment makes it say nothing twice.
func TestNothingLeavesBeforeTheDiskHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 2, 5)
		defer m.stop()
		votes, certificates := 0, 0
		m.leaves = func(o *proof.Opened) {
			epoch, _ := o.Epoch()
			vote, attested := m.kept(o.Signer, epoch)
			switch o.Kind() {
			case proof.KindVoteCommit, proof.KindVote:
				votes++
				if !vote {
					t.Errorf("%s gave a %s that it may forget", o.Signer, o.Kind())
				}
			case proof.KindDraft:
				if !attested {
					t.Errorf("%s attested what it may forget", o.Signer)
				}
			}
		}
		m.send = func(body *tx.Body) error {
			c := body.GetCertificate()
			for _, a := range c.Attestations() {
				certificates++
				n := m.committee(c)[a.Place]
				if _, attested := m.kept(n, c.GetEpoch()); !attested {
					t.Errorf("%s: its attestation is on the ledger before it is on its disk", n)
				}
			}
			return nil
		}
		var mu sync.Mutex
		stamps := 0
		m.stamped = func(to peer.ID, commit []byte) {
			mu.Lock()
			defer mu.Unlock()
			stamps++
			if !m.hasStamp(to, commit) {
				t.Errorf("%s has stamped what it may forget", to)
			}
		}
		m.startAll()
		m.until(2, 1)
		if stamps < 20 {
			t.Errorf("%d stamps", stamps)
		}
		if votes < 20 || certificates < 6 {
			t.Errorf("%d statements of votes, %d attestations", votes, certificates)
		}
		for i := range 5 { // and the votes behind both certificates can be counted again
			if n := m.ballots(fmt.Sprint("checker-", i+1)); n != 2 {
				t.Errorf("checker-%d has kept %d ballots", i+1, n)
			}
		}
		m.nobodyLied()
	})
}

// ballots counts those of a checker that come to what the ledger has certified.
func (m *mesh) ballots(name string) (n int) {
	dir := filepath.Join(m.dir, name, "proofs")
	list, err := os.ReadDir(dir)
	if err != nil {
		m.t.Error(err)
	}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || !checker.IsBallot(e.Name()) {
			continue
		}
		f, err := proof.ParseFile(b)
		if err != nil {
			m.t.Error(err)
			continue
		}
		out, err := judge.Recount(f)
		r := m.result(f.GetEpoch())
		if err != nil || r == nil {
			m.t.Errorf("%s: epoch %d: %v", name, f.GetEpoch(), err)
			continue
		}
		certified, err := proof.EncodeResult(r)
		sum := sha256.Sum256(certified)
		if err != nil || string(certified) != string(out.Bytes) || e.Name() != hex.EncodeToString(sum[:])+checker.BallotSuffix {
			m.t.Errorf("%s: %s comes to another result than epoch %d has", name, e.Name(), f.GetEpoch())
			continue
		}
		n++
	}
	return n
}

// owing counts the proofs that checkers still have to bring to the ledger.
func (m *mesh) owing() (n int) {
	for name := range m.keys {
		list, _ := os.ReadDir(filepath.Join(m.dir, name))
		for _, e := range list {
			if strings.HasPrefix(e.Name(), "fraud-") {
				n++
			}
		}
	}
	return n
}

// Every finder of a fraud is killed before the ledger hears of it: it hears of it afterwards.
func TestAProofOutlivesItsFinder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 2, 5)
		defer m.stop()
		m.spoil["container-1"] = true
		var accused []key.Node
		reachable := false
		m.send = func(body *tx.Body) error {
			if !reachable {
				return errors.New("out of reach")
			}
			if f := body.GetFraud(); f != nil {
				accused = append(accused, key.Node(f.GetSubject()))
			}
			return nil
		}
		m.startAll()
		m.until(0, 48)
		if m.owing() != 5 {
			t.Fatalf("%d checkers can prove it", m.owing())
		}
		for i := range 5 {
			m.kill(fmt.Sprint("checker-", i+1))
		}
		m.until(1, 2)
		reachable = true
		for i := range 5 {
			m.startChecker(fmt.Sprint("checker-", i+1))
		}
		m.until(1, 19)
		if len(accused) != 5 {
			t.Errorf("%d proofs came to the ledger", len(accused))
		}
		for _, n := range accused {
			if n != m.node("container-1") {
				t.Errorf("%s is accused", n)
			}
		}
		if n := m.owing(); n != 0 {
			t.Errorf("%d are still to be brought", n)
		}
	})
}

// A proof that the ledger has refused for good is not sent again: each try would cost.
func TestARefusedProofIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		m.spoil["container-1"] = true
		tries := 0
		m.send = func(body *tx.Body) error {
			if body.GetFraud() == nil {
				return nil
			}
			tries++
			return fmt.Errorf("refused: %w", state.ErrInnocent)
		}
		m.startAll()
		m.until(0, 95)
		if tries != 5 || m.owing() != 0 {
			t.Errorf("five checkers tried %d times, %d still try", tries, m.owing())
		}
	})
}

// ranked are the members of an epoch's only committee in the order in which they draft.
func (m *mesh) ranked(epoch uint64) []string {
	r, err := bookOf{m}.Roll(m.t.Context(), epoch)
	if err != nil {
		m.t.Fatal(err)
	}
	members := r.Assignment.Batches[0].Committee
	names := make([]string, len(members))
	for name := range m.keys {
		if rank := judge.Rank(r.Seed, 0, 0, members, m.node(name)); rank < len(names) {
			names[rank] = name
		}
	}
	return names
}

// Whoever drafts is killed for good in any phase of the round, and another one with it: the
// round still ends in its epoch, all containers are found well and nobody is wrong.
func TestThoseWhoDraftAreKilledAnywhere(t *testing.T) {
	for _, at := range []uint64{8, 19, 25, 40, 53, 58, 64, 67, 71} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, 2, 5)
				defer m.stop()
				m.startAll()
				m.until(0, max(at, 8))
				for _, name := range m.ranked(0)[:2] {
					m.kill(name)
				}
				m.until(0, 99)
				r := m.result(0)
				if r == nil {
					t.Fatal("no certificate")
				}
				for i, e := range r.Entries {
					if e.Verdict != proof.VerdictOK {
						t.Errorf("container %d: %v", i, e)
					}
				}
				if r.Wrong != 0 {
					t.Errorf("wrong %b", r.Wrong)
				}
				m.nobodyLied()
			})
		})
	}
}

// A container whose clock is minutes off is absent, and a checker whose clock is says nothing
// that counts: neither is accused of anything, and the others end their rounds.
func TestClocksThatAreMinutesOff(t *testing.T) {
	for _, skew := range []time.Duration{-3 * time.Minute, 3 * time.Minute, -7 * time.Second, 7 * time.Second} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, 2, 5)
				defer m.stop()
				m.genesis -= 20 * epochMS // no clock is before the network
				m.skew["container-2"], m.skew["checker-2"] = skew, skew
				m.startAll()
				const epoch = 21
				m.until(epoch, 99)
				r := m.result(epoch)
				if r == nil {
					t.Fatal("no certificate")
				}
				at, _ := bookOf{m}.Roll(t.Context(), epoch)
				_, right, _ := at.Assignment.Of(m.node("container-1"))
				_, off, _ := at.Assignment.Of(m.node("container-2"))
				if e := r.Entries; e[right].Verdict != proof.VerdictOK || e[off].Verdict == proof.VerdictOK || e[off].Verdict == proof.VerdictBad {
					t.Errorf("got %v", e)
				}
				if r.Wrong != 0 {
					t.Errorf("wrong %b", r.Wrong)
				}
				m.nobodyLied()
			})
		})
	}
}

// A container whose clock is seconds behind is late once: then it goes by its checkers'
// clocks, for the beginning of the epoch, too, which the window opens with. Four seconds are
// almost all of the window here.
func TestAContainerGoesByItsCheckersClocks(t *testing.T) {
	for _, skew := range []time.Duration{-1500 * time.Millisecond, -4 * time.Second} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, 2, 5)
				defer m.stop()
				m.genesis -= 10 * epochMS
				m.skew["container-2"] = skew
				m.startAll()
				for i, want := range []uint32{proof.VerdictLate, proof.VerdictOK, proof.VerdictOK} {
					epoch := uint64(10 + i)
					m.until(epoch, 99)
					at, _ := bookOf{m}.Roll(t.Context(), epoch)
					_, place, _ := at.Assignment.Of(m.node("container-2"))
					r := m.result(epoch)
					if r == nil || r.Entries[place].Verdict != want {
						t.Errorf("round %d: %v, want %d", i+1, r, want)
					}
				}
				m.nobodyLied()
			})
		})
	}
}
