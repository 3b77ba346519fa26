package proof_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

func TestWhatIsSignedIsOpenedAsItWas(t *testing.T) {
	seen := map[proof.Kind]bool{}
	for _, e := range everyStatement(t) {
		made := sign(t, e.by, e.st)
		got, err := proof.Open(chain, made.Raw)
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
			continue
		}
		if got.Signer != node(e.by) || got.Digest != made.Digest || !proto.Equal(got.Statement, e.st) {
			t.Errorf("%s: %v came out as %v", e.name, e.st, got.Statement)
		}
		inside, err := proof.OpenSigned(chain, made.Signed)
		if err != nil || inside.Digest != made.Digest {
			t.Errorf("%s inside another message: %v", e.name, err)
		}
		if _, err := proof.Open("test-2", made.Raw); !errors.Is(err, proof.ErrSignature) {
			t.Errorf("%s for another network: %v", e.name, err)
		}
		seen[got.Kind()] = true
	}
	for k := proof.KindNonceCommit; k <= proof.KindWatch; k++ {
		if !seen[k] || k.String() == "" {
			t.Errorf("kind %d (%s) has no example", k, k)
		}
	}
}

func TestNoBitOfASignedStatementCanBeChanged(t *testing.T) {
	for _, e := range everyStatement(t) {
		raw := sign(t, e.by, e.st).Raw
		step := 1 + len(raw)*8/400 // some four hundred of the bits of each
		for n := 0; n < len(raw)*8; n += step {
			bad := bytes.Clone(raw)
			bad[n/8] ^= 1 << (n % 8)
			if _, err := proof.Open(chain, bad); err == nil {
				t.Fatalf("%s: bit %d can be changed", e.name, n)
			}
		}
		for _, bad := range [][]byte{nil, raw[:len(raw)-1], append(bytes.Clone(raw), 0)} {
			if _, err := proof.Open(chain, bad); !errors.Is(err, proof.ErrMalformed) {
				t.Fatalf("%s of %d bytes: %v", e.name, len(bad), err)
			}
		}
	}
}

