package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const chain = "test-1"

// epoch and seed of the round that the tests are about.
const epoch = 7

var seed = [32]byte{1, 2, 3}

// who signs in the tests.
const (
	container = 0xc1
	other     = 0xc2
	checker   = 0xe1
)

func testKey(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func node(n byte) key.Node { return key.Node(testKey(n)[32:]) }

func fill(n byte, size int) []byte { return bytes.Repeat([]byte{n}, size) }

// hashKernel renders a tile by hashing: cheap, and as far from being guessed as the real
// one. A frame has 8 tiles, whatever the size.
type hashKernel struct{}

const hashTiles = 8

func (hashKernel) Version() string { return proof.KernelRP1 }

func (hashKernel) Shape(size uint32) (tiles uint32, samples uint64, ok bool) {
	return hashTiles, 1000 << size, size < 4
}

func (hashKernel) RootsRoot(roots [][32]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("roots"))
	for _, r := range roots {
		h.Write(r[:])
	}
	return [32]byte(h.Sum(nil))
}

func (hashKernel) Picks(nonce, commit [32]byte, frames, tiles uint32, k int) (picks []proof.Pick) {
	first := binary.BigEndian.Uint32(nonce[:]) ^ binary.BigEndian.Uint32(commit[:])
	all := frames * tiles
	for i := range uint32(min(k, int(all))) {
		n := (first%all + i) % all
		picks = append(picks, proof.Pick{Frame: n / tiles, Tile: n % tiles})
	}
	return picks
}

// pixels of a tile follow from the root of the frame before.
func pixels(task, container [32]byte, roots [][32]byte, p proof.Pick) [32]byte {
	b := append([]byte("pixels"), task[:]...)
	b = append(b, container[:]...)
	if p.Frame > 0 {
		b = append(b, roots[p.Frame-1][:]...)
	}
	return sha256.Sum256(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, p.Frame), p.Tile))
}

func leafOf(pixels [32]byte) [32]byte { return sha256.Sum256(append([]byte("leaf"), pixels[:]...)) }

func above(a, b [32]byte) [32]byte {
	return sha256.Sum256(append(append([]byte("node"), a[:]...), b[:]...))
}

func (hashKernel) CheckTile(task, container [32]byte, _ uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error {
	if len(siblings) != 3 || p.Tile >= hashTiles {
		return proof.ErrPath
	}
	at, n := leaf, p.Tile
	for _, s := range siblings {
		if n&1 == 0 {
			at = above(at, s)
		} else {
			at = above(s, at)
		}
		n >>= 1
	}
	if at != roots[p.Frame] {
		return proof.ErrPath
	}
	if leaf != leafOf(pixels(task, container, roots, p)) {
		return proof.ErrTile
	}
	return nil
}

func (hashKernel) Work(task, container, checker [32]byte, _ uint32, roots [][32]byte, picks []proof.Pick) ([32]byte, error) {
	h := sha256.New()
	h.Write(checker[:])
	for _, p := range picks {
		px := pixels(task, container, roots, p)
		h.Write(px[:])
	}
	return [32]byte(h.Sum(nil)), nil
}

// rendering is what a container has behind its commit.
type rendering struct {
	commit *proof.Opened
	roots  [][32]byte
	leaves [][hashTiles][32]byte
}

// render makes frames of a container; skip makes tiles that it did not render.
func render(t testing.TB, who byte, frames int, skip func(p proof.Pick) bool) *rendering {
	t.Helper()
	r := new(rendering)
	task := proof.Task(chain, epoch, seed)
	for f := range frames {
		var leaves [hashTiles][32]byte
		for i := range leaves {
			p := proof.Pick{Frame: uint32(f), Tile: uint32(i)}
			leaves[i] = leafOf(pixels(task, node(who), r.roots, p))
			if skip != nil && skip(p) {
				leaves[i] = leafOf([32]byte{byte(f), byte(i)})
			}
		}
		r.leaves = append(r.leaves, leaves)
		r.roots = append(r.roots, treeOf(leaves)[len(treeOf(leaves))-1][0])
	}
	root := hashKernel{}.RootsRoot(r.roots)
	r.commit = sign(t, who, &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{
		Epoch: epoch, Size: 1, Frames: uint32(frames), Roots: root[:], Kernel: proof.KernelRP1, Backend: "hash", Device: "test"}}})
	return r
}

