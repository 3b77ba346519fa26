package segments

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/witness"
)

// maxTimes bounds how many seconds' latencies are held for the medians of a session.
const maxTimes = 86400

// tally adds up what the owner's receipts say.
type tally struct {
	played   uint32 // seconds that the worker recorded
	short    uint32 // of them, those with fewer ticks than the fullest
	most     uint32 // ticks of the fullest
	restores uint32
	count    uint32 // receipts
	newest   uint32 // second of the last one
	frames   uint64
	lost     uint64
	packets  uint64
	stalls   uint64
	p50, p95 []uint16 // ms, of seconds with an input
	unseen   uint32   // receipts that name a frame root the container did not tell
	told     [32]byte // newest frame root
	before   [32]byte // and the one before
}

func (t *tally) second(s *segment.Second) {
	t.played++
	t.most = max(t.most, s.Roots.Ticks)
	if s.Roots.Ticks < t.most {
		t.short++
	}
	if s.Restored {
		t.restores++
	}
	t.before, t.told = t.told, s.Roots.Frame
}

// receipt counts one; the same second does not count twice.
func (t *tally) receipt(r *witness.Receipt) {
	if t.count > 0 && r.Second <= t.newest {
		return
	}
	t.count++
	t.newest = r.Second
	t.frames += uint64(r.Frames)
	t.lost += uint64(r.Lost)
	t.packets += uint64(r.Packets)
	t.stalls += uint64(r.Stalls)
	if r.P95MS > 0 && len(t.p50) < maxTimes {
		t.p50, t.p95 = append(t.p50, uint16(min(r.P50MS, 1<<16-1))), append(t.p95, uint16(min(r.P95MS, 1<<16-1)))
	}
	if r.Seen != ([32]byte{}) && r.Seen != t.told && r.Seen != t.before {
		t.unseen++
	}
}

// sample is the session as the receipts have it.
func (t *tally) sample(e session.Ended, app [32]byte) *proof.Sample {
	s := &proof.Sample{LaunchMs: since(e.Requested, e.Offered), FirstFrameMs: since(e.Requested, e.FirstFrame),
		AskedFps: uint32(min(max(e.FPS, 0), 1000)), Seconds: t.count, Stalls: uint32(min(t.stalls, 1<<32-1)), App: app[:],
		P50Ms: quantile(t.p50, 50), P95Ms: quantile(t.p95, 95)}
	if t.count > 0 {
		s.FpsMilli = uint32(min(t.frames*1000/uint64(t.count), proof.MaxRate))
	}
	if all := t.lost + t.packets; all > 0 {
		s.LostPpm = uint32(t.lost * proof.PPM / all)
	}
	return s
}

// quantile is the value that percent of the sorted values are at or below; 0 of none.
func quantile(v []uint16, percent int) uint32 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return uint32(v[min(len(v)*percent/100, len(v)-1)])
}

// Quality is a session from request to exit, for its operator. Figures are the player's
// own where it signed receipts, and 0 where it did not.
type Quality struct {
	Session      string    `json:"session"` // hex
	App          string    `json:"app"`     // SHA-256 of the module, hex
	Began        time.Time `json:"began"`
	Ended        time.Time `json:"ended"`
	LaunchMS     uint32    `json:"launch_ms"`      // from the request to the answer
	FirstFrameMS uint32    `json:"first_frame_ms"` // from the request to the first picture sent
	AskedFPS     uint32    `json:"asked_fps"`
	FPSMilli     uint32    `json:"fps_milli"` // shown
	P50MS        uint32    `json:"p50_ms"`    // of the seconds' medians, input to its acknowledgement
	P95MS        uint32    `json:"p95_ms"`
	Stalls       uint32    `json:"stalls"` // gaps over 250 ms
	LostPPM      uint32    `json:"lost_ppm"`
	Receipts     uint32    `json:"receipts"` // seconds that the player signed for
	Played       uint32    `json:"played"`   // seconds that can be audited
	Short        uint32    `json:"short"`    // of them, those with ticks left out
	Restores     uint32    `json:"restores"` // of the worker after a crash
	Unseen       uint32    `json:"unseen"`   // receipts for a picture that was not told
	Forged       uint64    `json:"forged"`   // words of pages with a wrong signature
	Exit         string    `json:"exit"`
	// Statement is the signed proof.Quality, in hex.
	Statement string `json:"statement"`
}

