package worker

import (
	"slices"
	"time"
)

// row gathers durations of one second and gives their median. It does not allocate
// once it is warm.
type row struct{ d []time.Duration }

const maxRow = 512

func (r *row) add(d time.Duration) {
	if len(r.d) < maxRow {
		r.d = append(r.d, d)
	}
}

func (r *row) median() time.Duration {
	if len(r.d) == 0 {
		return 0
	}
	slices.Sort(r.d)
	m := r.d[len(r.d)/2]
	r.d = r.d[:0]
	return m
}

// meter counts what Stats report.
type meter struct {
	since                        time.Duration
	draw, convert, encode, audio row
	send                         row
	worst, jitter, snapshot      time.Duration
	proof                        time.Duration
	bytes, frames                int
	skipped, dropped, lateTicks  int
	rss                          rssReader
}

func (m *meter) begin(now time.Duration) { m.since = now }

// late books ticks left out before one that began wait after it was due.
func (m *meter) late(left int, wait time.Duration) {
	m.lateTicks += left
	m.jitter = max(m.jitter, wait)
}

func (m *meter) sent(n int, took time.Duration) {
	m.bytes += n
	m.frames++
	m.send.add(took)
}

// tick books the time from a tick's wake-up until its picture had left.
func (m *meter) tick(took time.Duration) { m.worst = max(m.worst, took) }

// end makes the statistics of the second that ends now and starts the next.
func (m *meter) end(now time.Duration, tick uint64) Stats {
	s := Stats{
		Tick: tick, FPS: float64(m.frames) / (now - m.since).Seconds(),
		Draw: m.draw.median(), Convert: m.convert.median(), Encode: m.encode.median(),
		Send: m.send.median(), Audio: m.audio.median(),
		Worst: m.worst, Jitter: m.jitter, Snapshot: m.snapshot, Proof: m.proof,
		Bytes: m.bytes, Frames: m.frames, Skipped: m.skipped, Dropped: m.dropped, Late: m.lateTicks,
		RSS: m.rss.read(),
	}
	m.since, m.worst, m.jitter, m.snapshot, m.proof = now, 0, 0, 0, 0
	m.bytes, m.frames, m.skipped, m.dropped, m.lateTicks = 0, 0, 0, 0, 0
	return s
}
