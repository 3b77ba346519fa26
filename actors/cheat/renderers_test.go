package cheat

import (
	"context"
	"testing"

	"github.com/framemesh/framemesh/actors/container/prove"
)

// counted is a renderer whose renderings can be told apart.
type counted struct {
	prove.Renderer
	n int
}

// nth is the rendering of the nth call.
type nth struct {
	prove.Rendering
	n int
}

func (c *counted) Render(context.Context, prove.Render) (prove.Rendering, error) {
	c.n++
	return nth{n: c.n}, nil
}

// A replay shows old frames for as long as they have the tiles that it is asked for.
func TestReplayKeepsToFramesOfTheSize(t *testing.T) {
	double := &replay{Renderer: new(counted)}
	for i, want := range []struct {
		size uint32
		nth  int
	}{{1, 1}, {1, 1}, {3, 2}, {3, 2}} {
		got, err := double.Render(t.Context(), prove.Render{Task: [32]byte{byte(i)}, Size: want.size})
		if err != nil || got.(nth).n != want.nth {
			t.Errorf("round %d of size %d shows %v, want that of rendering %d (%v)", i, want.size, got, want.nth, err)
		}
	}
}
