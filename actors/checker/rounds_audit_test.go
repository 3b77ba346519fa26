package checker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/checker/replay"
	"github.com/framemesh/framemesh/actors/container/prover"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// signed is what a container signs for a second of its session.
func (m *mesh) signed(name string, session [16]byte, second uint32, state byte) *proof.Signed {
	m.t.Helper()
	root := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	c := &proof.SegCommit{Session: session[:], Second: second, Previous: root(9), State: root(state), Inputs: root(2), Frames: root(3), Audio: root(4), App: root(5), Ticks: 60}
	if second == 0 {
		c.Previous = nil
	}
	o, err := proof.Sign(testChain, m.keys[name], &proof.Statement{Says: &proof.Statement_Segment{Segment: c}})
	if err != nil {
		m.t.Fatal(err)
	}
	return o.Signed
}

// playing puts a container into a session of forty seconds.
func (m *mesh) playing(name string, session [16]byte) {
	m.ledger[session] = true
	m.busy[name] = &prover.Session{ID: session, Segment: m.signed(name, session, 40, 1)}
}

// answering is how audits go: judged says what is found in a session.
func (m *mesh) answering(ask func(name string, req *wire.AuditRequest) ([]byte, error), judged func(ctx context.Context, name string) (audit.Finding, error)) {
	nameOf := func(n key.Node) string {
		for name := range m.keys {
			if m.node(name) == n {
				return name
			}
		}
		return ""
	}
	m.audits = &checker.AuditOptions{
		Ask: func(_ context.Context, to peer.ID, req *wire.AuditRequest) ([]byte, error) {
			n, err := key.NodeOf(to)
			if err != nil {
				return nil, err
			}
			name := nameOf(n)
			if ask != nil {
				return ask(name, req)
			}
			return m.answer(name, req, 1)
		},
		Session: func(_ context.Context, _ key.Node, session [16]byte) (checker.AuditSession, bool, error) {
			return checker.AuditSession{Player: [32]byte{3}}, m.ledger[session], nil
		},
		Module: func(context.Context, [32]byte, peer.ID) ([]byte, error) { return []byte("module"), nil },
		Judge: func(ctx context.Context, t audit.Terms, answer *proof.Opened, _ []byte) (audit.Finding, *proof.File, error) {
			if t.Chain != testChain || answer.Signer != t.Container || t.Owner != [32]byte{3} || t.App != [32]byte(bytes.Repeat([]byte{5}, 32)) ||
				t.Seconds != 10 || t.From%10 != 0 || t.From > 20 || t.NamedSecond != 40 || t.Named == [32]byte{} {
				m.t.Errorf("an audit of %+v", t)
			}
			f, err := judged(ctx, nameOf(t.Container))
			f.Seconds = t.Seconds
			return f, nil, err
		}}
}

func (m *mesh) answer(name string, req *wire.AuditRequest, state byte) ([]byte, error) {
	a := &proof.AuditData{Session: req.GetSession(), From: req.GetFrom(), Window: []byte{1}}
	for n := max(req.GetFrom(), 1) - 1; n < req.GetFrom()+req.GetSeconds(); n++ {
		a.Segments = append(a.Segments, m.signed(name, [16]byte(req.GetSession()), n, state))
	}
	for n := req.GetFrom() + req.GetSeconds(); n <= req.GetNamed(); n++ {
		a.After = append(a.After, m.signed(name, [16]byte(req.GetSession()), n, state))
	}
	o, err := proof.Sign(testChain, m.keys[name], &proof.Statement{Says: &proof.Statement_Audit{Audit: a}})
	if err != nil {
		m.t.Error(err)
		return nil, err
	}
	return o.Raw, nil
}

func (m *mesh) entry(epoch uint64, name string) proof.Entry {
	m.t.Helper()
	r := m.result(epoch)
	if r == nil {
		m.t.Fatalf("no certificate of epoch %d", epoch)
	}
	at, _ := bookOf{m}.Roll(m.t.Context(), epoch)
	_, place, _ := at.Assignment.Of(m.node(name))
	return r.Entries[place]
}

var wrongSecond = audit.Finding{Outcome: audit.Wrong, Reason: proof.ReasonSegment, FirstBad: 13, Field: segment.FieldState, Text: "It does not replay."}

