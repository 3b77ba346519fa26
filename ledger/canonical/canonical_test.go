package canonical_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/proof"
)

var most = map[string]int{"Openings.roots": 3, "items": 2, "siblings": 2}

func shape() *canonical.Shape {
	return canonical.ShapeOf(new(proof.Openings).ProtoReflect().Descriptor(), most)
}

func openings() *proof.Openings {
	return &proof.Openings{Epoch: 300, Checker: []byte("c"), Roots: [][]byte{{1}, nil, {2}}, Items: []*proof.Opening{
		{}, {Frame: 1, Tile: 2, Leaf: []byte("l"), Siblings: [][]byte{{3}}}}}
}

func TestWhatAppendWritesCheckTakes(t *testing.T) {
	b, err := canonical.Append(nil, openings().ProtoReflect())
	if err != nil {
		t.Fatal(err)
	}
	if err := shape().Check(b); err != nil {
		t.Fatal(err)
	}
	library, err := proto.MarshalOptions{Deterministic: true}.Marshal(openings())
	if err != nil || !bytes.Equal(b, library) {
		t.Fatalf("%x, the library writes %x (%v)", b, library, err)
	}
	if b, err = canonical.Append([]byte{9}, (&proof.SegCommit{Second: 1, Restored: true}).ProtoReflect()); err != nil || !bytes.Equal(b, []byte{9, 16, 1, 88, 1}) {
		t.Fatalf("%x, %v", b, err)
	}
}

func TestMistakesAreRefused(t *testing.T) {
	many := openings()
	many.Roots = append(many.Roots, []byte{4})
	b, err := canonical.Append(nil, many.ProtoReflect())
	if err != nil {
		t.Fatal(err)
	}
	if err := shape().Check(b); !errors.Is(err, canonical.ErrMany) {
		t.Errorf("four roots: %v", err)
	}
	if _, err := canonical.Append(nil, (*proof.Openings)(nil).ProtoReflect()); !errors.Is(err, canonical.ErrMissing) {
		t.Errorf("nil: %v", err)
	}
	unknown := openings()
	unknown.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 77, protowire.VarintType), 1))
	if _, err := canonical.Append(nil, unknown.ProtoReflect()); !errors.Is(err, canonical.ErrEncoding) {
		t.Errorf("unknown fields: %v", err)
	}
	for name, b := range map[string][]byte{"true as 2": {88, 2}, "false spelled out": {88, 0}} {
		s := canonical.ShapeOf(new(proof.SegCommit).ProtoReflect().Descriptor(), nil)
		if err := s.Check(b); !errors.Is(err, canonical.ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShapesOfMessagesWithoutRulesPanic(t *testing.T) {
	for name, m := range map[string]proto.Message{
		"a signed number": new(durationpb.Duration), "a list without bound": new(proof.Draft), "a double": new(structpb.Value),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			canonical.ShapeOf(m.ProtoReflect().Descriptor(), nil)
		})
	}
}

// FuzzCheck: Check takes exactly the bytes that Append writes for what they mean.
func FuzzCheck(f *testing.F) {
	b, err := canonical.Append(nil, openings().ProtoReflect())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{8, 0})
	s := shape()
	f.Fuzz(func(t *testing.T, b []byte) {
		var m proof.Openings
		taken := s.Check(b) == nil
		if err := proto.Unmarshal(b, &m); err != nil {
			if taken {
				t.Fatal("taken, and the library does not read it:", err)
			}
			return
		}
		if len(m.Roots) > 3 || len(m.Items) > 2 {
			if taken {
				t.Fatal("more elements than the bound")
			}
			return
		}
		for _, it := range m.Items {
			if len(it.Siblings) > 2 {
				return
			}
		}
		again, err := canonical.Append(nil, m.ProtoReflect())
		if taken != (err == nil && bytes.Equal(again, b)) {
			t.Fatalf("taken: %v, of %x; the one encoding is %x (%v)", taken, b, again, err)
		}
	})
}