// spoiled says of one field what is wrong with it: the text must name it.
var spoiled = []struct {
	of    string
	names string
	spoil func(*proof.Statement)
}{
	{"nonce commit", "digest", func(s *proof.Statement) { s.GetNonceCommit().Digest = fill(1, 31) }},
	{"nonce", "nonce", func(s *proof.Statement) { s.GetNonce().Nonce = nil }},
	{"commit", "kernel", func(s *proof.Statement) { s.GetCommit().Kernel = "rp-9" }},
	{"commit", "frames", func(s *proof.Statement) { s.GetCommit().Frames = 0 }},
	{"commit", "frames", func(s *proof.Statement) { s.GetCommit().Frames = proof.MaxFrames + 1 }},
	{"commit", "size", func(s *proof.Statement) { s.GetCommit().Size = 256 }},
	{"commit", "roots", func(s *proof.Statement) { s.GetCommit().Roots = fill(1, 33) }},
	{"commit", "backend", func(s *proof.Statement) { s.GetCommit().Backend = strings.Repeat("x", 65) }},
	{"commit", "device", func(s *proof.Statement) { s.GetCommit().Device = "a\x1b[2Jb" }},
	{"commit", "device", func(s *proof.Statement) { s.GetCommit().Device = "a\u202eb" }},
	{"commit of a busy container", "busy", func(s *proof.Statement) { s.GetCommit().Frames = 1 }},
	{"commit of a busy container", "session", func(s *proof.Statement) { s.GetCommit().Busy.Session = fill(1, 15) }},
	{"commit of a busy container", "segment", func(s *proof.Statement) { s.GetCommit().Busy.Segment.Signature = fill(1, 63) }},
	{"commit of a busy container", "segment", func(s *proof.Statement) { s.GetCommit().Busy.Segment.Statement = []byte{18, 0} }},
	{"openings", "checker", func(s *proof.Statement) { s.GetOpenings().Checker = fill(1, 3) }},
	{"openings", "commit", func(s *proof.Statement) { s.GetOpenings().Commit = nil }},
	{"openings", "roots", func(s *proof.Statement) { s.GetOpenings().Roots = nil }},
	{"openings", "roots", func(s *proof.Statement) { s.GetOpenings().Roots[1] = fill(1, 31) }},
	{"openings", "items", func(s *proof.Statement) { s.GetOpenings().Items = nil }},
	{"openings", "frame", func(s *proof.Statement) { s.GetOpenings().Items[1].Frame = 3 }},
	{"openings", "tile", func(s *proof.Statement) { s.GetOpenings().Items[0].Tile = 1 << 16 }},
	{"openings", "leaf", func(s *proof.Statement) { s.GetOpenings().Items[0].Leaf = nil }},
	{"openings", "siblings", func(s *proof.Statement) { s.GetOpenings().Items[0].Siblings[2] = fill(1, 5) }},
	{"openings", "siblings", func(s *proof.Statement) {
		for range proof.MaxSiblings {
			s.GetOpenings().Items[0].Siblings = append(s.GetOpenings().Items[0].Siblings, fill(1, 32))
		}
	}},
	{"vote commit", "attempt", func(s *proof.Statement) { s.GetVoteCommit().Attempt = 2 }},
	{"vote", "salt", func(s *proof.Statement) { s.GetVote().Salt = fill(1, 16) }},
	{"vote", "checker", func(s *proof.Statement) { n := node(other); s.GetVote().Checker = n[:] }},
	{"vote", "findings", func(s *proof.Statement) { s.GetVote().Findings = nil }},
	{"vote", "findings", func(s *proof.Statement) { s.GetVote().Findings[1].Container = 0 }},
	{"vote", "container", func(s *proof.Statement) { s.GetVote().Findings[5].Container = proof.MaxBatch }},
	{"vote", "verdict", func(s *proof.Statement) { s.GetVote().Findings[0].Verdict = 0 }},
	{"vote", "verdict", func(s *proof.Statement) { s.GetVote().Findings[0].Verdict = 7 }},
	{"vote", "pongs", func(s *proof.Statement) { s.GetVote().Findings[0].Pongs = 16 }},
	{"vote", "tiles", func(s *proof.Statement) { s.GetVote().Findings[0].Tiles = 0 }},
	{"vote", "tiles", func(s *proof.Statement) { s.GetVote().Findings[0].Tiles = proof.MaxTiles + 1 }},
	{"vote", "tiles", func(s *proof.Statement) { s.GetVote().Findings[0].Work = nil }},
	{"vote", "commit", func(s *proof.Statement) { s.GetVote().Findings[0].Commit = nil }},
	{"vote", "commit", func(s *proof.Statement) { s.GetVote().Findings[0].Samples = 0 }},
	{"vote", "commit", func(s *proof.Statement) { s.GetVote().Findings[1].Commit = fill(1, 32) }},
	{"vote", "reason", func(s *proof.Statement) { s.GetVote().Findings[1].Reason = uint32(proof.ReasonTile) }},
	{"vote", "reason", func(s *proof.Statement) { s.GetVote().Findings[1].Reason = 9999 }},
	{"vote", "evidence", func(s *proof.Statement) { s.GetVote().Findings[2].Evidence = nil }},
	{"vote", "evidence", func(s *proof.Statement) { s.GetVote().Findings[0].Evidence = fill(1, 32) }},
	{"vote", "samples", func(s *proof.Statement) { s.GetVote().Findings[3].Samples = 4 }},
	{"vote", "commit", func(s *proof.Statement) { s.GetVote().Findings[3].Commit = nil }},
	{"vote", "lost_ppm", func(s *proof.Statement) { s.GetVote().Findings[3].Quality.LostPpm = 1_000_001 }},
	{"vote", "arrival_ms", func(s *proof.Statement) { s.GetVote().Findings[5].ArrivalMs = 1 << 31 }},
	{"draft", "votes", func(s *proof.Statement) { s.GetDraft().Votes[0] = fill(3, 32) }},
	{"draft", "votes", func(s *proof.Statement) { s.GetDraft().Votes = nil }},
	{"draft", "attestation", func(s *proof.Statement) { s.GetDraft().Attestation = nil }},
	{"draft", "result", func(s *proof.Statement) { s.GetDraft().Batch = 2 }},
	{"draft", "result", func(s *proof.Statement) { s.GetDraft().Result = []byte{0xff} }},
	{"first second", "previous", func(s *proof.Statement) { s.GetSegment().Previous = fill(1, 32) }},
	{"second second", "previous", func(s *proof.Statement) { s.GetSegment().Previous = nil }},
	{"second second", "player_inputs", func(s *proof.Statement) { s.GetSegment().PlayerInputs = fill(1, 4) }},
	{"second second", "ticks", func(s *proof.Statement) { s.GetSegment().Ticks = proof.MaxTicks + 1 }},
	{"pong", "checker", func(s *proof.Statement) { s.GetPong().Checker = nil }},
	{"audit", "segments", func(s *proof.Statement) { s.GetAudit().Segments = nil }},
	{"audit", "inputs", func(s *proof.Statement) { s.GetAudit().Inputs[0] = fill(1, 8<<10) }},
	{"audit", "after", func(s *proof.Statement) { s.GetAudit().After[0] = &proof.Signed{} }},
	{"audit", "after", func(s *proof.Statement) { s.GetAudit().After[0].Statement = []byte{0x1a, 0} }},
	{"audit", "after", func(s *proof.Statement) { s.GetAudit().After[0].Statement = make([]byte, proof.MaxStatement+1) }},
	{"audit", "after", func(s *proof.Statement) {
		a := s.GetAudit()
		a.After = slices.Repeat(a.After, proof.MaxAfter+1)
	}},
	{"quality", "sample", func(s *proof.Statement) { s.GetQuality().Sample = nil }},
	{"quality", "cells_seen", func(s *proof.Statement) { s.GetQuality().Sample.CellsSeen = 5 }},
	{"quality", "exit", func(s *proof.Statement) { s.GetQuality().Exit = "\x07" }},
	{"watch", "container", func(s *proof.Statement) { s.GetWatch().Container = fill(3, 31) }},
	{"watch", "session", func(s *proof.Statement) { s.GetWatch().Session = nil }},
	{"watch", "asked", func(s *proof.Statement) { s.GetWatch().Asked, s.GetWatch().Answered = 0, 0 }},
	{"watch", "answered", func(s *proof.Statement) { s.GetWatch().Answered = 7 }},
	{"vote", "dropped", func(s *proof.Statement) { s.GetVote().Findings[0].Dropped = fill(5, 15) }},
	{"audit request", "seconds", func(s *proof.Statement) { s.GetAuditRequest().Seconds = 11 }},
}

