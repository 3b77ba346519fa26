package checker_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/container/segments/segmentstest"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
)

// played is a second of a session that a container has signed, as a proof file says it.
type played struct {
	container key.Node
	file      []byte // a proof file: that it does not replay where it was falsified, else of nothing
	answer    []byte // to the audit
	code      []byte
}

// play is a session on a container of this kind, audited.
func play(t *testing.T, double segments.Double) played {
	t.Helper()
	code, err := os.ReadFile("../../gpu/app/testdata/ball.wasm")
	if err != nil {
		t.Fatal(err)
	}
	id := [16]byte{7}
	s, err := segments.Open(segments.Options{Dir: t.TempDir(), Chain: testChain, Key: segmentstest.PlayerKey(200), Double: double})
	if err != nil {
		t.Fatal(err)
	}
	owner := &segmentstest.Page{Key: segmentstest.PlayerKey(1), Role: stream.RoleOwner, Shift: 40}
	public := owner.Key.Public().(ed25519.PublicKey)
	log, err := s.Begin(segments.About{Session: id, App: sha256.Sum256(code), Player: public})
	if err != nil {
		t.Fatal(err)
	}
	p := segmentstest.Start(t, code, t.TempDir(), witness.Session{Chain: testChain, Container: s.Node(), ID: id}, log, owner)
	p.Seconds(14)
	a, err := s.Data(t.Context(), id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	terms := audit.Terms{Chain: testChain, Container: s.Node(), Session: id, App: sha256.Sum256(code), Owner: [32]byte(public), Seconds: 10, Epoch: 3, Seed: [32]byte{1}}
	_, f, err := audit.Audit(t.Context(), terms, a, code, segment.Auditor{})
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		f = honestFile(t, a)
	}
	b, err := proof.EncodeFile(f)
	if err != nil {
		t.Fatal(err)
	}
	return played{s.Node(), b, a.Raw, code}
}

// honestFile says of the first second of an honest answer what colluders would: that it does
// not replay.
func honestFile(t *testing.T, a *proof.Opened) *proof.File {
	t.Helper()
	w, err := segment.ParseWindow(a.Statement.GetAudit().GetWindow())
	if err != nil {
		t.Fatal(err)
	}
	first := a.Statement.GetAudit().GetSegments()[0]
	w.Seconds = w.Seconds[:1:1]
	return &proof.File{Version: 1, Chain: testChain, Epoch: 3, Seed: make([]byte, 32), Holds: &proof.File_Second{
		Second: &proof.Second{Subject: a.Signer[:], Segments: []*proof.Signed{first}, Proof: w.Append(nil)}}}
}

// appealBench is a committee that hears an appeal, in the bubble's time.
type appealBench struct {
	t       *testing.T
	dir     string
	genesis uint64
	p       played
	appeal  ledgeractor.Appeal
	keys    []ed25519.PrivateKey

	mu      sync.Mutex
	files   map[[32]byte][]byte // that can be fetched
	voters  map[key.Node]func(peer.ID, any)
	members map[peer.ID]*checker.Appeals
	systems map[key.Node]*supervise.System
	cert    *tx.VoteCertificate
	sends   int
	reruns  int
	mute    bool // no gossip arrives
	watches map[peer.ID]*wire.WatchResponse
}

// epochOfAppeal is when the committee is drawn.
const epochOfAppeal = 5

func newAppealBench(t *testing.T, p played, members int) *appealBench {
	b := &appealBench{t: t, dir: t.TempDir(), genesis: uint64(time.Now().UnixMilli()) - epochOfAppeal*epochMS, p: p,
		files: map[[32]byte][]byte{}, voters: map[key.Node]func(peer.ID, any){}, members: map[peer.ID]*checker.Appeals{}, systems: map[key.Node]*supervise.System{}}
	evidence := sha256.Sum256(p.file)
	b.files[evidence] = p.file
	b.appeal = ledgeractor.Appeal{ID: [32]byte{9}, Epoch: epochOfAppeal, Batch: state.AppealBatch([32]byte{9}), Seed: [32]byte{2}, Quorum: 6,
		Accusation: state.Accusation{Node: p.container, Offence: economics.OffenceForged, Epoch: 3, Evidence: proof.NameOf(evidence[:])}}
	for i := range members {
		seed := sha256.Sum256([]byte(fmt.Sprint("member ", i)))
		k := ed25519.NewKeyFromSeed(seed[:])
		b.keys = append(b.keys, k)
		b.appeal.Members = append(b.appeal.Members, key.Node(k[ed25519.SeedSize:]))
	}
	return b
}

