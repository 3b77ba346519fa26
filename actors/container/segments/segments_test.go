package segments_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/container/segments/segmentstest"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

var (
	node = segmentstest.PlayerKey(200)
	id   = [16]byte{1, 2, 3}
)

// cart is a WASM-4 game of a few hundred bytes, which compiles in no time.
func cart(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../gpu/app/testdata/ball.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, dir string, change func(*segments.Options)) *segments.Store {
	t.Helper()
	o := segments.Options{Dir: dir, Chain: "demo", Key: node}
	if change != nil {
		change(&o)
	}
	s, err := segments.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// begin plays the cart with one page, whose words a store keeps.
func begin(t testing.TB, s *segments.Store, id [16]byte, tell func(control.Message)) (*segments.Log, *segmentstest.Play) {
	t.Helper()
	page := &segmentstest.Page{Key: segmentstest.PlayerKey(1), Role: stream.RoleOwner, Shift: 90}
	code := cart(t)
	w := witness.Session{Chain: "demo", Container: s.Node(), ID: id}
	relay := &relay{}
	p := segmentstest.Start(t, code, t.TempDir(), w, relay, page)
	l, err := s.Begin(segments.About{Session: id, App: p.P.App, Player: page.Key.Public().(ed25519.PublicKey)})
	if err != nil {
		t.Fatal(err)
	}
	if tell != nil {
		l.Attach(tell)
	}
	relay.to(l)
	return l, p
}

// relay holds back what comes before the log is there, as a worker's sink does.
type relay struct {
	log   *segments.Log
	early []func() ([]byte, error)
}

func (r *relay) to(l *segments.Log) {
	r.log = l
	for _, b := range r.early {
		l.State(b)
	}
}
func (r *relay) Second(s segment.Second) { r.log.Second(s) }
func (r *relay) Signed(m stream.Signed)  { r.log.Signed(m) }
func (r *relay) State(b func() ([]byte, error)) {
	if r.log == nil {
		r.early = append(r.early, b)
		return
	}
	r.log.State(b)
}

func end(s *segments.Store, l *segments.Log) {
	at := time.Unix(1_800_000_000, 0)
	l.End(session.Ended{Requested: at, Offered: at.Add(80 * time.Millisecond), FirstFrame: at.Add(300 * time.Millisecond), At: at.Add(time.Minute), FPS: 60, Why: "The player left\u2026"})
	s.Close()
}

func data(t *testing.T, s *segments.Store, from, seconds uint32) *proof.AuditData {
	t.Helper()
	o, err := s.Data(context.Background(), id, from, seconds)
	if err != nil {
		t.Fatal(err)
	}
	if o.Signer != s.Node() || o.Verify("demo") != nil {
		t.Fatal("an answer that the container did not sign")
	}
	return o.Statement.GetAudit()
}

func TestEverySecondIsSignedAndNamesTheOneBefore(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	told := make(chan control.Message, 100)
	l, p := begin(t, s, id, func(m control.Message) { told <- m })
	p.Seconds(13)
	a := data(t, s, 0, 10) // while it runs
	end(s, l)
	if len(a.GetSegments()) != 10 || len(a.GetInputs()) < 10 || a.GetFrom() != 0 {
		t.Fatalf("%d commitments and %d records from second %d", len(a.GetSegments()), len(a.GetInputs()), a.GetFrom())
	}
	var previous []byte
	var covered int
	for i, raw := range a.GetSegments() {
		o, err := proof.OpenSigned("demo", raw)
		if err != nil {
			t.Fatal(err)
		}
		c := o.Statement.GetSegment()
		if c.GetSecond() != uint32(i) || !bytes.Equal(c.GetPrevious(), previous) || c.GetTicks() != 60 {
			t.Errorf("second %d: %v", i, c)
		}
		if len(c.GetPlayerInputs()) == 32 {
			covered++
		}
		if m := (<-told).(control.Segment); m.Second != uint32(i) || m.Frames != hex.EncodeToString(c.GetFrames()) {
			t.Errorf("the page was told %v", m)
		}
		previous = o.Digest[:]
	}
	if covered < 9 { // all but second 0, after which the first record came
		t.Errorf("%d seconds name a record of the player", covered)
	}
	for _, b := range a.GetInputs() {
		x, err := witness.ParseBatch(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Verify(witness.Session{Chain: "demo", Container: s.Node(), ID: id, Player: x.Player}); err != nil {
			t.Error(err)
		}
	}
	q, err := segments.ReadQuality(s.Dir(), hex.EncodeToString(id[:]))
	if err != nil {
		t.Fatal(err)
	}
	if q.Receipts != 13 || q.Played != 13 || q.FPSMilli != 59000 || q.LaunchMS != 80 || q.FirstFrameMS != 300 || q.LostPPM != 10000 || q.P50MS != 20 || q.P95MS != 40 || q.Unseen != 0 {
		t.Errorf("quality %+v", q)
	}
	raw, err := hex.DecodeString(q.Statement)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := proof.Open("demo", raw); err != nil || o.Statement.GetQuality().GetCount() != 13 || o.Statement.GetQuality().GetExit() != "The player left?" {
		t.Errorf("the signed quality: %v, %v", o, err)
	}
	if all, kept := segments.Qualities(s.Dir(), 5); len(all) != 1 || kept != 1 || all[0] != q {
		t.Errorf("%d qualities of %d", len(all), kept)
	}
}

func TestWhatWasKeptOutlivesAKill(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	l, p := begin(t, s, id, nil)
	p.Seconds(12)
	data(t, s, 0, 10) // everything before has been written
	_ = l             // and the session never ends: the process is gone
	file := filepath.Join(dir, hex.EncodeToString(id[:]), "00000000.seg")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b[:len(b)-5], 0o600); err != nil { // in the middle of a write
		t.Fatal(err)
	}
	again := open(t, dir, nil)
	if a := data(t, again, 0, 10); len(a.GetSegments()) != 10 {
		t.Errorf("%d commitments after a kill", len(a.GetSegments()))
	}
	b[200] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Data(context.Background(), id, 0, 10); !errors.Is(err, segments.ErrBroken) {
		t.Errorf("a changed file: %v", err)
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if fi, e := d.Info(); path != dir && e == nil && fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", path, fi.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWordsOfOthersAreLeftOut(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	l, p := begin(t, s, id, nil)
	p.Pages = append(p.Pages, &segmentstest.Page{Key: segmentstest.PlayerKey(1), Silent: true, Seat: 1})
	stranger := witness.Session{Chain: "demo", Container: s.Node(), ID: id}
	k := segmentstest.PlayerKey(9)
	in, err := stranger.SignInputs(k, 5, 1, make([]byte, 8))
	if err != nil {
		t.Fatal(err)
	}
	m := stream.Signed{Role: stream.RoleOwner, Key: hex.EncodeToString(k.Public().(ed25519.PublicKey)),
		Message: control.Inputs{Second: 5, First: 1, Leaves: "AAAAAAAAAAA=", Sig: hex.EncodeToString(in.Signature[:])}}
	r := m
	r.Message = control.Receipt{Second: 5, Frames: 60, Sig: hex.EncodeToString(in.Signature[:])}
	for range 50 {
		l.Signed(m) // the owner's key was named in the reservation, and this is another
		l.Signed(r)
	}
	p.Pages = p.Pages[:1]
	p.Seconds(3)
	end(s, l)
	q, err := segments.ReadQuality(s.Dir(), hex.EncodeToString(id[:]))
	if err != nil {
		t.Fatal(err)
	}
	if q.Forged != 32 || q.Receipts != 0 {
		t.Errorf("%d forged words and %d receipts; the page is not heard after 32", q.Forged, q.Receipts)
	}
}

func TestOldSessionsGiveWay(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	clock := func(o *segments.Options) { o.Now, o.MaxQualities = func() time.Time { return now }, 2 }
	s := open(t, dir, clock)
	for n := range byte(3) {
		id := [16]byte{n + 1}
		l, p := begin(t, s, id, nil)
		p.Seconds(2)
		end(s, l)
	}
	writing, other := filepath.Join(dir, "quality", ".unfinished-7"), filepath.Join(dir, "quality", "notes.txt")
	for _, f := range []string{writing, other} {
		if err := os.WriteFile(f, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, p := begin(t, s, [16]byte{3, 1}, nil)
	p.Seconds(2)
	end(s, l)
	if _, err := os.Stat(writing); err != nil {
		t.Errorf("what another session is writing: %v", err)
	}
	if all, kept := segments.Qualities(dir, 1); len(all) != 1 || kept != 2 || all[0].Session != hex.EncodeToString(append([]byte{3, 1}, make([]byte, 14)...)) {
		t.Errorf("%d qualities are kept, of 2; the newest: %+v", kept, all)
	}
	sessions := func() (n int) {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if len(e.Name()) == 32 {
				n++
			}
		}
		return n
	}
	now = now.Add(10 * time.Minute)
	s = open(t, dir, clock)
	if n := sessions(); n != 4 {
		t.Errorf("%d sessions after ten minutes", n)
	}
	if _, err := os.Stat(writing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a crash left half written: %v", err)
	}
	if _, err := s.Data(context.Background(), [16]byte{1}, 0, 1); !errors.Is(err, segment.ErrGone) {
		t.Errorf("its states are over after five minutes: %v", err)
	}
	now = now.Add(24 * time.Hour)
	open(t, dir, clock)
	if n := sessions(); n != 0 {
		t.Errorf("%d sessions after a day", n)
	}
	// And by size.
	s = open(t, dir, func(o *segments.Options) { clock(o); o.MaxBytes = 4096 })
	for n := range byte(2) {
		l, p := begin(t, s, [16]byte{n + 1}, nil)
		p.Seconds(1)
		end(s, l)
	}
	if n := sessions(); n > 1 {
		t.Errorf("%d sessions in 4 KiB", n)
	}
}

func TestWhatIsNotKept(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	ctx := context.Background()
	if _, err := s.Data(ctx, id, 0, 10); !errors.Is(err, segments.ErrGone) {
		t.Errorf("a session that never was: %v", err)
	}
	if _, err := s.Newest(ctx, id); !errors.Is(err, segments.ErrGone) {
		t.Errorf("its newest: %v", err)
	}
	l, p := begin(t, s, id, nil)
	p.Seconds(24)
	data(t, s, 0, 10) // waits until all is written
	o, err := s.Newest(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if a := o.Statement.GetAudit(); a.GetFrom() != 10 || len(a.GetSegments()) != 11 {
		t.Errorf("the newest from second %d with %d commitments", a.GetFrom(), len(a.GetSegments()))
	}
	for _, c := range []struct{ from, seconds uint32 }{{30, 10}, {20, 10}, {0, 0}, {0, 11}, {1<<32 - 1, 10}} {
		if _, err := s.Data(ctx, id, c.from, c.seconds); err == nil {
			t.Errorf("seconds %d to +%d were given", c.from, c.seconds)
		}
	}
	end(s, l)
	for _, name := range []string{"", "..", strings.Repeat("zz", 16), "../../x"} {
		if _, err := segments.ReadQuality(s.Dir(), name); !errors.Is(err, segments.ErrGone) {
			t.Errorf("quality of %q: %v", name, err)
		}
	}
}

// What keeping a second costs, beside the replayable part: one signature of the node,
// two verifications, three short writes. One such second a second is the session's share
// of a core.
func BenchmarkSecond(b *testing.B) {
	s := open(b, b.TempDir(), nil)
	l, p := begin(b, s, id, nil)
	const n = 20
	rec := &memory{}
	p.Sink = rec
	p.Seconds(n)
	b.ResetTimer()
	for i := range b.N {
		sec := rec.seconds[i%n]
		sec.Number = uint32(i)
		l.Second(sec)
		l.Signed(rec.words[2*(i%n)])
		l.Signed(rec.words[2*(i%n)+1])
		if i%32 == 31 { // as the disk takes it: asking waits for what is before
			_, _ = s.Data(context.Background(), id, 1<<31, 1)
		}
	}
	end(s, l)
}

type memory struct {
	seconds []segment.Second
	words   []stream.Signed
}

func (m *memory) Second(s segment.Second)      { m.seconds = append(m.seconds, s) }
func (m *memory) Signed(w stream.Signed)       { m.words = append(m.words, w) }
func (m *memory) State(func() ([]byte, error)) {}
