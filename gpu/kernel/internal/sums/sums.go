// Package sums renders the frames by which two builds of the kernel are compared, and
// writes their roots as text.
package sums

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/framemesh/framemesh/gpu/kernel"
)

// Seeds is how many frames of made-up seeds there are beside those of the vectors.
const Seeds = 200

// shapes are the sizes of the made-up frames, by turns.
var shapes = []kernel.Size{{Width: 16, Height: 16, SPP: 4}, {Width: 64, Height: 16, SPP: 1}, {Width: 48, Height: 32, SPP: 2}, {Width: 32, Height: 32, SPP: 7}}

// frames is the part of the vectors file that is needed here.
type frames struct {
	Frames []struct {
		Size kernel.Size `json:"size"`
		Seed string      `json:"seed"`
	} `json:"frames"`
}

// Write renders the frames of the vectors file and then Seeds others and writes
// each one's root, a line of hex each.
func Write(w io.Writer, vectors []byte) error {
	var f frames
	if err := json.Unmarshal(vectors, &f); err != nil {
		return fmt.Errorf("sums: read vectors: %w", err)
	}
	for _, v := range f.Frames {
		b, err := hex.DecodeString(v.Seed)
		if err != nil || len(b) != 32 {
			return fmt.Errorf("sums: seed %q is not 32 bytes of hex", v.Seed)
		}
		if _, err := fmt.Fprintf(w, "%x\n", root(v.Size, kernel.Seed(b))); err != nil {
			return err
		}
	}
	for n := range Seeds {
		var container [32]byte
		binary.LittleEndian.PutUint32(container[:], uint32(n))
		if _, err := fmt.Fprintf(w, "%x\n", root(shapes[n%len(shapes)], kernel.First([32]byte{}, container))); err != nil {
			return err
		}
	}
	return nil
}

func root(size kernel.Size, seed kernel.Seed) [32]byte {
	leaves := make([][32]byte, size.Tiles())
	var words [kernel.TileWords]uint32
	for t := range leaves {
		kernel.RenderTile(size, seed, uint32(t), &words)
		leaves[t] = kernel.Leaf(uint32(t), &words)
	}
	return kernel.Root(leaves)
}