// start brings a member up; rerun stands in for its replays, nil replays.
func (b *appealBench) start(i int, rerun func(ledgeractor.Appeal) (uint32, bool)) {
	b.t.Helper()
	system, err := supervise.NewSystem(supervise.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	node := key.Node(b.keys[i][ed25519.SeedSize:])
	a, err := checker.NewAppeals(checker.AppealOptions{System: system, Key: b.keys[i], Book: appealBook{b}, Votes: appealVotes{b, node}, Calls: appealCalls{b},
		Evidence: b.fetch,
		Module: func(_ context.Context, sha [32]byte, _ []peer.ID) ([]byte, error) {
			if sha != sha256.Sum256(b.p.code) {
				return nil, fs.ErrNotExist
			}
			return b.p.code, nil
		},
		Verify: func(ctx context.Context, file, code []byte) (audit.Verdict, error) {
			b.mu.Lock()
			b.reruns++
			b.mu.Unlock()
			f, err := proof.ParseFile(file)
			if err != nil {
				return audit.Verdict{}, err
			}
			return audit.VerifyFile(ctx, f, func([32]byte) ([]byte, error) { return code, nil }, segment.Auditor{})
		},
		Judge: func(ctx context.Context, t audit.Terms, answer *proof.Opened, code []byte) (audit.Finding, *proof.File, error) {
			return audit.Audit(ctx, t, answer, code, segment.Auditor{})
		},
		Rerun: rerun, Dir: filepath.Join(b.dir, fmt.Sprint(i)), Now: time.Now})
	if err == nil {
		err = a.Start(b.t.Context())
	}
	id, bad := node.Peer()
	if err := errors.Join(err, bad); err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members[id], b.systems[node] = a, system
}

func (b *appealBench) fetch(_ context.Context, name proof.Name, _ []peer.ID) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for sha, f := range b.files {
		if name.Names(sha) {
			return f, nil
		}
	}
	return nil, fs.ErrNotExist
}

// kill ends a member as it is; what is on its disk stays.
func (b *appealBench) kill(i int) {
	b.mu.Lock()
	node := key.Node(b.keys[i][ed25519.SeedSize:])
	s := b.systems[node]
	delete(b.systems, node)
	delete(b.voters, node)
	if id, err := node.Peer(); err == nil {
		delete(b.members, id)
	}
	b.mu.Unlock()
	if err := s.Stop(context.Background()); err != nil {
		b.t.Error(err)
	}
}

func (b *appealBench) stop() {
	for _, s := range b.systems {
		if err := s.Stop(context.Background()); err != nil {
			b.t.Error(err)
		}
	}
}

// until lets time pass up to a part of the appeal's epochs, in hundredths of one.
func (b *appealBench) until(percent uint64) {
	at := time.UnixMilli(int64(b.genesis + epochOfAppeal*epochMS + epochMS*percent/100))
	time.Sleep(time.Until(at)) // of the bubble's clock
	synctest.Wait()
}

// answer is the verdict on the ledger; 0 when there is none. It holds the certificate against
// what the ledger asks for.
func (b *appealBench) answer() uint32 {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cert == nil {
		return 0
	}
	r, err := proof.DecodeResult(b.cert.GetResult())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.cert.VerifyBy(testChain, b.appeal.Members); err != nil {
		b.t.Error(err)
	}
	if b.cert.Attested() < b.appeal.Quorum || r.Batch != b.appeal.Batch || r.Epoch != b.appeal.Epoch || len(r.Entries) != 1 || r.Correct|r.Wrong != 0 {
		b.t.Errorf("%d attest %v", b.cert.Attested(), r)
	}
	return r.Entries[0].Verdict
}

