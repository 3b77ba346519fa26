package kernel_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/kernel"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

const vectorsFile = "../../docs/spec/vectors/rp-1.json"

type (
	vectors struct {
		Kernel  string        `json:"kernel"`
		Sizes   []kernel.Size `json:"sizes"`
		Frames  []frameVector `json:"frames"`
		Chain   chainVector   `json:"chain"`
		Picks   []pickVector  `json:"picks"`
		Classes []classVector `json:"classes"`
		Points  []pointVector `json:"points"`
	}
	frameVector struct {
		Size  kernel.Size `json:"size"`
		Seed  string      `json:"seed"`
		Scene []int32     `json:"scene"` // sphere after sphere: x, y, z, radius, red, green, blue, kind
		Tiles []tileVec   `json:"tiles"`
		Root  string      `json:"root"`
	}
	tileVec struct {
		Tile  uint32   `json:"tile"`
		First []string `json:"first_words"` // of its first four pixels
		Leaf  string   `json:"leaf"`
		Path  []string `json:"path"`
	}
	chainVector struct {
		Size      kernel.Size `json:"size"`
		Task      string      `json:"task"`
		Container string      `json:"container"`
		Seeds     []string    `json:"seeds"`
		Roots     []string    `json:"roots"`
		RootsRoot string      `json:"roots_root"`
		Checker   string      `json:"checker"`
		Picks     []pick      `json:"picks"`
		Work      string      `json:"work"`
	}
	pick       [2]uint32 // frame, tile
	pickVector struct {
		Nonce  string `json:"nonce"`
		Commit string `json:"commit"`
		Frames uint32 `json:"frames"`
		Tiles  uint32 `json:"tiles"`
		K      int    `json:"k"`
		Picks  []pick `json:"picks"`
	}
	classVector struct {
		Rate  uint64 `json:"samples_per_second"`
		MS    uint64 `json:"ms"`
		Class int    `json:"class"`
	}
	pointVector struct {
		Samples uint64 `json:"samples"`
		MS      uint64 `json:"ms"`
		MilliRP uint64 `json:"milli_rp"`
	}
)

func text[T ~[32]byte](b T) string { return hex.EncodeToString(b[:]) }

func fill(v byte) (b [32]byte) {
	for i := range b {
		b[i] = v + byte(i)
	}
	return b
}

// TestVectors checks docs/spec/vectors/rp-1.json, which other implementations read.
func TestVectors(t *testing.T) {
	v := vectors{Kernel: kernel.Name, Sizes: kernel.Sizes()}
	for i, size := range []kernel.Size{kernel.Sizes()[0], {Width: 48, Height: 32, SPP: 3}, {Width: 16, Height: 16, SPP: 64}, {Width: 128, Height: 128, SPP: 4}, {Width: 80, Height: 16, SPP: 1}} {
		v.Frames = append(v.Frames, renderVector(size, kernel.First(fill(byte(i)), fill(byte(0x80+i)))))
	}
	v.Frames = append(v.Frames, renderVector(kernel.Sizes()[0], kernel.Seed{}))
	v.Chain = renderChain(t)
	for _, c := range []struct {
		frames, tiles uint32
		k             int
	}{{1, 16, 4}, {1, 3, 5}, {100, 256, 48}, {512, 4096, 16}, {1<<32 - 1, 1<<32 - 1, 8}} {
		p := pickVector{Nonce: text(fill(1)), Commit: text(fill(2)), Frames: c.frames, Tiles: c.tiles, K: c.k}
		for _, x := range kernel.Pick(fill(1), fill(2), c.frames, c.tiles, c.k) {
			p.Picks = append(p.Picks, pick{x.Frame, x.Tile})
		}
		v.Picks = append(v.Picks, p)
	}
	for _, c := range [][2]uint64{{0, 10_000}, {1_000_000, 10_000}, {10_000_000, 1_000}, {10_000_000, 10_000}, {2_000_000_000, 10_000}, {1 << 62, 1 << 62}} {
		v.Classes = append(v.Classes, classVector{c[0], c[1], kernel.Class(c[0], c[1])})
	}
	for _, c := range [][2]uint64{{0, 1000}, {1, 1}, {1 << 20, 97}, {104_857_600, 10_000}, {99_999_999, 10_000}, {1 << 50, 1}, {1<<64 - 1, 1}, {1<<64 - 1, 10_000_000}} {
		v.Points = append(v.Points, pointVector{c[0], c[1], kernel.RP(c[0], time.Duration(c[1])*time.Millisecond)})
	}
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorsFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Fatal("the kernel no longer computes its vectors; rp-1 is frozen: another kernel needs another name")
	}
}

func renderVector(size kernel.Size, seed kernel.Seed) frameVector {
	f := frameVector{Size: size, Seed: text(seed)}
	scene := kernel.Scene(seed)
	f.Scene = scene[:]
	leaves := make([][32]byte, size.Tiles())
	firsts := make([][]string, size.Tiles())
	for tile := range size.Tiles() {
		var words [kernel.TileWords]uint32
		kernel.RenderTile(size, seed, tile, &words)
		leaves[tile] = kernel.Leaf(tile, &words)
		for _, w := range words[:8] {
			firsts[tile] = append(firsts[tile], hex.EncodeToString(binary.BigEndian.AppendUint32(nil, w)))
		}
	}
	tree := kernel.NewTree(leaves)
	f.Root = text(tree.Root())
	n := size.Tiles()
	for _, tile := range []uint32{0, n / 2, n - 1} {
		if len(f.Tiles) > 0 && f.Tiles[len(f.Tiles)-1].Tile == tile {
			continue
		}
		x := tileVec{Tile: tile, First: firsts[tile], Leaf: text(leaves[tile]), Path: []string{}}
		for _, s := range tree.Path(tile) {
			x.Path = append(x.Path, text(s))
		}
		f.Tiles = append(f.Tiles, x)
	}
	return f
}

func renderChain(t *testing.T) chainVector {
	twin := kernel.CPU(0)
	defer twin.Close()
	size, task, container, checker := kernel.Sizes()[0], fill(10), fill(20), fill(30)
	c, err := kernel.Run(context.Background(), twin, size, task, container, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := chainVector{Size: size, Task: text(task), Container: text(container), RootsRoot: text(c.Commitment()), Checker: text(checker)}
	for i, r := range c.Roots() {
		v.Seeds = append(v.Seeds, text(kernel.SeedOf(task, container, c.Roots(), uint32(i))))
		v.Roots = append(v.Roots, text(r))
	}
	picks := kernel.Pick(fill(40), c.Commitment(), uint32(len(c.Roots())), size.Tiles(), 5)
	items, err := c.Open(context.Background(), picks)
	if err != nil {
		t.Fatal(err)
	}
	f, err := kernel.Audit(checker, size, task, container, c.Roots(), picks, items)
	if err != nil || len(f.Bad) > 0 {
		t.Fatal(err, f.Bad)
	}
	for _, p := range picks {
		v.Picks = append(v.Picks, pick{p.Frame, p.Tile})
	}
	v.Work = text(f.Work)
	return v
}