func TestFieldsOutOfRangeAreRefusedByName(t *testing.T) {
	for _, x := range spoiled {
		found := false
		for _, e := range everyStatement(t) {
			if e.name != x.of {
				continue
			}
			found = true
			st := proto.CloneOf(e.st)
			x.spoil(st)
			// By who makes it, and by who is handed it with a signature that is right.
			if _, err := proof.Sign(chain, testKey(e.by), st); !errors.Is(err, proof.ErrMalformed) || !strings.Contains(err.Error(), x.names) {
				t.Errorf("%s, %s: %v", x.of, x.names, err)
			}
			if _, err := proof.Open(chain, envelope(t, e.by, st)); !errors.Is(err, proof.ErrMalformed) || !strings.Contains(err.Error(), x.names) {
				t.Errorf("%s, %s, from elsewhere: %v", x.of, x.names, err)
			}
		}
		if !found {
			t.Fatalf("no example %s", x.of)
		}
	}
}

// envelope signs a statement however wrong it is.
func envelope(t testing.TB, by byte, st *proof.Statement) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	return seal(t, by, b)
}

func seal(t testing.TB, by byte, statement []byte) []byte {
	t.Helper()
	k := testKey(by)
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(&proof.Signed{
		Statement: statement, Signer: k[32:], Signature: key.Sign(k, chain, key.KindStatement, statement)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestThereIsOneEncoding(t *testing.T) {
	nonce, err := proto.Marshal(&proof.Nonce{Epoch: epoch, Nonce: fill(1, 32)})
	if err != nil {
		t.Fatal(err)
	}
	says := func(field protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), inner)
	}
	if _, err := proof.Open(chain, seal(t, checker, says(2, nonce))); err != nil {
		t.Fatal(err)
	}
	for name, statement := range map[string][]byte{
		"an unknown field inside":   says(2, protowire.AppendVarint(protowire.AppendTag(bytes.Clone(nonce), 9, protowire.VarintType), 1)),
		"an unknown field behind":   append(says(2, nonce), protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)...),
		"the epoch spelled out":     says(2, append([]byte{8, 0}, nonce[2:]...)),
		"the epoch in two bytes":    says(2, append([]byte{8, 0x87, 0}, nonce[2:]...)),
		"the epoch behind":          says(2, append(bytes.Clone(nonce[2:]), nonce[:2]...)),
		"the nonce twice":           says(2, append(bytes.Clone(nonce), nonce[2:]...)),
		"two statements":            append(says(2, nonce), says(5, nonce)...),
		"no statement":              {},
		"a kind that nobody knows":  says(13, nonce),
		"a number for the message":  {2 << 3, 1},
		"a length beyond the bytes": {2<<3 | 2, 200},
	} {
		if _, err := proof.Open(chain, seal(t, checker, statement)); !errors.Is(err, proof.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEachKindHasItsOwnSize(t *testing.T) {
	r := render(t, container, 3, nil)
	big := r.openings(t, container, []proof.Pick{{}}, nil).Statement
	for i := 0; i < proof.MaxTiles; i++ {
		it := proto.CloneOf(big.GetOpenings().GetItems()[0])
		for len(it.GetSiblings()) < proof.MaxSiblings {
			it.Siblings = append(it.Siblings, fill(1, 32))
		}
		big.GetOpenings().Items = append(big.GetOpenings().Items[:i:i], it)
	}
	if _, err := proof.Sign(chain, testKey(container), big); !errors.Is(err, proof.ErrTooLarge) {
		t.Errorf("openings of %d bytes: %v", proto.Size(big), err)
	}
	// The most frames and tiles of rp-1's largest frame (4,096 tiles) with k = 48 do fit.
	fits := r.openings(t, container, []proof.Pick{{}}, func(o *proof.Openings) {
		for len(o.GetRoots()) < proof.MaxFrames {
			o.Roots = append(o.Roots, fill(1, 32))
		}
		for len(o.GetItems()) < 48 {
			it := proto.CloneOf(o.GetItems()[0])
			for len(it.GetSiblings()) < 12 {
				it.Siblings = append(it.Siblings, fill(1, 32))
			}
			o.Items = append(o.Items, it)
		}
	})
	t.Logf("512 roots and 48 openings of 12 siblings: %d bytes", len(fits.Raw))

	vote := &proof.Vote{Epoch: 1 << 40, Batch: 1 << 20, Salt: fill(1, 32)}
	for i := range uint32(proof.MaxBatch) {
		vote.Findings = append(vote.Findings, &proof.Finding{Container: i, Verdict: proof.VerdictBad, Commit: fill(1, 32), ArrivalMs: 65_000,
			RttMs: 400, Samples: 1 << 40, Work: fill(1, 32), Tiles: 100, Evidence: fill(1, 32), Pings: 60, Pongs: 60, Reason: 35,
			Quality: &proof.Sample{LaunchMs: 3000, FirstFrameMs: 3000, AskedFps: 120, FpsMilli: 60_000, P50Ms: 300, P95Ms: 300, Stalls: 300, LostPpm: 99_999, Seconds: 60, CellsAsked: 30, CellsSeen: 30, AuditedSeconds: 10, Audit: 1, App: fill(1, 32)}})
	}
	o := sign(t, checker, &proof.Statement{Says: &proof.Statement_Vote{Vote: vote}})
	t.Logf("a vote on %d containers with all there can be: %d bytes", proof.MaxBatch, len(o.Raw))
}

func TestKindAndEpochAreAsked(t *testing.T) {
	for _, e := range everyStatement(t) {
		o := sign(t, e.by, e.st)
		if err := o.Of(o.Kind(), epoch); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		if _, has := o.Epoch(); has {
			if err := o.Of(o.Kind(), epoch+1); !errors.Is(err, proof.ErrEpoch) {
				t.Errorf("%s of another epoch: %v", e.name, err)
			}
		}
		if err := o.Of(o.Kind()%12+1, epoch); !errors.Is(err, proof.ErrKind) {
			t.Errorf("%s as another: %v", e.name, err)
		}
	}
}
