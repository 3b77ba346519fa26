package proof

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// fileMagic opens a proof file, so that tools and people know one when they see it.
const fileMagic = "framemesh proof 1\n"

// fileVersion is the version of the format behind the magic.
const fileVersion = 1

var shapeFile = shapeOf(func() proto.Message { return new(File) })

// EncodeFile writes a proof file: the magic and the one encoding of f. It sets the version.
// Its SHA-256 is what findings and results name as evidence.
func EncodeFile(f *File) ([]byte, error) {
	f.Version = fileVersion
	body, err := encode(f)
	if err != nil {
		return nil, err
	}
	b := append([]byte(fileMagic), body...)
	if _, err := ParseFile(b); err != nil {
		return nil, err
	}
	return b, nil
}

// ParseFile reads what EncodeFile wrote. It checks form and limits; what the file proves is
// for Convict, judge.Recount and OpenSecond to say. It wraps ErrMalformed or ErrTooLarge.
func ParseFile(b []byte) (*File, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%w: file: %d bytes, at most %d", ErrTooLarge, len(b), MaxFile)
	}
	body, ok := bytes.CutPrefix(b, []byte(fileMagic))
	if !ok {
		return nil, wrong("file", "does not begin with %q; it is no proof file, or of a newer release", fileMagic)
	}
	f := new(File)
	if err := decode(body, shapeFile(), f); err != nil {
		return nil, err
	}
	return f, checkFile(f)
}

func checkFile(f *File) error {
	if err := canonical.First(
		within("version", uint64(f.GetVersion()), fileVersion, fileVersion),
		chainName(f.GetChain()),
		sized("seed", f.GetSeed(), 32),
	); err != nil {
		return err
	}
	switch h := f.GetHolds().(type) {
	case *File_Fraud:
		signature, least, most := 64, uint64(1), uint64(MaxEvidence)
		if tx.Sealed(h.Fraud.GetKind()) {
			signature, least, most = 0, 0, 0
		}
		return canonical.First(
			sized("subject", h.Fraud.GetSubject(), key.Size),
			within("statement", uint64(len(h.Fraud.GetStatement())), 1, MaxOpenings),
			sized("signature", h.Fraud.GetSignature(), signature),
			within("evidence", uint64(len(h.Fraud.GetEvidence())), least, most))
	case *File_Ballot:
		return checkBallot(h.Ballot)
	case *File_Second:
		return canonical.First(
			sized("subject", h.Second.GetSubject(), key.Size),
			within("segments", uint64(len(h.Second.GetSegments())), 1, 2))
	}
	return wrong("file", "holds nothing")
}

func checkBallot(b *Ballot) error {
	if err := canonical.First(
		within("attempt", uint64(b.GetAttempt()), 0, 1),
		within("n", uint64(b.GetN()), 1, MaxMembers/2),
		within("openings", uint64(b.GetOpenings()), 1, MaxTiles),
		within("check_ppm", b.GetCheckPpm(), 0, PPM),
		within("dur_ms", b.GetDurMs(), 1, MaxTimeMS),
		within("grace_ms", b.GetGraceMs(), 1, MaxTimeMS),
		within("rp_reference", b.GetRpReference(), 1, 1<<53),
		within("containers", uint64(len(b.GetContainers())), 1, MaxBatch),
		within("members", uint64(len(b.GetMembers())), 1, MaxMembers),
		within("result", uint64(len(b.GetResult())), 1, MaxResult),
	); err != nil {
		return err
	}
	for _, list := range [...]struct {
		name string
		all  [][]byte
	}{{"containers", b.GetContainers()}, {"members", b.GetMembers()}, {"proven", b.GetProven()}, {"refuted", b.GetRefuted()}} {
		for i, v := range list.all {
			if len(v) != sha256.Size {
				return wrong(list.name, "number %d has %d bytes, must be %d", i+1, len(v), sha256.Size)
			}
		}
	}
	return nil
}

