package wasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// someState makes a state of one page with the given blocks.
func someState(sum byte, pages uint32, blocks map[uint32]byte) []byte {
	le := binary.LittleEndian
	b := append([]byte(stateMagic), 0, 0, 0, 0)
	b = append(b, bytes.Repeat([]byte{sum}, 32)...)
	b = le.AppendUint32(le.AppendUint32(b, pages), 0)
	h := host{save: []byte("save")}
	at := len(b)
	b = h.append(le.AppendUint32(b, 0))
	le.PutUint32(b[at:], uint32(len(b)-at-4))
	at = len(b)
	b = le.AppendUint32(b, 0)
	runs := uint32(0)
	for i := uint32(0); i < pages*16; i++ {
		if v := blocks[i]; v != 0 {
			runs++
			b = le.AppendUint32(le.AppendUint32(b, i), 1)
			b = append(b, bytes.Repeat([]byte{v}, stateBlock)...)
		}
	}
	le.PutUint32(b[at:], runs)
	le.PutUint32(b[8:], uint32(len(b)+4))
	return le.AppendUint32(b, checksum(b))
}

func TestDeltaThereAndBack(t *testing.T) {
	base := someState(1, 1, map[uint32]byte{0: 1, 2: 2, 4: 3, 9: 9})
	for name, now := range map[string][]byte{
		"the same":   base,
		"changed":    someState(1, 1, map[uint32]byte{0: 1, 2: 7, 4: 3, 9: 9}),
		"gone":       someState(1, 1, map[uint32]byte{0: 1, 9: 9}),
		"grown":      someState(1, 2, map[uint32]byte{0: 1, 2: 2, 4: 3, 9: 9, 30: 4}),
		"all zeros":  someState(1, 1, nil),
		"everything": someState(1, 1, map[uint32]byte{1: 1, 3: 1, 5: 1, 7: 1, 11: 1}),
	} {
		for _, from := range [][]byte{base, nil} {
			d, err := Delta(from, now)
			if err != nil {
				t.Fatal(name, err)
			}
			got, err := Undelta(from, d, 1<<20)
			if err != nil {
				t.Fatal(name, err)
			}
			a, err := decodeState(got, 1000)
			if err != nil {
				t.Fatal(name, err)
			}
			b, _ := decodeState(now, 1000)
			for i, block := range a.blocks() {
				if !bytes.Equal(block, b.blocks()[i]) {
					t.Errorf("%s: block %d differs", name, i)
				}
			}
			if a.pages != b.pages || !bytes.Equal(a.host.save, b.host.save) || a.sum != b.sum {
				t.Errorf("%s: %d pages", name, a.pages)
			}
			if name == "the same" && from != nil && len(d) > 200 {
				t.Errorf("no difference takes %d bytes", len(d))
			}
		}
	}
	if _, err := Delta(someState(2, 1, nil), base); !errors.Is(err, ErrState) {
		t.Error("a base of another module:", err)
	}
	d, err := Delta(nil, someState(1, 2, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Undelta(nil, d, PageSize); !errors.Is(err, ErrMemory) {
		t.Error("more memory than the limit:", err)
	}
}

// FuzzUndelta reads deltas from strangers.
func FuzzUndelta(f *testing.F) {
	base := someState(1, 1, map[uint32]byte{0: 1, 2: 2})
	d, err := Delta(base, someState(1, 2, map[uint32]byte{2: 2, 17: 4}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d)
	f.Add([]byte(deltaMagic))
	f.Fuzz(func(t *testing.T, d []byte) {
		b, err := Undelta(base, d, 1<<20)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		if len(b) > 1<<20+len(d)+4096 {
			t.Fatalf("%d bytes out of %d", len(b), len(d))
		}
		if _, err := Delta(base, b); err != nil {
			t.Fatal(err)
		}
	})
}
