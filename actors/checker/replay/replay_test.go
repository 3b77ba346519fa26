package replay

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/container/segments/segmentstest"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/stream"
)

// The test binary is its own process for audits, in several moods.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "audit":
		if Main(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
	case len(os.Args) == 2 && os.Args[1] == "hang":
		for {
			time.Sleep(time.Hour)
		}
	case len(os.Args) == 2 && os.Args[1] == "junk":
		os.Stdout.Write(bytes.Repeat([]byte{'['}, 1<<20))
	case len(os.Args) == 2 && os.Args[1] == "crash":
		os.Exit(7)
	default:
		os.Exit(m.Run())
	}
}

var id = [16]byte{7}

// answer is ten seconds of a session on a container of this kind.
func answer(t *testing.T, double segments.Double) (audit.Terms, *proof.Opened, []byte) {
	t.Helper()
	code, err := os.ReadFile("../../../gpu/app/testdata/ball.wasm")
	if err != nil {
		t.Fatal(err)
	}
	s, err := segments.Open(segments.Options{Dir: t.TempDir(), Chain: "demo", Key: segmentstest.PlayerKey(200), Double: double})
	if err != nil {
		t.Fatal(err)
	}
	owner := &segmentstest.Page{Key: segmentstest.PlayerKey(1), Role: stream.RoleOwner, Shift: 40}
	public := owner.Key.Public().(ed25519.PublicKey)
	log, err := s.Begin(segments.About{Session: id, App: sha256.Sum256(code), Player: public})
	if err != nil {
		t.Fatal(err)
	}
	p := segmentstest.Start(t, code, t.TempDir(), witness.Session{Chain: "demo", Container: s.Node(), ID: id}, log, owner)
	p.Seconds(14)
	a, err := s.Data(t.Context(), id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if o := s.Latest(id); o == nil || o.Statement.GetSegment().GetSecond() < 9 || s.Latest([16]byte{8}) != nil {
		t.Errorf("the newest signed second is %v", o)
	}
	return audit.Terms{Chain: "demo", Container: s.Node(), Session: id, App: sha256.Sum256(code), Owner: [32]byte(public), Seconds: 10, Epoch: 3, Seed: [32]byte{1}}, a, code
}

func process(t *testing.T, mood string) Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Process{Argv: []string{self, mood}}
}

func TestTheSameFindingAsHere(t *testing.T) {
	for _, double := range []segments.Double{segments.Honest, segments.Poke} {
		terms, a, code := answer(t, double)
		want, file, err := audit.Audit(t.Context(), terms, a, code, segment.Auditor{})
		if err != nil {
			t.Fatal(err)
		}
		got, gotFile, err := process(t, "audit").Audit(t.Context(), terms, a, code)
		if err != nil || got != want || (file == nil) != (gotFile == nil) {
			t.Fatalf("%q: %+v (%t), %v; here %+v (%t)", double, got, gotFile != nil, err, want, file != nil)
		}
		if file == nil {
			continue
		}
		b, err := proof.EncodeFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := proof.EncodeFile(gotFile); err != nil || !bytes.Equal(b, other) {
			t.Errorf("another proof file came back: %v", err)
		}
		verifies(t, b, code)
	}
}

// verifies reruns a proof file in a process, and others that show less.
func verifies(t *testing.T, file, code []byte) {
	t.Helper()
	here, err := proof.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := audit.VerifyFile(t.Context(), here, func([32]byte) ([]byte, error) { return code, nil }, segment.Auditor{})
	if err != nil || !want.Guilty {
		t.Fatalf("%+v, %v", want, err)
	}
	p := process(t, "audit")
	if got, err := p.Verify(t.Context(), file, code); err != nil || got != want {
		t.Errorf("%+v, %v; here %+v", got, err, want)
	}
	if _, err := p.Verify(t.Context(), file, nil); !errors.Is(err, ErrNoModule) {
		t.Errorf("without its app: %v", err)
	}
	here.GetSecond().Proof = here.GetSecond().GetProof()[:10]
	less, err := proof.EncodeFile(here)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"junk": []byte("x"), "cut off": less} {
		if _, err := p.Verify(t.Context(), b, code); !errors.Is(err, audit.ErrNoProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := process(t, "crash").Verify(t.Context(), file, code); !errors.Is(err, ErrProcess) {
		t.Errorf("a crash: %v", err)
	}
}

// Whatever becomes of the process, nothing is found out about the container.
func TestProcessesThatFail(t *testing.T) {
	terms, a, code := answer(t, segments.Honest)
	for _, mood := range []string{"junk", "crash"} {
		if _, _, err := process(t, mood).Audit(t.Context(), terms, a, code); !errors.Is(err, ErrProcess) {
			t.Errorf("%s: %v", mood, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := process(t, "hang").Audit(ctx, terms, a, code); !errors.Is(err, ErrProcess) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a module that never ends: %v", err)
	}
	if _, _, err := process(t, "audit").Audit(t.Context(), terms, a, code[:len(code)-1]); err == nil || errors.Is(err, ErrProcess) {
		t.Errorf("another module: %v", err)
	}
}

func TestRequestsOutOfBounds(t *testing.T) {
	head := func(q request) []byte {
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		return append(b, '\n')
	}
	for name, b := range map[string][]byte{
		"nothing":      nil,
		"no line":      bytes.Repeat([]byte{' '}, maxHead+2),
		"no JSON":      []byte("x\n"),
		"no answer":    head(request{Module: 1}),
		"large answer": head(request{Answer: proof.MaxAudit + 5<<10, Module: 1}),
		"large module": head(request{Answer: 1, Module: maxModule + 1}),
		"cut off":      append(head(request{Answer: 2, Module: 2}), 1, 2, 3),
	} {
		if _, _, _, err := readRequest(bytes.NewReader(b)); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzResult(f *testing.F) {
	f.Add([]byte(`{"Finding":{"Outcome":1},"File":"","Failure":"","Arch":false}`))
	f.Add([]byte(`{"File":"AAAA"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readResult(bytes.NewReader(b))
		if err != nil && (a != nil || !errors.Is(err, ErrProcess)) {
			t.Fatalf("%v beside %v", err, a)
		}
	})
}