func treeOf(leaves [hashTiles][32]byte) (rows [][][32]byte) {
	rows = append(rows, leaves[:])
	for row := rows[0]; len(row) > 1; row = rows[len(rows)-1] {
		var up [][32]byte
		for i := 0; i < len(row); i += 2 {
			up = append(up, above(row[i], row[i+1]))
		}
		rows = append(rows, up)
	}
	return rows
}

// open shows one tile.
func (r *rendering) open(p proof.Pick) *proof.Opening {
	it := &proof.Opening{Frame: p.Frame, Tile: p.Tile, Leaf: bytes.Clone(r.leaves[p.Frame][p.Tile][:])}
	rows := treeOf(r.leaves[p.Frame])
	n := p.Tile
	for _, row := range rows[:len(rows)-1] {
		it.Siblings = append(it.Siblings, bytes.Clone(row[n^1][:]))
		n >>= 1
	}
	return it
}

// openings are the signed answer to a checker.
func (r *rendering) openings(t testing.TB, who byte, picks []proof.Pick, spoil func(*proof.Openings)) *proof.Opened {
	t.Helper()
	me := node(checker)
	o := &proof.Openings{Epoch: epoch, Checker: me[:], Commit: r.commit.Digest[:]}
	for _, root := range r.roots {
		o.Roots = append(o.Roots, bytes.Clone(root[:]))
	}
	for _, p := range picks {
		o.Items = append(o.Items, r.open(p))
	}
	if spoil != nil {
		spoil(o)
	}
	return sign(t, who, &proof.Statement{Says: &proof.Statement_Openings{Openings: o}})
}

func sign(t testing.TB, who byte, st *proof.Statement) *proof.Opened {
	t.Helper()
	o, err := proof.Sign(chain, testKey(who), st)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func rules() proof.Rules {
	return proof.Rules{Chain: chain, Kernel: hashKernel{}, Seed: func(e uint64) ([32]byte, bool) { return seed, e == epoch }}
}

// example is one statement of a kind, and who may sign it.
type example struct {
	name string
	by   byte
	st   *proof.Statement
}

// everyStatement holds one good statement of each kind.
func everyStatement(t testing.TB) []example {
	t.Helper()
	r := render(t, container, 3, nil)
	me := node(checker)
	nonce := [32]byte(fill(9, 32))
	bound := proof.NonceDigest(me, epoch, nonce)
	vote := goodVote(r)
	segment := &proof.SegCommit{Session: fill(5, 16), Second: 0, State: fill(1, 32), Inputs: fill(2, 32), Frames: fill(3, 32), Audio: fill(4, 32), Ticks: 60, App: fill(6, 32)}
	first := sign(t, container, &proof.Statement{Says: &proof.Statement_Segment{Segment: segment}})
	next := &proof.SegCommit{Session: fill(5, 16), Second: 1, Previous: first.Digest[:], State: fill(7, 32), Inputs: fill(2, 32),
		Frames: fill(3, 32), Audio: fill(4, 32), Ticks: 60, App: fill(6, 32), PlayerInputs: fill(8, 32), Restored: true}
	result := mustResult(t, goodResult())
	sample := &proof.Sample{LaunchMs: 300, FirstFrameMs: 700, AskedFps: 60, FpsMilli: 59_900, P50Ms: 30, P95Ms: 50, Seconds: 30, CellsAsked: 4, CellsSeen: 4, Audit: proof.AuditEqual, App: fill(6, 32)}
	return []example{
		{"nonce commit", checker, &proof.Statement{Says: &proof.Statement_NonceCommit{NonceCommit: &proof.NonceCommit{Epoch: epoch, Digest: bound[:]}}}},
		{"nonce", checker, &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: epoch, Nonce: nonce[:]}}}},
		{"commit", container, r.commit.Statement},
		{"commit of a busy container", container, &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{
			Epoch: epoch, Busy: &proof.Busy{Session: fill(5, 16), Segment: first.Signed}}}}},
		{"openings", container, r.openings(t, container, []proof.Pick{{Frame: 0, Tile: 3}, {Frame: 2, Tile: 7}}, nil).Statement},
		{"vote commit", checker, &proof.Statement{Says: &proof.Statement_VoteCommit{VoteCommit: &proof.VoteCommit{Epoch: epoch, Batch: 1, Digest: fill(3, 32)}}}},
		{"vote", checker, &proof.Statement{Says: &proof.Statement_Vote{Vote: vote}}},
		{"draft", checker, &proof.Statement{Says: &proof.Statement_Draft{Draft: &proof.Draft{
			Epoch: epoch, Batch: 1, Result: result, Votes: [][]byte{fill(1, 32), fill(2, 32)}, Attestation: fill(9, 64)}}}},
		{"first second", container, first.Statement},
		{"second second", container, &proof.Statement{Says: &proof.Statement_Segment{Segment: next}}},
		{"pong", container, &proof.Statement{Says: &proof.Statement_Pong{Pong: &proof.Pong{Nonce: fill(1, 32), Epoch: epoch, Checker: me[:], Sessions: 1}}}},
		{"audit", container, &proof.Statement{Says: &proof.Statement_Audit{Audit: &proof.AuditData{Session: fill(5, 16), Window: fill(1, 100), Segments: []*proof.Signed{first.Signed}, Inputs: [][]byte{fill(2, 90)},
			After: []*proof.Signed{sign(t, container, &proof.Statement{Says: &proof.Statement_Segment{Segment: next}}).Signed}}}}},
		{"quality", container, &proof.Statement{Says: &proof.Statement_Quality{Quality: &proof.Quality{Session: fill(5, 16), Sample: sample, Receipts: fill(1, 32), Count: 30, Exit: "the player left"}}}},
		{"watch", checker, &proof.Statement{Says: &proof.Statement_Watch{Watch: &proof.Watch{Epoch: epoch, Container: fill(3, 32), Session: fill(5, 16), Asked: 6, Answered: 1}}}},
		{"audit request", checker, &proof.Statement{Says: &proof.Statement_AuditRequest{AuditRequest: &proof.AuditReq{Session: fill(5, 16), From: 20, Seconds: 10, Epoch: epoch}}}},
	}
}

