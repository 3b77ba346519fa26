package why

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/proof"
)

// KindAnswer is what a container signed in an audit that found it wrong, where no proof file
// can stand for itself. Verdicts name it by its SHA-256, as they do proof files; File.Report is
// the digest of its statement.
const KindAnswer = "answer"

// describeAnswer reads the signed answer of an audit. Which network and epoch it was given
// in, it does not say; who verifies the signature has to know.
func describeAnswer(raw []byte) (File, error) {
	o, err := proof.Decode(raw)
	if err != nil {
		return File{}, err
	}
	a := o.Statement.GetAudit()
	if a == nil {
		return File{}, fmt.Errorf("%w: a %s by itself is no evidence", proof.ErrMalformed, o.Kind())
	}
	sum := sha256.Sum256(raw)
	out := File{ID: hex.EncodeToString(sum[:]), Report: hex.EncodeToString(o.Digest[:]), Kind: KindAnswer, Accused: o.Signer.String(), Bytes: len(raw),
		Says:    "What a container showed of a session when it was audited, and signed; a committee's votes tell what is wrong with it.",
		Session: hex.EncodeToString(a.GetSession()), Second: a.GetFrom(),
		Detail: fmt.Sprintf("%d commitments of the seconds audited, %d that lead from there to the second named before, %d records of players",
			len(a.GetSegments()), len(a.GetAfter()), len(a.GetInputs()))}
	var first proof.Statement // there is at least one, and it was decoded before
	if err := proto.Unmarshal(a.GetSegments()[0].GetStatement(), &first); err != nil {
		return File{}, fmt.Errorf("%w: %w", proof.ErrMalformed, err)
	}
	out.App = hex.EncodeToString(first.GetSegment().GetApp())
	return out, nil
}