// What audits of busy containers find goes through votes into the certificate.
func TestFindingsOfAudits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 4, 5)
		defer m.stop()
		for i, name := range []string{"container-1", "container-2", "container-3", "container-4"} {
			m.playing(name, [16]byte{byte(i + 1)})
		}
		m.answering(func(name string, req *wire.AuditRequest) ([]byte, error) {
			if name == "container-4" {
				return nil, &rpc.Error{Code: wire.Code_BUSY, Message: "later"}
			}
			return m.answer(name, req, 1)
		}, func(_ context.Context, name string) (audit.Finding, error) {
			switch name {
			case "container-1":
				return wrongSecond, nil
			case "container-2":
				return audit.Finding{}, replay.ErrProcess // a hostile module, which is nobody's fault that can be shown
			}
			return audit.Finding{Outcome: audit.Equal}, nil
		})
		m.startAll()
		m.until(0, 99)
		for name, want := range map[string]struct {
			verdict uint32
			least   uint32
			most    uint32
		}{"container-1": {proof.VerdictBad, 1, 1}, "container-2": {proof.VerdictBusy, 0, 0}, "container-3": {proof.VerdictBusy, 1_000_000, 1_000_000}, "container-4": {proof.VerdictBusy, 500_000, 500_000}} {
			if e := m.entry(0, name); e.Verdict != want.verdict || e.QualityPPM < want.least || e.QualityPPM > want.most {
				t.Errorf("%s: %v", name, e)
			}
		}
		e := m.entry(0, "container-1")
		if e.Reason != proof.ReasonSegment {
			t.Errorf("%v", e)
		}
		kept, err := filepath.Glob(filepath.Join(m.dir, "checker-*", "proofs", "*"+checker.AnswerSuffix))
		if err != nil || len(kept) != 5 {
			t.Fatalf("the answer is kept %d times, %v", len(kept), err)
		}
		named := false
		for _, path := range kept {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := proof.Open(testChain, b); err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b)
			named = named || e.Evidence.Names(sum)
		}
		if !named {
			t.Error("the certificate's evidence is not what was kept")
		}
		for name, c := range m.rounds {
			list, err := c.Reports(t.Context())
			if err != nil || list[0].Audited != 3 || list[0].AuditsWrong != 1 {
				t.Errorf("%s: %+v, %v", name, list, err)
			}
		}
		m.nobodyLied()
	})
}

// The committee's five audit at once, the reserve's five when the committee's votes are bound.
func TestAReserveAuditsAfterTheCommittee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 10)
		defer m.stop()
		m.playing("container-1", [16]byte{1})
		m.answering(nil, func(context.Context, string) (audit.Finding, error) { return audit.Finding{Outcome: audit.Equal}, nil })
		m.startAll()
		audited := func() (n int) {
			for name, c := range m.rounds {
				list, err := c.Reports(t.Context())
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, r := range list {
					n += r.Audited
				}
			}
			return n
		}
		m.until(0, 54)
		if n := audited(); n != 5 {
			t.Errorf("%d audits before the committee is bound", n)
		}
		m.until(0, 99)
		if n := audited(); n != 10 {
			t.Errorf("%d audits in the epoch", n)
		}
	})
}

// An audit that ends after the vote counts in the next one, and holds up no round.
func TestAuditsThatTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		m.playing("container-1", [16]byte{1})
		m.answering(nil, func(ctx context.Context, _ string) (audit.Finding, error) {
			select {
			case <-time.After(8 * time.Second):
				return wrongSecond, nil
			case <-ctx.Done():
				return audit.Finding{}, ctx.Err()
			}
		})
		m.startAll()
		m.until(0, 99)
		if e := m.entry(0, "container-1"); e.Verdict != proof.VerdictBusy {
			t.Errorf("epoch 0: %v", e)
		}
		m.until(1, 99)
		if e := m.entry(1, "container-1"); e.Verdict != proof.VerdictBad {
			t.Errorf("epoch 1: %v", e)
		}
	})
}

// A container that signs another past for each audit is convicted by two commitments for one
// second.
func TestTwoPastsConvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		m.playing("container-1", [16]byte{1})
		state := byte(0)
		m.answering(func(name string, req *wire.AuditRequest) ([]byte, error) {
			m.mu.Lock()
			state++
			now := state
			m.mu.Unlock()
			req.From = 20 // windows overlap
			return m.answer(name, req, now)
		}, func(context.Context, string) (audit.Finding, error) { return audit.Finding{Outcome: audit.Equal}, nil })
		m.startAll()
		m.until(1, 99)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.frauds == 0 {
			t.Error("nobody was convicted")
		}
	})
}

// A container that makes a past for an audit and leads it to the second that it had named signs
// that one twice: one audit by one checker convicts it.
func TestAPastThatWasMadeForAnAuditConvicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		m.playing("container-1", [16]byte{1})
		asked := false
		m.answering(func(name string, req *wire.AuditRequest) ([]byte, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if asked {
				return nil, &rpc.Error{Code: wire.Code_BUSY, Message: "later"}
			}
			asked = true
			return m.answer(name, req, 2) // named was one with state 1
		}, func(context.Context, string) (audit.Finding, error) {
			return audit.Finding{}, replay.ErrProcess // whatever comes of the replay
		})
		m.startAll()
		m.until(0, 99)
		m.mu.Lock()
		defer m.mu.Unlock()
		if !asked || m.frauds == 0 {
			t.Error("nobody was convicted")
		}
	})
}
