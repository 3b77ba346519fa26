package testnet

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/gpu/app/games"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
)

// auditedNet is a network in which somebody plays on each container while rounds are held.
func auditedNet(t *testing.T, cheats string) *Net {
	t.Helper()
	realEpochs(t)
	o := Options{Containers: 2, Checkers: 5, Slots: 1, Money: &Money{EpochSeconds: 20, Proofs: true}}
	if cheats != "" {
		c, err := cheat.Parse(cheats)
		if err != nil {
			t.Fatal(err)
		}
		o.Cheats = map[string]cheat.Cheat{"container-1": c}
	}
	n := start(t, o)
	logRounds(t, n)
	return n
}

// logRounds says at the end of a test what came of its network's rounds.
func logRounds(t *testing.T, n *Net) {
	t.Helper()
	t.Cleanup(func() {
		list, _ := n.Proofs(context.WithoutCancel(t.Context()))
		for _, p := range list {
			t.Logf("%+v", p)
		}
		for _, v := range verdicts(t, n, "container-1") {
			t.Logf("container-1: %+v", v)
		}
	})
}

// verdicts are what certificates say of a peer, as a container.
func verdicts(t *testing.T, n *Net, name string) (all []state.Verdict) {
	t.Helper()
	id, err := key.NodeOf(n.Find(name).ID())
	if err == nil {
		err = n.Chain().View(func(r state.Reader) (err error) { all, err = state.ReadHistory(r, id); return err })
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Two sessions are played by players who sign: checkers replay seconds of them, find them
// equal, and their containers keep their standing.
func TestSessionsAreAudited(t *testing.T) {
	n := auditedNet(t, "")
	payer(t, n, nil, nil)
	payer(t, n, nil, nil)
	until(t, "the sessions of two containers are audited and certified as busy", 10*time.Minute, func() bool {
		list, err := n.Proofs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		audits, busy := 0, false
		for _, p := range list {
			audits, busy = audits+p.Audits, busy || p.Busy == 2 && p.Certificates > 0 && p.Proven == 2
		}
		return audits >= 6 && busy
	})
	list, err := n.Proofs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.AuditsWrong != 0 || p.Frauds != 0 || p.Slashes != 0 || p.Accusations != 0 {
			t.Errorf("honest nodes were accused in epoch %d: %+v", p.Epoch, p)
		}
	}
}

// A container that falsifies the sessions of its players is found out by the checkers that
// replay them: the certificate says so, it is accused and can appeal, what shows it is on the
// checkers' disks and can be rerun by anybody. The honest one beside it is unharmed.
func TestFalseSessionsAreFoundOut(t *testing.T) {
	for name, why := range map[string]proof.Reason{"inputs": proof.ReasonSegment, "state": proof.ReasonSegment, "module": proof.ReasonModule} {
		t.Run(name, func(t *testing.T) {
			n := auditedNet(t, name)
			payer(t, n, nil, nil)
			payer(t, n, nil, nil)
			until(t, "the container that cheats is accused", 10*time.Minute, func() bool {
				list, err := n.Proofs(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range list {
					if p.Accusations > 0 {
						return true
					}
				}
				return false
			})
			bad, file := false, true
			var evidence state.Evidence
			for _, v := range verdicts(t, n, "container-1") {
				if v.Verdict == proof.VerdictBad {
					bad, file = v.Reason == uint32(why), why == proof.ReasonSegment
					evidence = v.Evidence
				}
			}
			if !bad {
				t.Errorf("no certificate gives the reason %d", why)
			}
			for _, v := range verdicts(t, n, "container-2") {
				if v.Verdict == proof.VerdictBad {
					t.Errorf("the honest container was found bad: %+v", v)
				}
			}
			id, _ := key.NodeOf(n.Find("container-1").ID())
			for _, a := range accusations(t, n) {
				if a.Node != id || a.Offence != economics.OffenceForged || a.Amount == 0 {
					t.Errorf("accused: %+v", a)
				}
			}
			if file { // what another module is found by is the container's answer, which is no proof file
				reruns(t, n, evidence)
			}
		})
	}
}

func accusations(t *testing.T, n *Net) (all []state.Accusation) {
	t.Helper()
	err := n.Chain().View(func(r state.Reader) error {
		var bad error
		err := r.Range([]byte("accu/"), []byte("accu0"), func(_, v []byte) bool {
			var a state.Accusation
			a, bad = state.DecodeAccusation(v)
			all = append(all, a)
			return bad == nil
		})
		if err == nil {
			err = bad
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// reruns finds the proof file that a certificate names on some checker's disk and verifies it
// with nothing but the game.
func reruns(t *testing.T, n *Net, evidence state.Evidence) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.o.Dir, "checker-*", "proofs", evidence.String()+"*.proof"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no checker has %s: %v", evidence, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := proof.ParseFile(b)
	if err != nil {
		t.Fatal(err)
	}
	module, err := games.FS.ReadFile(strings.TrimSuffix(game, "/") + "/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	v, err := audit.VerifyFile(t.Context(), f, func([32]byte) ([]byte, error) { return module, nil }, segment.Auditor{CacheDir: t.TempDir()})
	if err != nil || !v.Guilty {
		t.Errorf("the file says %+v, %v", v, err)
	}
}
