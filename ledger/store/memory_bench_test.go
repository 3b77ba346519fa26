//go:build linux

package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkMemory is what a store takes of the machine's memory while blocks of 1,000 changed
// accounts are saved, five a second, after it was filled and opened anew. Files that are mapped
// are not counted: the system takes their pages back when it needs them. Run it with
// -benchtime 1x.
func BenchmarkMemory(b *testing.B) {
	for _, accounts := range []int{1_000, 10_000, 100_000, 300_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			for b.Loop() {
				memory(b, accounts)
			}
		})
	}
}

func memory(b *testing.B, accounts int) {
	const blocks, every = 60, 200 * time.Millisecond
	dir := b.TempDir()
	d := opened(b, dir, Options{})
	s := filled(b, d, accounts)
	for left := int64(1); left > 0; {
		left, _ = s.Prune(1)
	}
	must(b, d.Close())
	debug.FreeOSMemory()
	begin := residentOwn(b)

	s = tree(b, opened(b, dir, Options{}))
	done, most := make(chan struct{}), make(chan [2]float64)
	go func() {
		var all, heap float64
		for {
			all, heap = max(all, residentOwn(b)), max(heap, heapObjects())
			select {
			case <-done:
				most <- [2]float64{all, heap}
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	r := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, 48)
	at, before := time.Now(), cpu()
	for range blocks {
		for range 1_000 {
			binary.BigEndian.PutUint64(value, r.Uint64())
			must(b, s.Set(account(r.IntN(accounts)), value))
		}
		s.WorkingHash()
		save(b, s)
		_, err := s.Prune(10)
		must(b, err)
		at = at.Add(every)
		time.Sleep(time.Until(at))
	}
	used := cpu() - before
	close(done)
	m := <-most
	runtime.GC()
	b.ReportMetric(begin, "MiB-before")
	b.ReportMetric(m[0], "MiB-most")
	b.ReportMetric(m[1], "MiB-heap-most")
	b.ReportMetric(heapObjects(), "MiB-heap-end")
	b.ReportMetric(float64(used.Milliseconds())/blocks, "cpu-ms/block")
	b.ReportMetric(0, "ns/op")
}

// residentOwn is this process's memory that no file holds, MiB.
func residentOwn(b *testing.B) float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Error(err)
	}
	_, rest, _ := strings.Cut(string(raw), "RssAnon:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseFloat(kib, 64)
	if err != nil {
		b.Error(err)
	}
	return n / 1024
}

// heapObjects is what objects of the heap take, those that are dead and not collected too, MiB.
func heapObjects() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64()) / (1 << 20)
}
