//go:build unix

package store

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/cosmos/iavl"

	"github.com/framemesh/framemesh/ledger/store/proof"
)

var million = flag.Bool("million", false, "also measure a tree of a million accounts")

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filled is a tree of n accounts with records of 48 bytes, saved after every 10,000.
func filled(b *testing.B, d *DB, n int) *Tree {
	b.Helper()
	s := tree(b, d)
	value := make([]byte, 48)
	for i := range n {
		binary.BigEndian.PutUint64(value, uint64(i))
		must(b, s.Set(account(i), value))
		if i%10_000 == 9_999 {
			save(b, s)
		}
	}
	save(b, s)
	return s
}

// BenchmarkBlock is one block of 500 changed accounts: Set, WorkingHash, Save, and Prune
// of one version.
func BenchmarkBlock(b *testing.B) {
	for _, c := range []struct {
		n, cache int
		sync     bool
	}{
		{1_000, 32, false}, {1_000, 32, true}, {100_000, 32, false}, {100_000, 32, true}, {100_000, 128, false}, {1_000_000, 32, false}, {1_000_000, 512, false},
	} {
		n := c.n
		if n == 1_000_000 && !*million {
			continue
		}
		b.Run(fmt.Sprintf("accounts=%d/cache=%d/sync=%t", n, c.cache, c.sync), func(b *testing.B) {
			s := filled(b, opened(b, b.TempDir(), Options{Sync: c.sync, CacheMiB: c.cache}), n)
			for left := int64(1); left > 0; {
				left, _ = s.Prune(1)
			}
			r := rand.New(rand.NewPCG(1, 2))
			value := make([]byte, 48)
			var prune time.Duration
			i, before := 0, cpu()
			for b.Loop() {
				for range 500 {
					binary.BigEndian.PutUint64(value, r.Uint64())
					must(b, s.Set(account(r.IntN(n)), value))
				}
				s.WorkingHash()
				save(b, s)
				at := cpu()
				_, err := s.Prune(10)
				must(b, err)
				prune += cpu() - at
				i++
			}
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(i)/1000, "cpu-ms/block")
			b.ReportMetric(float64(prune.Microseconds())/float64(i)/1000, "prune-cpu-ms/block")
		})
	}
}

// BenchmarkOptions compares ways to run iavl, on 100,000 accounts and blocks of 500.
func BenchmarkOptions(b *testing.B) {
	for _, fast := range []bool{false, true} {
		for _, nodes := range []int{1_000, 10_000, 65_536, 300_000} {
			b.Run(fmt.Sprintf("fast=%t/cache=%d", fast, nodes), func(b *testing.B) {
				d := opened(b, b.TempDir(), Options{})
				t := iavl.NewMutableTree(nodesDB{d.generation(9)}, nodes, !fast, iavl.NewNopLogger(), iavl.FlushThresholdOption(1<<40))
				_, err := t.Load()
				must(b, err)
				value := make([]byte, 48)
				set := func(i int) {
					_, err := t.Set(account(i), append([]byte(nil), value...))
					must(b, err)
				}
				for i := range 100_000 {
					if set(i); i%10_000 == 9_999 {
						_, _, err = t.SaveVersion()
						must(b, err)
					}
				}
				r := rand.New(rand.NewPCG(1, 2))
				i, before := 0, cpu()
				for b.Loop() {
					for range 500 {
						binary.BigEndian.PutUint64(value, r.Uint64())
						set(r.IntN(100_000))
					}
					_, _, err = t.SaveVersion()
					must(b, err)
					i++
				}
				b.ReportMetric(float64((cpu()-before).Microseconds())/float64(i)/1000, "cpu-ms/block")
				must(b, t.Close())
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := filled(b, opened(b, b.TempDir(), Options{}), 100_000)
	for b.Loop() {
		if v, err := s.Get(account(rand.IntN(100_000))); v == nil || err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProve(b *testing.B) {
	s := filled(b, opened(b, b.TempDir(), Options{}), 100_000)
	r, err := s.At(s.Version())
	must(b, err)
	for name, shift := range map[string]int{"there": 0, "absent": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			size, i := 0, 0
			for b.Loop() {
				v, p, err := r.Prove(account(rand.IntN(100_000) + shift))
				if err != nil || (v == nil) != (shift > 0) {
					b.Fatal(err)
				}
				size += len(p)
				i++
			}
			b.ReportMetric(float64(size)/float64(i), "B/proof")
		})
	}
	b.Run("verify", func(b *testing.B) {
		v, p, err := r.Prove(account(5))
		must(b, err)
		root := r.Root()
		for b.Loop() {
			must(b, proof.Verify(root, account(5), v, p))
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	s := filled(b, opened(b, b.TempDir(), Options{}), 100_000)
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			size := 0
			_, err := s.Export(s.Version(), func(c []byte) error { size += len(c); return nil })
			must(b, err)
			b.ReportMetric(float64(size), "B")
		}
	})
	m, chunks := exported(b, s, s.Version())
	b.Run("import", func(b *testing.B) {
		for b.Loop() {
			must(b, imported(tree(b, opened(b, b.TempDir(), Options{})), m, chunks))
		}
	})
}

func BenchmarkComet(b *testing.B) {
	for _, sync := range []bool{false, true} {
		db := opened(b, b.TempDir(), Options{Sync: sync}).Comet("bench")
		value := make([]byte, 256)
		i := 0
		b.Run(fmt.Sprintf("set/sync=%t", sync), func(b *testing.B) {
			for b.Loop() {
				must(b, db.Set(number(i%100_000), value))
				i++
			}
		})
		if sync {
			continue
		}
		b.Run("batch of 100", func(b *testing.B) {
			for b.Loop() {
				batch := db.NewBatch()
				for range 100 {
					must(b, batch.Set(number(i%100_000), value))
					i++
				}
				must(b, batch.Write())
			}
		})
		b.Run("block of 1 MiB in parts of 64 KiB", func(b *testing.B) {
			part := make([]byte, 64<<10)
			for b.Loop() {
				batch := db.NewBatch()
				for range 16 {
					must(b, batch.Set(append([]byte("P:"), number(i)...), part))
					i++
				}
				must(b, batch.Write())
			}
		})
		b.Run("get", func(b *testing.B) {
			for b.Loop() {
				_, err := db.Get(number(rand.IntN(100_000)))
				must(b, err)
			}
		})
		b.Run("iterate over 1000", func(b *testing.B) {
			for b.Loop() {
				it, err := db.Iterator(number(10), number(1010))
				must(b, err)
				for ; it.Valid(); it.Next() {
					it.Value()
				}
				must(b, it.Close())
			}
		})
	}
}
