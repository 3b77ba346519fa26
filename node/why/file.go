package why

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
)

// Kinds of proof files.
const (
	KindFraud  = "fraud"
	KindBallot = "ballot"
	KindSecond = "second"
)

// File is what a proof file says of itself, before anybody has rerun it.
type File struct {
	ID string `json:"id"` // SHA-256 of the file: what verdicts and results name as evidence
	// Report is the name on the ledger: of a fraud proof, of an answer, and of the result of a
	// ballot.
	Report  string `json:"report,omitempty"`
	Kind    string `json:"kind"`
	Fraud   uint32 `json:"fraud_kind,omitempty"`
	Says    string `json:"says"` // one sentence
	Accused string `json:"accused,omitempty"`
	Chain   string `json:"chain"`
	Epoch   uint64 `json:"epoch"`
	Seed    string `json:"seed"`
	// NeedsSeed says that the seed decides what the accused had to render: with an invented
	// one anybody could be convicted.
	NeedsSeed bool   `json:"needs_seed"`
	Bytes     int    `json:"bytes"`
	Detail    string `json:"detail,omitempty"`
	Batch     uint32 `json:"batch,omitempty"`
	Attempt   uint32 `json:"attempt,omitempty"`
	Session   string `json:"session,omitempty"`
	Second    uint32 `json:"second,omitempty"`
	App       string `json:"app,omitempty"`
}

// Is says whether id names the file: its whole SHA-256 in hex or the first 40 digits of it, as
// certificates have them, or the same of the report in it.
func (f File) Is(id string) bool {
	switch len(id) {
	case 2 * len(proof.Name{}), 2 * sha256.Size:
		return strings.HasPrefix(f.ID, id) || strings.HasPrefix(f.Report, id)
	}
	return false
}

// Describe reads a proof file, or the answer of an audit, which comes without a proof.File. It
// wraps proof.ErrMalformed or proof.ErrTooLarge.
func Describe(raw []byte) (File, *proof.File, error) {
	f, err := proof.ParseFile(raw)
	if err != nil {
		if x, other := describeAnswer(raw); other == nil {
			return x, nil, nil
		}
		return File{}, nil, err
	}
	sum := sha256.Sum256(raw)
	out := File{ID: hex.EncodeToString(sum[:]), Chain: f.GetChain(), Epoch: f.GetEpoch(), Seed: hex.EncodeToString(f.GetSeed()), Bytes: len(raw)}
	switch h := f.GetHolds().(type) {
	case *proof.File_Fraud:
		fraud := f.FraudProof()
		id := state.FraudID(fraud)
		out.Kind, out.Fraud, out.Report = KindFraud, h.Fraud.GetKind(), hex.EncodeToString(id[:])
		out.Accused, out.Says = key.Node(h.Fraud.GetSubject()).String(), FraudText(h.Fraud.GetKind())
		out.NeedsSeed = NeedsSeed(h.Fraud.GetKind())
		out.Detail = detail(h.Fraud)
	case *proof.File_Ballot:
		b := h.Ballot
		out.Kind, out.Batch, out.Attempt, out.NeedsSeed = KindBallot, b.GetBatch(), b.GetAttempt(), true
		sum := sha256.Sum256(b.GetResult())
		out.Report = hex.EncodeToString(sum[:])
		out.Says = "The votes about a batch of containers, and the result that its committee attested."
		out.Detail = fmt.Sprintf("%d votes of %d members about %d containers", len(b.GetVotes()), len(b.GetMembers()), len(b.GetContainers()))
	case *proof.File_Second:
		out.Kind, out.Accused = KindSecond, key.Node(h.Second.GetSubject()).String()
		out.Says = "A second of a session that does not replay to what the container signed, or an input that nobody sent."
		if all, err := proof.OpenSecond(f.GetChain(), h.Second); err == nil {
			s := all[len(all)-1].Statement.GetSegment()
			out.Session, out.Second, out.App = hex.EncodeToString(s.GetSession()), s.GetSecond(), hex.EncodeToString(s.GetApp())
		}
	}
	return out, f, nil
}

// NeedsSeed says whether a fraud proof of that kind rests on the epoch's seed. Pairs of
// statements convict by their signatures alone.
func NeedsSeed(kind uint32) bool {
	switch kind {
	case proof.FraudTile, proof.FraudPath, proof.FraudWork:
		return true
	}
	return false
}

// FraudText tells what a kind of fraud proof accuses of.
func FraudText(kind uint32) string {
	switch kind {
	case proof.FraudTile:
		return "A tile that a container committed to renders differently."
	case proof.FraudPath:
		return "A tile that a container opened is not in what it committed to."
	case proof.FraudCommits:
		return "A container signed two different commits for one epoch."
	case proof.FraudSeconds:
		return "A container signed two different commitments for one second of a session."
	case proof.FraudWork:
		return "A checker's vote claims what its own checks contradict."
	case proof.FraudVotes:
		return "A checker signed two different statements on one question."
	case 3:
		return "A second of a session does not replay; a committee looks at it."
	case 4:
		return "A match certificate of an indexer does not recompute."
	}
	return "A kind of fraud that this release does not know."
}

// detail says where in its evidence a fraud proof points; "" where there is no such place.
func detail(f *proof.Fraud) string {
	switch f.GetKind() {
	case proof.FraudTile:
		var e proof.TileEvidence
		if proto.Unmarshal(f.GetEvidence(), &e) == nil && e.GetOpening() != nil {
			return fmt.Sprintf("tile %d of frame %d, of %d frames", e.GetOpening().GetTile(), e.GetOpening().GetFrame(), len(e.GetRoots())/32)
		}
	case proof.FraudPath:
		var e proof.PathEvidence
		if proto.Unmarshal(f.GetEvidence(), &e) == nil {
			return fmt.Sprintf("item %d of what was opened", e.GetItem())
		}
	case proof.FraudWork:
		var e proof.WorkEvidence
		if proto.Unmarshal(f.GetEvidence(), &e) == nil {
			if o := e.GetOpening(); o != nil {
				return fmt.Sprintf("finding %d of the vote: tile %d of frame %d was its own pick", e.GetFinding(), o.GetTile(), o.GetFrame())
			}
			return fmt.Sprintf("the work of finding %d of the vote", e.GetFinding())
		}
	}
	return ""
}
