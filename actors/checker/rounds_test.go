package checker_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/container/prover"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/check"
)

const (
	testChain = "test"
	epochMS   = 20_000
)

// mesh is a network in memory: a ledger that every node sees alike, gossip that reaches all,
// and calls that arrive. Time is the bubble's.
type mesh struct {
	t       *testing.T
	dir     string
	genesis uint64
	keys    map[string]ed25519.PrivateKey

	mu         sync.Mutex
	systems    map[string]*supervise.System
	containers map[peer.ID]check.Container
	checkers   map[peer.ID]check.Checker
	voters     map[string]func(peer.ID, any)
	rounds     map[string]*checker.Rounds
	backends   []kernel.Backend
	said       []*proof.Opened
	certs      map[string]*tx.VoteCertificate
	frauds     int
	sends      int
	busy       map[string]*prover.Session
	ledger     map[[16]byte]bool // open sessions
	played     map[[16]byte]state.Session
	audits     *checker.AuditOptions
	cut        map[peer.ID]bool // checkers that reach no container
	spoil      map[string]bool  // containers whose device renders wrong pixels
	skew       map[string]time.Duration
	leaves     func(*proof.Opened)
	stamped    func(to peer.ID, commit []byte) // a container has its answer
	send       func(*tx.Body) error            // nil refuses the first try
}

func newMesh(t *testing.T, containers, checkers int) *mesh {
	m := &mesh{t: t, dir: t.TempDir(), genesis: uint64(time.Now().UnixMilli()), keys: map[string]ed25519.PrivateKey{}, systems: map[string]*supervise.System{},
		containers: map[peer.ID]check.Container{}, checkers: map[peer.ID]check.Checker{}, voters: map[string]func(peer.ID, any){},
		rounds: map[string]*checker.Rounds{}, certs: map[string]*tx.VoteCertificate{}, busy: map[string]*prover.Session{}, ledger: map[[16]byte]bool{}, spoil: map[string]bool{}, skew: map[string]time.Duration{}}
	for i := range containers {
		m.key(fmt.Sprint("container-", i+1))
	}
	for i := range checkers {
		m.key(fmt.Sprint("checker-", i+1))
	}
	return m
}

func (m *mesh) key(name string) {
	seed := sha256.Sum256([]byte(name))
	m.keys[name] = ed25519.NewKeyFromSeed(seed[:])
}

func (m *mesh) node(name string) key.Node { return key.Node(m.keys[name][ed25519.SeedSize:]) }

