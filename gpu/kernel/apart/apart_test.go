package apart

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/kernel"
)

// The test binary is its own renderer, in several moods.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && !strings.HasPrefix(os.Args[1], "-") {
		var err error
		switch mood := os.Args[1]; mood {
		case "prove":
			err = Main(os.Args[2:], os.Stdin, os.Stdout)
		case "crash":
			err = errors.New("no driver")
		case "crash-later", "junk-later", "fails-later":
			err = Serve(os.Stdin, os.Stdout, &moody{kernel.CPU(1), mood, 0})
		case "other":
			w := bufio.NewWriter(os.Stdout)
			for _, s := range []string{"rp-9", "go", "cpu"} {
				err = errors.Join(err, writeText(w, s))
			}
			err = errors.Join(err, w.Flush())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// moody is well until its check is over.
type moody struct {
	kernel.Backend
	mood   string
	frames int
}

func (m *moody) Render(ctx context.Context, size kernel.Size, seed kernel.Seed, out []uint32) error {
	if m.frames++; m.frames > 5 {
		switch m.mood {
		case "crash-later":
			os.Exit(7)
		case "junk-later":
			os.Stdout.Write(bytes.Repeat([]byte{0xff}, 100))
		case "fails-later":
			return errors.New("device lost")
		}
	}
	return m.Backend.Render(ctx, size, seed, out)
}

func start(t testing.TB, mood, kind string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), kind, 1, self, mood)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

var size = kernel.Size{Width: 48, Height: 32, SPP: 2}

func TestSameFramesAsHere(t *testing.T) {
	p := start(t, "prove", Go)
	if p.Name() != "go" || !strings.Contains(p.Device(), "1 workers") {
		t.Errorf("%s on %s", p.Name(), p.Device())
	}
	if err := kernel.Check(p); err != nil {
		t.Fatal(err)
	}
	here := kernel.CPU(1)
	defer here.Close()
	want, err := kernel.Run(t.Context(), here, size, [32]byte{1}, [32]byte{2}, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := kernel.Run(t.Context(), p, size, [32]byte{1}, [32]byte{2}, 4, nil)
	if err != nil || !slices.Equal(got.Roots(), want.Roots()) {
		t.Fatalf("a chain of another process differs: %v", err)
	}
	if err := p.Render(t.Context(), kernel.Size{Width: 3}, kernel.Seed{}, nil); !errors.Is(err, kernel.ErrSize) {
		t.Error(err)
	}
	if err := p.Render(t.Context(), size, kernel.Seed{}, nil); !errors.Is(err, kernel.ErrBuffer) {
		t.Error(err)
	}
	if err := p.Leaves(t.Context(), size, kernel.Seed{}, nil); !errors.Is(err, kernel.ErrBuffer) {
		t.Error(err)
	}
	if err := p.Leaves(t.Context(), kernel.Size{}, kernel.Seed{}, nil); !errors.Is(err, kernel.ErrSize) {
		t.Error(err)
	}
}

func TestFramesGivenUpDoNotReturn(t *testing.T) {
	p := start(t, "prove", Go)
	big := kernel.Size{Width: 64, Height: 64, SPP: 16}
	out := make([]uint32, big.Words())
	for range 3 { // the answers of these three are read and passed over
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(errors.New("round over"))
		if err := p.Render(ctx, big, kernel.Seed{1}, out); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	leaves, want := make([][32]byte, size.Tiles()), make([][32]byte, size.Tiles())
	if err := p.Leaves(t.Context(), size, kernel.Seed{2}, leaves); err != nil {
		t.Fatal(err)
	}
	var words [kernel.TileWords]uint32
	for i := range want {
		kernel.RenderTile(size, kernel.Seed{2}, uint32(i), &words)
		want[i] = kernel.Leaf(uint32(i), &words)
	}
	if !slices.Equal(leaves, want) {
		t.Error("another frame's leaves")
	}
}

func TestRenderersThatFail(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, mood := range []string{"crash", "other"} {
		if _, err := Start(t.Context(), Go, 1, self, mood); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", mood, err)
		}
	}
	if _, err := Start(t.Context(), "abacus", 1, self, "prove"); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	if _, err := Start(t.Context(), Go, 1, "/nonexistent/renderer"); err == nil {
		t.Error("a program that is not there runs")
	}
	leaves := make([][32]byte, size.Tiles())
	for _, mood := range []string{"crash-later", "junk-later"} {
		p := start(t, mood, Go)
		var err error
		for range 3 {
			err = errors.Join(err, p.Leaves(t.Context(), size, kernel.Seed{}, leaves))
		}
		if !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", mood, err)
		}
		<-p.Done()
		if err := p.Leaves(t.Context(), size, kernel.Seed{}, leaves); !errors.Is(err, ErrEnded) {
			t.Errorf("%s, asked again: %v", mood, err)
		}
	}
	p := start(t, "fails-later", Go)
	for range 3 {
		err = p.Leaves(t.Context(), size, kernel.Seed{}, leaves)
	}
	if err == nil || errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "device lost") {
		t.Errorf("an error of the device: %v", err)
	}
	if err := Main(nil, nil, nil); err == nil {
		t.Error("a renderer starts without arguments")
	}
}

// What a renderer said before it died, and nobody took, holds nobody up.
func TestADeadRenderersLastWordsAreTaken(t *testing.T) {
	p := start(t, "prove", Go)
	p.most.Store(int64(bytesOf(wantLeaves, size)))
	for n := range uint32(4) {
		p.number++
		if _, err := p.in.Write(request{p.number, wantLeaves, size, kernel.Seed{byte(n)}}.bytes()); err != nil {
			t.Fatal(err)
		}
	}
	for len(p.replies) == 0 {
		time.Sleep(time.Millisecond) // until what was said first lies there
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		err = p.Leaves(t.Context(), size, kernel.Seed{9}, make([][32]byte, size.Tiles()))
	}
	if !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
}

func TestClosedRenderersAreGone(t *testing.T) {
	p := start(t, "prove", Go)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Leaves(t.Context(), size, kernel.Seed{}, make([][32]byte, size.Tiles())); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, fine, 2, 0, 0, 0, 'a', 'b'})
	f.Add([]byte{1, 0, 0, 0, failed, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readReply(bytes.NewReader(b), func() int64 { return 64 })
		if err == nil && (a.status > failed || len(a.data) > maxText || a.status == fine && len(a.data) > 64 || len(b) < replyHead+len(a.data)) {
			t.Fatalf("%+v of %x", a, b)
		}
		if h, err := readHello(bytes.NewReader(b)); err == nil && max(len(h.name), len(h.device)) > maxText {
			t.Fatal("a long name")
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add(request{1, wantLeaves, size, kernel.Seed{9}}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < requestBytes {
			return
		}
		if got := parseRequest((*[requestBytes]byte)(b)).bytes(); !bytes.Equal(got, b[:requestBytes]) {
			t.Fatalf("%x becomes %x", b[:requestBytes], got)
		}
	})
}