func goodVote(r *rendering) *proof.Vote {
	return &proof.Vote{Epoch: epoch, Batch: 1, Salt: fill(4, 32), Findings: []*proof.Finding{
		{Container: 0, Verdict: proof.VerdictOK, Commit: r.commit.Digest[:], ArrivalMs: 10_020, RttMs: 40, Samples: 6000, Work: fill(1, 32), Tiles: 4, Pings: 15, Pongs: 15},
		{Container: 1, Verdict: proof.VerdictAbsent, Reason: uint32(proof.ReasonAbsent), Pings: 15, Pongs: 2},
		{Container: 2, Verdict: proof.VerdictBad, Commit: fill(2, 32), Samples: 100, Evidence: fill(3, 32), Reason: uint32(proof.ReasonTile)},
		{Container: 4, Verdict: proof.VerdictBusy, Commit: fill(6, 32), Quality: &proof.Sample{LaunchMs: 300, Seconds: 30, AskedFps: 60, FpsMilli: 60_000}},
		{Container: 5, Verdict: proof.VerdictRefused},
		{Container: 6, Verdict: proof.VerdictLate, Commit: fill(7, 32), Samples: 5, ArrivalMs: 20_000},
	}}
}

func goodResult() *proof.Result {
	return &proof.Result{Epoch: epoch, Batch: 1, Correct: 0b1011, Wrong: 0b100, Votes: [32]byte(fill(5, 32)), Entries: []proof.Entry{
		{Verdict: proof.VerdictOK, RPMilli: 120_000, QualityPPM: 950_000},
		{Verdict: proof.VerdictNone, Reason: proof.ReasonNoQuorum},
		{Verdict: proof.VerdictAbsent, Reason: proof.ReasonAbsent, OfflinePPM: 800_000},
		{Verdict: proof.VerdictBad, Reason: proof.ReasonTile, Evidence: proof.NameOf(fill(3, 32))},
	}}
}

func mustResult(t testing.TB, r *proof.Result) []byte {
	t.Helper()
	b, err := proof.EncodeResult(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