func (m *mesh) id(name string) peer.ID {
	id, err := m.node(name).Peer()
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

func (m *mesh) system(name string) *supervise.System {
	s, err := supervise.NewSystem(supervise.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.systems[name] = s
	return s
}

func (m *mesh) startContainer(name string) {
	backend := slow{kernel.CPU(1), m.spoil[name]}
	p, err := prover.New(prover.Options{System: m.system(name), Key: m.keys[name], Book: bookOf{m}, Courier: courier{m, m.id(name)},
		Kernel: recompute.New(), Backend: backend, Path: filepath.Join(m.dir, name), Now: m.clock(name),
		Busy: func(context.Context) (prover.Session, int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if s := m.busy[name]; s != nil {
				return *s, 1
			}
			return prover.Session{}, 0
		}})
	if err == nil {
		err = p.Start(m.t.Context())
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.containers[m.id(name)] = p
	m.backends = append(m.backends, backend)
}

func (m *mesh) startChecker(name string) {
	r, err := checker.NewRounds(checker.RoundOptions{System: m.system(name), Key: m.keys[name], Book: bookOf{m}, Votes: gossip{m, name},
		Calls: calls{m, m.id(name)}, Kernel: recompute.New(), Audits: m.audits, Now: m.clock(name), Dir: filepath.Join(m.dir, name), ProofDir: filepath.Join(m.dir, name, "proofs")})
	if err == nil {
		err = r.Start(m.t.Context())
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checkers[m.id(name)], m.rounds[name] = r, r
}

// clock is what a node takes for the time.
func (m *mesh) clock(name string) func() time.Time {
	return func() time.Time { return time.Now().Add(m.skew[name]) }
}

// slow takes the bubble's time for a frame, or a window would hold hundreds of them.
type slow struct {
	kernel.Backend
	spoil bool
}

func (s slow) Render(ctx context.Context, size kernel.Size, seed kernel.Seed, out []uint32) error {
	select {
	case <-time.After(150 * time.Millisecond):
		err := s.Backend.Render(ctx, size, seed, out)
		for i := 0; s.spoil && i < len(out); i += kernel.TileWords {
			out[i] ^= 1
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kill ends a node as it is; what is on its disk stays.
func (m *mesh) kill(name string) {
	m.mu.Lock()
	delete(m.containers, m.id(name))
	delete(m.checkers, m.id(name))
	delete(m.voters, name)
	delete(m.rounds, name)
	s := m.systems[name]
	delete(m.systems, name)
	m.mu.Unlock()
	if err := s.Stop(context.Background()); err != nil {
		m.t.Error(err)
	}
}

func (m *mesh) startAll() {
	for name := range m.keys {
		if name[:4] == "cont" {
			m.startContainer(name)
		} else {
			m.startChecker(name)
		}
	}
}

func (m *mesh) stop() {
	for _, s := range m.systems {
		if err := s.Stop(context.Background()); err != nil {
			m.t.Error(err)
		}
	}
	for _, b := range m.backends {
		if err := b.Close(); err != nil {
			m.t.Error(err)
		}
	}
}

// result is what the certificate of an epoch's only batch says.
func (m *mesh) result(epoch uint64) *proof.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.certs[fmt.Sprint(epoch, "/", 0)]
	if c == nil {
		return nil
	}
	if c.Attested() < 3 {
		m.t.Errorf("%d attest the certificate of epoch %d", c.Attested(), epoch)
	}
	r, err := proof.DecodeResult(c.GetResult())
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// committee is who may attest a certificate, by place.
func (m *mesh) committee(c *tx.VoteCertificate) []key.Node {
	m.t.Helper()
	r, err := proof.DecodeResult(c.GetResult())
	if err != nil {
		m.t.Fatal(err)
	}
	roll, err := bookOf{m}.Roll(m.t.Context(), c.GetEpoch())
	if err != nil {
		m.t.Fatal(err)
	}
	return roll.Assignment.Batches[c.GetBatch()].Members(r.Attempt)
}

// nobodyLied looks for two statements where one is allowed, among all that were gossiped.
func (m *mesh) nobodyLied() {
	m.mu.Lock()
	defer m.mu.Unlock()
	rules := proof.Rules{Chain: testChain, Kernel: recompute.New(), Seed: func(e uint64) ([32]byte, bool) { return seedOf(e), true }}
	for i, a := range m.said {
		for _, b := range m.said[:i] {
			if a.Signer != b.Signer || a.Digest == b.Digest || a.Kind() != b.Kind() {
				continue
			}
			f, err := proof.PairFraud(a, b)
			if err != nil {
				continue // of a kind that may stand side by side
			}
			if _, err := proof.Check(rules, f); err == nil {
				m.t.Errorf("%s said two things: %v and %v", a.Signer, a.Statement, b.Statement)
			}
		}
	}
	if m.frauds != 0 {
		m.t.Errorf("%d fraud proofs against honest nodes", m.frauds)
	}
}

func seedOf(epoch uint64) [32]byte { return sha256.Sum256([]byte(fmt.Sprint("seed ", epoch))) }

// bookOf is the ledger as nodes see it: the seed of an epoch is known a second after it began.
type bookOf struct{ m *mesh }

func (b bookOf) Chain() string                  { return testChain }
func (b bookOf) EpochAt(ms uint64) uint64       { return economics.Epoch(b.m.genesis, epochMS/1000, ms) }
func (b bookOf) EpochStart(epoch uint64) uint64 { return b.m.genesis + epoch*epochMS }
func (b bookOf) NextBlock() <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(500*time.Millisecond, func() { close(c) })
	return c
}

func (b bookOf) Roll(_ context.Context, epoch uint64) (*ledgeractor.Roll, error) {
	if uint64(time.Now().UnixMilli()) < b.EpochStart(epoch)+1000 {
		return nil, ledgeractor.ErrNoBeacon
	}
	e := economics.DefaultParams()
	e.EpochSeconds, e.ProofCheckPPM = epochMS/1000, 1_000_000
	p := judge.From(e)
	var containers, checkers []judge.Candidate
	for name := range b.m.keys {
		c := judge.Candidate{Node: b.m.node(name), Stake: 1, Owner: key.Address(b.m.node(name))}
		if name[:4] == "cont" {
			containers = append(containers, c)
		} else {
			checkers = append(checkers, c)
		}
	}
	return &ledgeractor.Roll{Epoch: epoch, Seed: seedOf(epoch), Params: p, Times: judge.Schedule(p, epoch, b.m.genesis),
		Assignment: judge.Assign(testChain, seedOf(epoch), epoch, containers, checkers, p)}, nil
}

func (b bookOf) Duty(ctx context.Context, epoch uint64, container key.Node) (prover.Duty, error) {
	r, err := b.Roll(ctx, epoch)
	if err != nil {
		return prover.Duty{}, err
	}
	at, _, ok := r.Assignment.Of(container)
	if !ok {
		return prover.Duty{}, prover.ErrNoDuty
	}
	return prover.Duty{Task: r.Assignment.Task, Times: r.Times, Checkers: slices.Concat(r.Assignment.Batches[at].Committee, r.Assignment.Batches[at].Reserve), Picks: r.Params.K}, nil
}

func (b bookOf) Standing(context.Context, key.Node) (judge.Standing, error) {
	return judge.Standing{Rounds: 1, MedianMilli: 1 << 40}, nil
}

func (b bookOf) InSession(_ context.Context, _ key.Node, s [16]byte) (bool, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	return b.m.ledger[s], nil
}

func (b bookOf) Session(_ context.Context, container key.Node, name [16]byte) (state.Session, bool, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	s, ok := b.m.played[name]
	return s, ok, nil
}

func (b bookOf) Certified(_ context.Context, epoch uint64, batch uint32) (bool, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	return b.m.certs[fmt.Sprint(epoch, "/", batch)] != nil, nil
}

// Send refuses each first try: the ledger may be out of reach.
func (b bookOf) Send(_ context.Context, body *tx.Body) error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	b.m.sends++
	switch {
	case b.m.send != nil:
		if err := b.m.send(body); err != nil {
			return err
		}
	case b.m.sends == 1:
		return errors.New("out of reach")
	}
	switch {
	case body.GetCertificate() != nil:
		c := body.GetCertificate()
		k := fmt.Sprint(c.GetEpoch(), "/", c.GetBatch())
		if b.m.certs[k] != nil {
			return checker.ErrSettled
		}
		b.m.certs[k] = c
	case body.GetFraud() != nil:
		b.m.frauds++
	}
	return nil
}

type gossip struct {
	m    *mesh
	name string
}

func (g gossip) Subscribe(_ context.Context, handle func(peer.ID, any)) error {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	g.m.voters[g.name] = handle
	return nil
}

func (g gossip) Publish(_ context.Context, data []byte) error {
	o, err := proof.Open(testChain, data)
	if err != nil {
		return err
	}
	if err := checker.Gossiped(o); err != nil {
		return err
	}
	g.m.mu.Lock()
	g.m.said = append(g.m.said, o)
	if g.m.leaves != nil {
		g.m.leaves(o)
	}
	var all []func(peer.ID, any)
	for _, h := range g.m.voters {
		all = append(all, h)
	}
	g.m.mu.Unlock()
	for _, h := range all {
		h(g.m.id(g.name), o)
	}
	return nil
}

var errGone = errors.New("nobody there")

type courier struct {
	m    *mesh
	self peer.ID
}

func (c courier) Commit(ctx context.Context, to peer.ID, st []byte) ([32]byte, uint32, error) {
	c.m.mu.Lock()
	r := c.m.checkers[to]
	c.m.mu.Unlock()
	if r == nil {
		return [32]byte{}, 0, errGone
	}
	commit, arrival, err := r.Commit(ctx, c.self, st)
	if err == nil && c.m.stamped != nil {
		c.m.stamped(to, st)
	}
	return commit, arrival, err
}

type calls struct {
	m    *mesh
	self peer.ID
}

func (c calls) container(id peer.ID) (check.Container, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if p := c.m.containers[id]; p != nil && !c.m.cut[c.self] {
		return p, nil
	}
	return nil, errGone
}

func (c calls) Open(ctx context.Context, to peer.ID, epoch uint64, commit [32]byte, picks []uint32) ([]byte, time.Duration, error) {
	p, err := c.container(to)
	if err != nil {
		return nil, 0, err
	}
	st, err := p.Open(ctx, c.self, epoch, commit, picks)
	return st, time.Millisecond, err
}

func (c calls) Ping(ctx context.Context, to peer.ID, epoch uint64, nonce []byte) ([]byte, time.Duration, error) {
	p, err := c.container(to)
	if err != nil {
		return nil, 0, err
	}
	st, err := p.Ping(ctx, c.self, epoch, nonce)
	return st, time.Millisecond, err
}

func (c calls) Recall(ctx context.Context, to peer.ID, epoch uint64, whole bool, batch uint32) ([][]byte, error) {
	c.m.mu.Lock()
	r := c.m.checkers[to]
	c.m.mu.Unlock()
	if r == nil {
		return nil, errGone
	}
	return r.Recall(ctx, c.self, epoch, whole, batch)
}

// until lets time pass up to a part of an epoch, in hundredths.
func (m *mesh) until(epoch, percent uint64) {
	at := time.UnixMilli(int64(m.genesis + epoch*epochMS + epochMS*percent/100))
	time.Sleep(time.Until(at)) // of the bubble's clock
	synctest.Wait()
}

func TestARoundFromNonceToCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 3, 5)
		defer m.stop()
		playing, invented := [16]byte{1}, [16]byte{2}
		m.ledger[playing] = true
		m.busy["container-2"] = &prover.Session{ID: playing}
		m.busy["container-3"] = &prover.Session{ID: invented}
		m.startAll()
		m.until(0, 99)
		r := m.result(0)
		if r == nil {
			t.Fatal("no certificate")
		}
		at, _ := bookOf{m}.Roll(t.Context(), 0)
		for name, want := range map[string]uint32{"container-1": proof.VerdictOK, "container-2": proof.VerdictBusy, "container-3": proof.VerdictRefused} {
			_, place, _ := at.Assignment.Of(m.node(name))
			e := r.Entries[place]
			if e.Verdict != want || (want == proof.VerdictOK) != (e.RPMilli > 0) || e.OfflinePPM != 0 {
				t.Errorf("%s: %v", name, e)
			}
		}
		if r.Correct != 0b11111 || r.Wrong != 0 {
			t.Errorf("correct %b, wrong %b", r.Correct, r.Wrong)
		}
		right := 0
		for name, c := range m.rounds {
			reports, err := c.Reports(t.Context())
			if err != nil || len(reports) != 1 || len(reports[0].Challenged) != 3 || len(reports[0].Committed) != 3 || reports[0].Votes != 1 || reports[0].Refused != 0 {
				t.Errorf("%s: %+v, %v", name, reports, err)
			}
			right += reports[0].Right
		}
		if right != 5 {
			t.Errorf("%d checkers recomputed tiles", right)
		}
		m.nobodyLied()
	})
}

// Whoever is killed in the middle of a round and comes back goes on with it and never says
// the contrary of what it said before.
func TestARoundGoesOnAfterAKill(t *testing.T) {
	for _, at := range []uint64{10, 17, 22, 35, 53, 57, 62, 68} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, 2, 5)
				defer m.stop()
				m.startAll()
				for _, p := range []uint64{0, at} {
					m.until(0, p)
				}
				m.kill("checker-1")
				m.kill("container-1")
				m.until(0, at+1)
				m.startChecker("checker-1")
				m.startContainer("container-1")
				m.until(0, 99)
				r := m.result(0)
				if r == nil {
					t.Fatal("no certificate")
				}
				for i, e := range r.Entries {
					// Killed while it renders, a container loses the round, and nothing else.
					if v := e.Verdict; v != proof.VerdictOK && v != proof.VerdictAbsent {
						t.Errorf("container %d: %v", i, e)
					}
				}
				if r.Wrong != 0 {
					t.Errorf("wrong %b", r.Wrong)
				}
				m.nobodyLied()
				m.until(1, 99)
				if r := m.result(1); r == nil || r.Correct != 0b11111 {
					t.Errorf("the next round: %v", r)
				}
			})
		})
	}
}

// With a majority of the committee gone there is no certificate and nobody is blamed.
func TestARoundWithoutAQuorumEndsQuietly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 2, 5)
		defer m.stop()
		m.startAll()
		m.until(0, 40)
		for i := range 3 {
			m.kill(fmt.Sprint("checker-", i+1))
		}
		m.until(1, 10)
		if r := m.result(0); r != nil {
			t.Errorf("two of five certified: %v", r)
		}
		m.nobodyLied()
	})
}

// A round that cannot be read is not taken part in: this checker may have voted.
func TestASpoiltRoundIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		if err := os.MkdirAll(filepath.Join(m.dir, "checker-1"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(m.dir, "checker-1", "round-0"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		m.startAll()
		m.until(0, 99)
		for _, o := range m.said {
			if e, _ := o.Epoch(); e == 0 && o.Signer == m.node("checker-1") {
				t.Errorf("it said %v", o.Statement)
			}
		}
		if r := m.result(0); r == nil {
			t.Error("the others did not go on without it")
		}
		m.until(1, 99)
		if r := m.result(1); r == nil || r.Correct != 0b11111 {
			t.Errorf("the next round: %v", r)
		}
	})
}
