package judge

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// ErrRecount is a result that the votes do not come to.
var ErrRecount = errors.New("judge: the votes come to another result")

// BallotFile puts a batch as it was judged into a proof file, for anyone to Recount. result
// is what was attested.
func BallotFile(chain string, in Input, result []byte) *proof.File {
	b := &proof.Ballot{
		Batch: in.Number, Attempt: in.Attempt, N: uint32(in.Params.N), Openings: uint32(in.Params.K), CheckPpm: in.Params.CheckPPM,
		DurMs: in.Params.DurMS, GraceMs: in.Params.GraceMS, RpReference: in.Params.Reference,
		Containers: raw(in.Batch.Containers), Members: raw(in.Batch.Members(in.Attempt)), Result: result,
	}
	for _, v := range in.Votes {
		b.Votes = append(b.Votes, v.Signed)
	}
	for _, d := range in.Proven {
		b.Proven = append(b.Proven, d[:])
	}
	for _, d := range in.Refuted {
		b.Refuted = append(b.Refuted, d[:])
	}
	return &proof.File{Chain: chain, Epoch: in.Epoch, Seed: in.Seed[:], Holds: &proof.File_Ballot{Ballot: b}}
}

// Recount judges the ballot in a proof file again, signatures included, and compares: what
// the votes come to, and ErrRecount where that is not what was attested. It takes the
// file's word for the committee, the parameters and what was proven; with the ledger at
// hand, compare those with Assign.
func Recount(f *proof.File) (Outcome, error) {
	b := f.GetBallot()
	if b == nil {
		return Outcome{}, fmt.Errorf("%w: the file holds no ballot", proof.ErrUnknown)
	}
	in := Input{
		Seed: [32]byte(f.GetSeed()), Epoch: f.GetEpoch(), Number: b.GetBatch(), Attempt: b.GetAttempt(),
		Params: Params{N: int(b.GetN()), K: int(b.GetOpenings()), CheckPPM: b.GetCheckPpm(), DurMS: b.GetDurMs(),
			GraceMS: b.GetGraceMs(), Reference: b.GetRpReference()},
		Batch: &Batch{Containers: nodes(b.GetContainers())},
	}
	if in.Attempt == 0 {
		in.Batch.Committee = nodes(b.GetMembers())
	} else {
		in.Batch.Reserve = nodes(b.GetMembers())
	}
	for i, s := range b.GetVotes() {
		o, err := proof.OpenSigned(f.GetChain(), s)
		if err != nil {
			return Outcome{}, fmt.Errorf("votes, number %d: %w", i+1, err)
		}
		in.Votes = append(in.Votes, o)
	}
	for _, d := range b.GetProven() {
		in.Proven = append(in.Proven, [32]byte(d))
	}
	for _, d := range b.GetRefuted() {
		in.Refuted = append(in.Refuted, [32]byte(d))
	}
	out := Judge(in)
	if !bytes.Equal(out.Bytes, b.GetResult()) {
		return out, fmt.Errorf("%w: %x was attested, they come to %x", ErrRecount, b.GetResult(), out.Bytes)
	}
	return out, nil
}

func raw(all []key.Node) [][]byte {
	out := make([][]byte, len(all))
	for i := range all {
		out[i] = all[i][:]
	}
	return out
}

func nodes(all [][]byte) []key.Node {
	out := make([]key.Node, len(all))
	for i, b := range all {
		out[i] = key.Node(b)
	}
	return out
}