// quality signs and keeps what the session was.
func (l *Log) quality(e session.Ended) error {
	t := &l.tally
	sample := t.sample(e, l.about.App)
	q := &proof.Quality{Session: l.about.Session[:], Sample: sample, Count: t.count, Exit: plain(e.Why, proof.MaxExit)}
	if t.count > 0 {
		q.Receipts = l.receipts.Sum(nil)
	}
	o, err := proof.Sign(l.store.o.Chain, l.store.o.Key, &proof.Statement{Says: &proof.Statement_Quality{Quality: q}})
	if err != nil {
		return err
	}
	if t.played > 0 || t.count > 0 {
		err = l.write(kindQuality, o.Raw)
	}
	b, jerr := json.MarshalIndent(Quality{
		Session: hex.EncodeToString(l.about.Session[:]), App: hex.EncodeToString(l.about.App[:]), Began: e.Requested.UTC(), Ended: e.At.UTC(),
		LaunchMS: sample.GetLaunchMs(), FirstFrameMS: sample.GetFirstFrameMs(), AskedFPS: sample.GetAskedFps(), FPSMilli: sample.GetFpsMilli(),
		P50MS: sample.GetP50Ms(), P95MS: sample.GetP95Ms(), Stalls: sample.GetStalls(), LostPPM: sample.GetLostPpm(), Receipts: t.count, Played: t.played,
		Short: t.short, Restores: t.restores, Unseen: t.unseen, Forged: l.forged.Load(), Exit: e.Why, Statement: hex.EncodeToString(o.Raw),
	}, "", "  ")
	if jerr != nil {
		return errors.Join(err, jerr)
	}
	return errors.Join(err, record.Write(filepath.Join(l.store.o.Dir, qualityDir, hex.EncodeToString(l.about.Session[:])+jsonSuffix), append(b, '\n')))
}

// plain cuts text to n bytes of what a statement may hold: printable ASCII.
func plain(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	return strings.TrimRight(text[:min(n, len(text))], " ")
}

// Qualities lists the qualities of at most n sessions that the store of a directory keeps, the
// newest first, and says how many are kept. Files that cannot be read are left out. It may run
// beside the store, in another process.
func Qualities(dir string, n int) (list []Quality, kept int) {
	files := qualityFiles(dir)
	for _, f := range slices.Backward(files) {
		if len(list) == n {
			break
		}
		if q, err := readQuality(f.dir); err == nil {
			list = append(list, q)
		}
	}
	return list, len(files)
}

// ReadQuality reads that of one session, named in hex, from a store's directory; ErrGone when
// it is not kept, ErrBroken when it is no such file.
func ReadQuality(dir, session string) (Quality, error) {
	if raw, err := hex.DecodeString(session); err != nil || len(raw) != 16 {
		return Quality{}, fmt.Errorf("%w: %q is no session; it has 32 hex digits", ErrGone, session)
	}
	return readQuality(filepath.Join(dir, qualityDir, strings.ToLower(session)+jsonSuffix))
}

// maxJSON bounds a quality file, in bytes.
const maxJSON = 16 << 10

func readQuality(path string) (q Quality, err error) {
	fi, err := os.Stat(path)
	if err != nil {
		return q, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if fi.Size() > maxJSON {
		return q, fmt.Errorf("%w: %s has %d bytes", ErrBroken, filepath.Base(path), fi.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return q, fmt.Errorf("segments: %w", err)
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return q, fmt.Errorf("%w: %s: %w", ErrBroken, filepath.Base(path), err)
	}
	return q, nil
}
