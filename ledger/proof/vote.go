package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/key"
)

// NonceDigest is what a NonceCommit binds a checker to: SHA-256("framemesh/nonce/1" ‖
// checker (32) ‖ epoch (8, big-endian) ‖ nonce (32)).
func NonceDigest(checker key.Node, epoch uint64, nonce [32]byte) [32]byte {
	b := append([]byte("framemesh/nonce/1"), checker[:]...)
	b = binary.BigEndian.AppendUint64(b, epoch)
	return sha256.Sum256(append(b, nonce[:]...))
}

// Task is what the containers of an epoch render from: SHA-256("framemesh/task/1" ‖ length
// of the chain's name (1) ‖ chain ‖ epoch (8, big-endian) ‖ seed (32)). Nobody knows it
// before the seed of the epoch is fixed.
func Task(chain string, epoch uint64, seed [32]byte) [32]byte {
	b := append([]byte("framemesh/task/1"), byte(len(chain)))
	b = append(b, chain...)
	b = binary.BigEndian.AppendUint64(b, epoch)
	return sha256.Sum256(append(b, seed[:]...))
}

func checkVote(v *Vote) error {
	if err := canonical.First(
		within("attempt", uint64(v.GetAttempt()), 0, 1),
		sized("salt", v.GetSalt(), 32),
		sized("checker", v.GetChecker(), key.Size),
		within("findings", uint64(len(v.GetFindings())), 1, MaxBatch),
	); err != nil {
		return err
	}
	for i, f := range v.GetFindings() {
		if i > 0 && f.GetContainer() <= v.GetFindings()[i-1].GetContainer() {
			return wrong("findings", "number %d does not rise by container", i+1)
		}
		if err := checkFinding(f); err != nil {
			return fmt.Errorf("findings, number %d: %w", i+1, err)
		}
	}
	return nil
}

// checkFinding asks for exactly what each verdict rests on, so that no finding can be read
// in two ways.
func checkFinding(f *Finding) error {
	if err := canonical.First(
		within("container", uint64(f.GetContainer()), 0, MaxBatch-1),
		within("verdict", uint64(f.GetVerdict()), VerdictOK, verdictEnd-1),
		within("arrival_ms", uint64(f.GetArrivalMs()), 0, MaxTimeMS),
		within("rtt_ms", uint64(f.GetRttMs()), 0, MaxTimeMS),
		within("samples", f.GetSamples(), 0, MaxSamples),
		within("pings", uint64(f.GetPings()), 0, MaxPings),
		within("pongs", uint64(f.GetPongs()), 0, uint64(f.GetPings())),
		within("tiles", uint64(f.GetTiles()), 0, MaxTiles),
		optional("commit", f.GetCommit(), sha256.Size),
		optional("work", f.GetWork(), sha256.Size),
		optional("evidence", f.GetEvidence(), sha256.Size),
		optional("dropped", f.GetDropped(), SessionSize),
	); err != nil {
		return err
	}
	if (len(f.GetWork()) == 0) != (f.GetTiles() == 0) {
		return wrong("tiles", "%d where work has %d bytes; they go together", f.GetTiles(), len(f.GetWork()))
	}
	if r := Reason(f.GetReason()); r != 0 && !r.Fits(f.GetVerdict()) {
		return wrong("reason", "%d does not belong to the verdict %s", r, VerdictName(f.GetVerdict()))
	}
	rendered := f.GetVerdict() == VerdictOK || f.GetVerdict() == VerdictLate || f.GetVerdict() == VerdictBad
	switch {
	case rendered && (len(f.GetCommit()) == 0 || f.GetSamples() == 0 && !Reason(f.GetReason()).OfSession()):
		return wrong("commit", "is missing, with its samples; a verdict %s rests on them", VerdictName(f.GetVerdict()))
	case f.GetVerdict() == VerdictBusy && len(f.GetCommit()) == 0:
		return wrong("commit", "is missing; a verdict busy rests on what the container signed")
	case f.GetVerdict() == VerdictAbsent && len(f.GetCommit()) != 0:
		return wrong("commit", "of a container that is absent; leave it out")
	case !rendered && (f.GetSamples() != 0 || len(f.GetWork()) != 0):
		return wrong("samples", "or work, of a container that committed no frames; leave them out")
	case f.GetVerdict() == VerdictBad && len(f.GetEvidence()) == 0:
		return wrong("evidence", "is missing; nobody is found bad without")
	case f.GetVerdict() == VerdictOK && len(f.GetEvidence()) != 0:
		return wrong("evidence", "of a verdict ok; leave it out")
	}
	if f.GetQuality() != nil {
		return checkSample(f.GetQuality())
	}
	return nil
}

func checkDraft(d *Draft) error {
	if err := canonical.First(
		within("attempt", uint64(d.GetAttempt()), 0, 1),
		within("votes", uint64(len(d.GetVotes())), 1, MaxMembers),
		sized("attestation", d.GetAttestation(), ed25519.SignatureSize),
	); err != nil {
		return err
	}
	for i, v := range d.GetVotes() {
		if len(v) != sha256.Size {
			return wrong("votes", "number %d has %d bytes, must be %d", i+1, len(v), sha256.Size)
		}
		if i > 0 && bytes.Compare(d.GetVotes()[i-1], v) >= 0 {
			return wrong("votes", "number %d does not rise", i+1)
		}
	}
	r, err := DecodeResult(d.GetResult())
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if r.Epoch != d.GetEpoch() || r.Batch != d.GetBatch() || r.Attempt != d.GetAttempt() {
		return wrong("result", "is about another batch, epoch or attempt than the draft")
	}
	return nil
}