type appealBook struct{ b *appealBench }

func (a appealBook) Chain() string                  { return testChain }
func (a appealBook) EpochAt(ms uint64) uint64       { return economics.Epoch(a.b.genesis, epochMS/1000, ms) }
func (a appealBook) EpochStart(epoch uint64) uint64 { return a.b.genesis + epoch*epochMS }

func (a appealBook) Appeals(_ context.Context, epoch uint64) ([]ledgeractor.Appeal, error) {
	if uint64(time.Now().UnixMilli()) < a.EpochStart(epoch)+1000 {
		return nil, ledgeractor.ErrNoBeacon
	}
	if epoch != epochOfAppeal {
		return nil, nil
	}
	return []ledgeractor.Appeal{a.b.appeal}, nil
}

func (a appealBook) Certified(context.Context, uint64, uint32) (bool, error) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	return a.b.cert != nil, nil
}

// Send refuses the first try: the ledger may be out of reach.
func (a appealBook) Send(_ context.Context, body *tx.Body) error {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.b.sends++
	switch {
	case a.b.sends == 1:
		return errors.New("out of reach")
	case a.b.cert != nil:
		return checker.ErrSettled
	}
	a.b.cert = body.GetCertificate()
	return nil
}

type appealVotes struct {
	b    *appealBench
	node key.Node
}

func (v appealVotes) Subscribe(_ context.Context, handle func(peer.ID, any)) error {
	v.b.mu.Lock()
	defer v.b.mu.Unlock()
	v.b.voters[v.node] = handle
	return nil
}

func (v appealVotes) Publish(_ context.Context, data []byte) error {
	o, err := proof.Open(testChain, data)
	if err == nil {
		err = checker.Gossiped(o)
	}
	if err != nil {
		return err
	}
	v.b.mu.Lock()
	var all []func(peer.ID, any)
	for _, h := range v.b.voters {
		all = append(all, h)
	}
	mute := v.b.mute
	v.b.mu.Unlock()
	for _, h := range all {
		if !mute {
			h("", o)
		}
	}
	return nil
}

type appealCalls struct{ b *appealBench }

func (c appealCalls) Recall(ctx context.Context, to peer.ID, epoch uint64, _ bool, batch uint32) ([][]byte, error) {
	c.b.mu.Lock()
	a := c.b.members[to]
	c.b.mu.Unlock()
	if a == nil {
		return nil, errGone
	}
	return a.Recall(ctx, epoch, batch)
}

func (c appealCalls) Watched(_ context.Context, to peer.ID, epoch uint64, container [32]byte, session [16]byte) (*wire.WatchResponse, error) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if w := c.b.watches[to]; w != nil && epoch == 3 && container == c.b.appeal.Accusation.Node && session == c.b.appeal.Accusation.Session {
		return w, nil
	}
	return nil, errGone
}

// A committee that replays the second comes to the truth: a container that falsified its
// session is confirmed to be guilty, an honest one accused by colluders is acquitted.
func TestAppealsAreAnsweredByReplay(t *testing.T) {
	for double, want := range map[segments.Double]uint32{segments.Poke: proof.VerdictBad, segments.Honest: proof.VerdictOK} {
		p := play(t, double)
		synctest.Test(t, func(t *testing.T) {
			b := newAppealBench(t, p, 11)
			defer b.stop()
			for i := range 11 {
				b.start(i, nil)
			}
			b.until(90)
			if got := b.answer(); got != want {
				t.Errorf("%q: the answer is %d, want %d", double, got, want)
			}
			if b.sends > 3 {
				t.Errorf("brought to the ledger %d times", b.sends)
			}
		})
	}
}

