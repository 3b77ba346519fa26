//go:build unix

package store

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// killed is how often the child dies.
const killed = 36

// many is a batch that needs the journal.
const many = 30_000

// writeForever is the child: it executes block after block and says what was saved.
func writeForever(dir string) error {
	d, err := Open(dir, Options{Sync: len(dir)%2 == 0})
	if err != nil {
		return err
	}
	s, err := d.Tree()
	if err != nil {
		return err
	}
	var t testing.T
	for i := int(s.Version()); ; i++ {
		block(&t, s, i, 300, 2000, nil)
		if _, _, err := s.Save(); err != nil {
			return err
		}
		fmt.Printf("saved %d %x\n", s.Version(), s.Root())
		b, n := d.Comet("state").NewBatch(), 50
		if i%6 == 0 {
			n = many
		}
		for k := range n {
			if err := b.Set(number(k), number(i)); err != nil {
				return err
			}
		}
		if err := b.WriteSync(); err != nil {
			return err
		}
		fmt.Printf("batch %d %d\n", i, n)
		if _, err := s.Prune(3); err != nil {
			return err
		}
	}
}

// children are what this test binary does when it is started as STORE_TEST_CHILD in
// STORE_TEST_DIR.
var children = map[string]func(dir string) error{"writer": writeForever}

func TestMain(m *testing.M) {
	if f := children[os.Getenv("STORE_TEST_CHILD")]; f != nil {
		if err := f(os.Getenv("STORE_TEST_DIR")); err != nil {
			fmt.Println("error:", err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child starts writeForever and returns its lines.
func child(t *testing.T, dir string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STORE_TEST_CHILD=writer", "STORE_TEST_DIR="+dir)
	c.Stderr = t.Output()
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { c.Process.Kill() })
	return c, bufio.NewReader(out)
}

// Killed at any instant, the store has every version that it acknowledged, with its root,
// and every batch whole; and goes on from there.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a process many times")
	}
	dir := t.TempDir()
	reference := tree(t, opened(t, t.TempDir(), Options{}))
	roots := []string{hex.EncodeToString(EmptyRoot())}
	rootOf := func(version int64) string {
		for int64(len(roots)) <= version {
			block(t, reference, len(roots)-1, 300, 2000, nil)
			_, root := save(t, reference)
			roots = append(roots, hex.EncodeToString(root))
			_, err := reference.Prune(1)
			must(t, err)
		}
		return roots[version]
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed) // of the instants; the kernel's part cannot be repeated anyway
	r := rand.New(rand.NewPCG(seed, 0))
	last := int64(0)
	wrote := [2]int{-1, -1} // the last batch that was acknowledged for the first keys and for the others
	for round := range killed {
		c, lines := child(t, dir)
		// Every other time in the middle of a large batch, or a little before or after.
		stop, after, large := r.IntN(10), time.Duration(r.IntN(12_000))*time.Microsecond, round%2 == 0
		if large {
			after *= 8
		}
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				break
			}
			must(t, err)
			what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch what {
			case "saved":
				var root string
				_, err = fmt.Sscan(rest, &last, &root)
				if must(t, err); root != rootOf(last) {
					t.Fatalf("round %d: version %d has root %s, want %s", round, last, root, rootOf(last))
				}
			case "batch":
				var i, n int
				_, err = fmt.Sscan(rest, &i, &n)
				must(t, err)
				wrote[0] = i
				if n == many {
					wrote[1] = i
				}
			default:
				t.Fatal(line)
			}
			if large && what == "saved" && (last-1)%6 == 0 || !large && n == stop {
				large, stop = false, -1
				time.AfterFunc(after, func() { c.Process.Kill() })
			}
		}
		if err := c.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}

		d, err := Open(dir, Options{})
		must(t, err)
		s, err := d.Tree()
		must(t, err)
		if s.Version() < last || s.Version() > last+1 || hex.EncodeToString(s.Root()) != rootOf(s.Version()) {
			t.Fatalf("round %d: version %d, root %x; acknowledged was %d, %s", round, s.Version(), s.Root(), last, rootOf(last))
		}
		if hex.EncodeToString(s.WorkingHash()) != rootOf(s.Version()) {
			t.Fatalf("round %d: the working tree is another", round)
		}
		// A large batch has all keys of one height; a small one the first 50 of a later.
		for part, keys := range [][2]int{{0, 50}, {50, many}} {
			it, err := d.Comet("state").Iterator(number(keys[0]), number(keys[1]))
			must(t, err)
			var first []byte
			n := 0
			for ; it.Valid(); it.Next() {
				if first == nil {
					first = it.Value()
				}
				if !bytes.Equal(first, it.Value()) {
					t.Fatalf("round %d: a torn batch, %x beside %x", round, first, it.Value())
				}
				n++
			}
			must(t, it.Close())
			if n != 0 && n != keys[1]-keys[0] {
				t.Fatalf("round %d: %d keys of a batch", round, n)
			}
			if wrote[part] >= 0 && (first == nil || bytes.Compare(first, number(wrote[part])) < 0) {
				t.Fatalf("round %d: batch %d was acknowledged, there is %x", round, wrote[part], first)
			}
		}
		must(t, d.Close())
	}
	t.Logf("%d versions, killed %d times", last, killed)
	if last < killed {
		t.Errorf("only %d versions in %d lives", last, killed)
	}
}