// chainName is 1 to 32 of a-z, 0-9 and -, as in the genesis file.
func chainName(s string) error {
	if err := within("chain", uint64(len(s)), 1, 32); err != nil {
		return err
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return wrong("chain", "%q; a network's name has only a-z, 0-9 and -", s)
		}
	}
	return nil
}

// FraudFile puts a fraud proof into a file of its own.
func FraudFile(chain string, epoch uint64, seed [32]byte, f *tx.FraudProof) *File {
	return &File{Version: fileVersion, Chain: chain, Epoch: epoch, Seed: seed[:], Holds: &File_Fraud{&Fraud{
		Kind: f.GetKind(), Subject: f.GetSubject(), Statement: f.GetStatement(), Signature: f.GetSignature(), Evidence: f.GetEvidence()}}}
}

// FraudProof is the fraud proof that the file holds, as the ledger takes it; nil where it
// holds something else.
func (x *File) FraudProof() *tx.FraudProof {
	f := x.GetFraud()
	if f == nil {
		return nil
	}
	return &tx.FraudProof{Kind: f.GetKind(), Subject: f.GetSubject(), Epoch: x.GetEpoch(),
		Statement: f.GetStatement(), Signature: f.GetSignature(), Evidence: f.GetEvidence()}
}

// Convict reruns the fraud proof in a file: Check's answer. Rules without a Chain or a Seed
// take the file's word for them. That is enough to recompute, but a file with an invented
// seed can convict anybody: compare the seed with the ledger's before believing it. Rules
// that have them refuse a file that says otherwise (ErrForeign, ErrInnocent).
func (x *File) Convict(r Rules) (Conviction, error) {
	f := x.FraudProof()
	if f == nil {
		return Conviction{}, fmt.Errorf("%w: the file holds no fraud proof", ErrUnknown)
	}
	if r.Chain == "" {
		r.Chain = x.GetChain()
	}
	if r.Chain != x.GetChain() {
		return Conviction{}, fmt.Errorf("%w: %s, not %s; ask a node of that network", ErrForeign, x.GetChain(), r.Chain)
	}
	known := r.Seed
	r.Seed = func(epoch uint64) (seed [32]byte, ok bool) {
		if epoch != x.GetEpoch() {
			return seed, false
		}
		return [32]byte(x.GetSeed()), true
	}
	if known != nil {
		if seed, ok := known(x.GetEpoch()); ok && string(seed[:]) != string(x.GetSeed()) {
			return Conviction{}, innocent("the file gives epoch %d another seed than the ledger: nobody had to render from it", x.GetEpoch())
		}
	}
	return Check(r, f)
}

// OpenSecond opens the commitments around a second of a session: signed by the subject, of
// one session and app, one after the other, the later naming the earlier. The second that
// is in question is the last. What a replay of the opaque proof finds is gpu/segment's.
func OpenSecond(chain string, s *Second) ([]*Opened, error) {
	var all []*Opened
	for i, raw := range s.GetSegments() {
		o, err := OpenSigned(chain, raw)
		if err == nil {
			err = o.Of(KindSegCommit, 0)
		}
		if err != nil {
			return nil, fmt.Errorf("segments, number %d: %w", i+1, err)
		}
		if string(o.Signer[:]) != string(s.GetSubject()) {
			return nil, wrong("segments", "number %d is another container's", i+1)
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		return nil, wrong("segments", "are missing")
	}
	if last := all[len(all)-1].Statement.GetSegment(); last.GetSecond() > 0 && len(all) != 2 {
		return nil, wrong("segments", "hold second %d without the one before", last.GetSecond())
	}
	if len(all) == 2 {
		a, b := all[0].Statement.GetSegment(), all[1].Statement.GetSegment()
		if !bytes.Equal(a.GetSession(), b.GetSession()) || !bytes.Equal(a.GetApp(), b.GetApp()) ||
			b.GetSecond() != a.GetSecond()+1 || string(b.GetPrevious()) != string(all[0].Digest[:]) {
			return nil, wrong("segments", "do not follow each other: seconds %d and %d", a.GetSecond(), b.GetSecond())
		}
	}
	return all, nil
}
