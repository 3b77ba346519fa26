package proof_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/proof"
)

func itoa(v uint32) string { return strconv.FormatUint(uint64(v), 10) }

func fraudFile(t testing.TB) *proof.File {
	t.Helper()
	liar := render(t, container, 3, skips)
	f, err := proof.TileFraud(liar.commit, liar.roots, liar.open(proof.Pick{Frame: 1, Tile: 5}))
	if err != nil {
		t.Fatal(err)
	}
	return proof.FraudFile(chain, epoch, seed, f)
}

func secondFile(t testing.TB) *proof.File {
	t.Helper()
	var all []*proof.Signed
	for _, e := range everyStatement(t) {
		if e.st.GetSegment() != nil {
			all = append(all, sign(t, e.by, e.st).Signed)
		}
	}
	me := node(container)
	return &proof.File{Chain: chain, Epoch: epoch, Seed: seed[:], Holds: &proof.File_Second{Second: &proof.Second{
		Subject: me[:], Segments: all, Inputs: [][]byte{fill(1, 90)}, Proof: fill(3, 5000)}}}
}

func TestAFraudInAFileIsRerunByAnybody(t *testing.T) {
	b, err := proof.EncodeFile(fraudFile(t))
	if err != nil {
		t.Fatal(err)
	}
	f, err := proof.ParseFile(b)
	if err != nil {
		t.Fatal(err)
	}
	// Offline, with nothing but the kernel.
	c, err := f.Convict(proof.Rules{Kernel: hashKernel{}})
	if err != nil || c.Guilty != node(container) {
		t.Fatalf("%+v, %v", c, err)
	}
	// With the ledger at hand.
	if c, err := f.Convict(rules()); err != nil || c.Guilty != node(container) {
		t.Fatalf("%+v, %v", c, err)
	}
	r := rules()
	r.Chain = "test-2"
	if _, err := f.Convict(r); !errors.Is(err, proof.ErrForeign) {
		t.Errorf("on another network: %v", err)
	}
	r = rules()
	r.Seed = func(uint64) ([32]byte, bool) { return [32]byte{9}, true }
	if _, err := f.Convict(r); !errors.Is(err, proof.ErrInnocent) {
		t.Errorf("with another seed on the ledger: %v", err)
	}

	// An invented seed convicts an honest container offline, and not where the ledger is known.
	honest := render(t, container, 3, nil)
	proven, err := proof.TileFraud(honest.commit, honest.roots, honest.open(proof.Pick{}))
	if err != nil {
		t.Fatal(err)
	}
	framed := proof.FraudFile(chain, epoch, [32]byte{66}, proven)
	if _, err := framed.Convict(proof.Rules{Kernel: hashKernel{}}); err != nil {
		t.Fatal("the trap is gone; say so in the documentation:", err)
	}
	if _, err := framed.Convict(rules()); !errors.Is(err, proof.ErrInnocent) {
		t.Errorf("an invented seed: %v", err)
	}
	if _, err := secondFile(t).Convict(rules()); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("a second as a fraud: %v", err)
	}
}

func TestFilesHaveOneFormAndLimits(t *testing.T) {
	good, err := proof.EncodeFile(secondFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := proof.ParseFile(good); err != nil {
		t.Fatal(err)
	} else if b, err := proof.EncodeFile(again); err != nil || !bytes.Equal(b, good) {
		t.Fatal("a file comes back in another form", err)
	}
	for name, b := range map[string][]byte{
		"empty": nil, "no magic": good[5:], "cut off": good[:len(good)-1], "junk behind": append(bytes.Clone(good), 1),
		"only magic": []byte("framemesh proof 1\n"), "a newer one": append([]byte("framemesh proof 2\n"), good[18:]...),
	} {
		if _, err := proof.ParseFile(b); !errors.Is(err, proof.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := proof.ParseFile(make([]byte, proof.MaxFile+1)); !errors.Is(err, proof.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for name, spoil := range map[string]func(*proof.File){
		"chain":    func(f *proof.File) { f.Chain = "Test 1" },
		"seed":     func(f *proof.File) { f.Seed = nil },
		"holds":    func(f *proof.File) { f.Holds = nil },
		"subject":  func(f *proof.File) { f.GetSecond().Subject = fill(1, 3) },
		"segments": func(f *proof.File) { f.GetSecond().Segments = nil },
	} {
		f := secondFile(t)
		spoil(f)
		if _, err := proof.EncodeFile(f); !errors.Is(err, proof.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecondsInAFileFollowEachOther(t *testing.T) {
	all, err := proof.OpenSecond(chain, secondFile(t).GetSecond())
	if err != nil || len(all) != 2 {
		t.Fatal(len(all), err)
	}
	for name, spoil := range map[string]func(*proof.Second){
		"of another container":   func(s *proof.Second) { n := node(other); s.Subject = n[:] },
		"the wrong way round":    func(s *proof.Second) { s.Segments[0], s.Segments[1] = s.Segments[1], s.Segments[0] },
		"the same twice":         func(s *proof.Second) { s.Segments[1] = s.Segments[0] },
		"without the one before": func(s *proof.Second) { s.Segments = s.Segments[1:] },
		"that names another one before": func(s *proof.Second) {
			st := everyStatement(t)[9].st
			st.GetSegment().Previous = fill(1, 32)
			s.Segments[1] = sign(t, container, st).Signed
		},
		"none": func(s *proof.Second) { s.Segments = nil },
		"no segment": func(s *proof.Second) {
			s.Segments[0] = sign(t, container, everyStatement(t)[0].st).Signed
		},
	} {
		s := proto.CloneOf(secondFile(t).GetSecond())
		spoil(s)
		if _, err := proof.OpenSecond(chain, s); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := proof.OpenSecond("test-2", secondFile(t).GetSecond()); !errors.Is(err, proof.ErrSignature) {
		t.Errorf("another network: %v", err)
	}
	s := secondFile(t).GetSecond()
	s.Segments = s.Segments[:1] // the first second of a session stands alone
	if all, err := proof.OpenSecond(chain, s); err != nil || len(all) != 1 {
		t.Errorf("second 0 alone: %v", err)
	}
}