// 2N + 1 members of an appeal's committee who lie come to nothing, and neither do 2N + 1 who
// are honest where the others are gone: in doubt the accused goes free.
func TestAppealsNeedAMajority(t *testing.T) {
	p := play(t, segments.Honest)
	synctest.Test(t, func(t *testing.T) {
		b := newAppealBench(t, p, 11)
		defer b.stop()
		for i := range 5 {
			b.start(i, func(ledgeractor.Appeal) (uint32, bool) { return proof.VerdictBad, true })
		}
		for i := range 5 {
			b.start(5+i, nil)
		}
		b.until(120)
		if b.cert != nil {
			t.Fatal("five of eleven decided")
		}
		b.start(10, nil) // comes late, and asks for what it missed
		b.until(190)
		if got := b.answer(); got != proof.VerdictOK {
			t.Errorf("the answer is %d", got)
		}
	})
}

// Evidence that nobody has, that is about somebody else or that proves nothing is attested by
// nobody; evidence that turns up later is rerun.
func TestAppealsInDoubt(t *testing.T) {
	p := play(t, segments.Poke)
	for name, change := range map[string]func(b *appealBench){
		"of nobody":          func(b *appealBench) { clear(b.files) },
		"about another":      func(b *appealBench) { b.appeal.Accusation.Node = key.Node{1} },
		"junk":               func(b *appealBench) { b.files[sha256.Sum256(b.p.file)] = []byte("junk") },
		"without an app":     func(b *appealBench) { b.p.code = nil },
		"a measured offence": func(b *appealBench) { b.appeal.Accusation.Offence = economics.OffenceCapacity },
		"none":               func(b *appealBench) { b.appeal.Accusation.Evidence = proof.Name{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newAppealBench(t, p, 7)
				b.appeal.Quorum = 4
				change(b)
				defer b.stop()
				for i := range 7 {
					b.start(i, nil)
				}
				b.until(120)
				if b.cert != nil {
					t.Fatal("the committee decided")
				}
				if name != "of nobody" {
					return
				}
				b.mu.Lock()
				b.files[sha256.Sum256(p.file)] = p.file
				b.mu.Unlock()
				b.until(190)
				if got := b.answer(); got != proof.VerdictBad {
					t.Errorf("with the evidence there the answer is %d", got)
				}
			})
		})
	}
}

// What a container signed in an audit convicts it where it does not replay. Where it does, it
// says nothing about those who accused.
func TestAppealsByAnswers(t *testing.T) {
	for double, want := range map[segments.Double]uint32{segments.Poke: proof.VerdictBad, segments.Honest: 0} {
		p := play(t, double)
		synctest.Test(t, func(t *testing.T) {
			b := newAppealBench(t, p, 7)
			b.appeal.Quorum = 4
			sha := sha256.Sum256(p.answer)
			b.appeal.Accusation.Evidence, b.files[sha] = proof.NameOf(sha[:]), p.answer
			defer b.stop()
			for i := range 7 {
				b.start(i, nil)
			}
			b.until(190)
			if got := b.answer(); got != want {
				t.Errorf("%q: the answer is %d, want %d", double, got, want)
			}
		})
	}
}

// Members whose gossip reaches nobody are asked; a member that was killed says the same again.
func TestAppealsOutliveSilenceAndKills(t *testing.T) {
	p := play(t, segments.Poke)
	synctest.Test(t, func(t *testing.T) {
		b := newAppealBench(t, p, 7)
		b.appeal.Quorum, b.mute = 7, true
		defer b.stop()
		for i := range 6 {
			b.start(i, nil)
		}
		b.until(30)
		reruns := b.reruns
		if reruns != 6 {
			t.Errorf("%d reruns", reruns)
		}
		b.kill(0)
		// What it says now must be what it said, whatever it would come to.
		b.start(0, func(ledgeractor.Appeal) (uint32, bool) { return proof.VerdictOK, true })
		b.start(6, nil)
		b.until(120)
		if got := b.answer(); got != proof.VerdictBad {
			t.Errorf("the answer is %d", got)
		}
	})
}
