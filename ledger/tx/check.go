package tx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// How fields are checked, and what the errors are.
var (
	fields                         = canonical.Fields{Err: ErrField}
	wrong, sized, optional, within = fields.Wrong, fields.Sized, fields.Optional, fields.Within
)

// Limits of what a transaction may say.
const (
	MaxMemo         = 128      // bytes of UTF-8
	MaxRegion       = 32       // characters
	MaxPrice        = 1 << 40  // micro-dollars per hour: a million dollars
	MaxQuotes       = 9        // in an order
	MaxBatch        = 100      // sessions in a BatchClose
	MaxResult       = 1280     // bytes of a certificate's result
	MaxMembers      = 43       // of the widest panel, an appeal's with N = 10
	MaxAttestations = 22       // in a certificate: the quorum of that
	MaxStatement    = 4 << 10  // bytes of what an accused node signed
	MaxOpenings     = 40 << 10 // bytes of it where it is the openings of many tiles
	MaxVote         = 8 << 10  // bytes of it where it is a vote on a whole batch
	MaxMatch        = 40 << 10 // bytes of it where it is a sealed match certificate
	MaxScore        = 1 << 32  // milli-RP that a container may claim
	MaxEvidence     = 40 << 10 // bytes
	MaxParameter    = 64       // characters of a parameter's name
	SessionSize     = 16       // bytes of a session's name
)

// Kinds of FraudProof.
const (
	FraudTile    = 1 // a tile that recomputes differently
	FraudPath    = 2 // a Merkle path that does not lead to its root
	FraudSegment = 3 // a segment of play that replays differently
	FraudMatch   = 4 // a match against the rules
	FraudCommit  = 5 // two commits of a container for one epoch
	FraudSecond  = 6 // two segments of a container for one second
	FraudVote    = 7 // a checker's vote on work that it did not do
	FraudVotes   = 8 // two votes of a checker on one question
)

// check holds the operation to its limits: all that can be said without the state and
// without verifying a signature.
func (t *Tx) check() error {
	name := t.Name()
	if name == "" {
		return fmt.Errorf("%w: the body says nothing to do", ErrOperation)
	}
	if t.Delegated() && !Delegable(name) {
		return fmt.Errorf("%w: %s for %s; sign it with the account's own key", ErrDelegate, name, t.Account)
	}
	var err error
	switch op := t.Body.GetOp().(type) {
	case *Body_Transfer:
		err = checkTransfer(op.Transfer)
	case *Body_Register:
		err = t.checkRegister(op.Register)
	case *Body_Retire:
		err = sized("node", op.Retire.GetNode(), key.Size)
	case *Body_Delegate:
		err = canonical.First(
			sized("node", op.Delegate.GetNode(), key.Size),
			within("cut_ppm", uint64(op.Delegate.GetCutPpm()), 0, amount.PPM))
	case *Body_Revoke:
		err = sized("node", op.Revoke.GetNode(), key.Size)
	case *Body_Stake:
		err = canonical.First(sized("node", op.Stake.GetNode(), key.Size), money("amount", op.Stake.GetAmount()))
	case *Body_Unbond:
		err = canonical.First(sized("node", op.Unbond.GetNode(), key.Size), money("amount", op.Unbond.GetAmount()))
	case *Body_Open:
		err = checkOpen(op.Open)
	case *Body_TopUp:
		err = canonical.First(
			session(op.TopUp.GetContainer(), op.TopUp.GetSession()),
			within("seconds", uint64(op.TopUp.GetSeconds()), 1, 1<<32-1))
	case *Body_Close:
		err = checkClose(op.Close)
	case *Body_BatchClose:
		err = checkBatch(op.BatchClose)
	case *Body_VoteCommit:
		err = sized("digest", op.VoteCommit.GetDigest(), sha256.Size)
	case *Body_Certificate:
		err = op.Certificate.check()
	case *Body_Fraud:
		err = checkFraud(op.Fraud)
	case *Body_DoubleVote:
		err = checkDoubleVote(op.DoubleVote)
	case *Body_Propose:
		err = checkPropose(op.Propose)
	case *Body_Appeal:
		err = sized("accusation", op.Appeal.GetAccusation(), sha256.Size)
	case *Body_Claim:
		err = within("early", op.Claim.GetEarly(), 0, uint64(amount.Supply))
	case *Body_Approve: // any
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func checkTransfer(op *Transfer) error {
	if err := canonical.First(sized("to", op.GetTo(), key.Size), money("amount", op.GetAmount())); err != nil {
		return err
	}
	if n := len(op.GetMemo()); n > MaxMemo {
		return wrong("memo", "%d bytes, at most %d", n, MaxMemo)
	}
	for _, r := range op.GetMemo() {
		// Characters that move the cursor or turn the direction of text could make a
		// terminal show another transfer. The ranges are spelled out: tables of Unicode
		// change with the compiler's release, and the ledger must not.
		if r < 0x20 || (r >= 0x7f && r < 0xa0) || (r >= 0x200b && r <= 0x200f) ||
			(r >= 0x2028 && r <= 0x202e) || (r >= 0x2060 && r <= 0x206f) || r == 0xfeff {
			return wrong("memo", "holds the invisible character U+%04X; use plain text on one line", r)
		}
	}
	return nil
}

func (t *Tx) checkRegister(op *Register) error {
	roles := economics.Role(op.GetRoles())
	if err := canonical.First(
		sized("node", op.GetNode(), key.Size),
		region(op.GetRegion()),
		within("price_micro_usd_per_hour", op.GetPriceMicroUsdPerHour(), 0, MaxPrice),
		within("claim_rp_milli", op.GetClaimRpMilli(), 0, MaxScore),
	); err != nil {
		return err
	}
	if _, err := subnet.FromBytes(op.GetSubnets()); err != nil {
		return wrong("subnets", "%v", err)
	}
	validates := len(op.GetVrfKey()) != 0 || len(op.GetConsensusKey()) != 0
	switch {
	case !roles.Valid():
		return wrong("roles", "%d; add up 1 container, 2 indexer, 4 checker", op.GetRoles())
	case !economics.Class(op.GetHardwareClass()).Valid():
		return wrong("hardware_class", "%d; 0 edge or 1 enterprise", op.GetHardwareClass())
	case op.GetClaimRpMilli() != 0 && !roles.Has(economics.RoleContainer):
		return wrong("claim_rp_milli", "only a container promises a score")
	case validates && !roles.Has(economics.RoleChecker):
		return wrong("roles", "only a checker has a vrf_key and a consensus_key")
	case validates && (len(op.GetVrfKey()) != key.Size || len(op.GetConsensusKey()) != key.Size):
		return wrong("vrf_key, consensus_key", "%d and %d bytes; a validator has both of %d bytes, others have none",
			len(op.GetVrfKey()), len(op.GetConsensusKey()), key.Size)
	case validates && string(op.GetVrfKey()) == string(op.GetConsensusKey()):
		return wrong("vrf_key", "is the consensus_key; make a key of its own for each use")
	}
	if err := checkPossession(op, validates); err != nil {
		return err
	}
	if key.Address(op.GetNode()) == t.Signer {
		if len(op.GetNodeSignature()) != 0 {
			return wrong("node_signature", "is not needed, the node itself signs; leave it out")
		}
		return nil
	}
	return sized("node_signature", op.GetNodeSignature(), ed25519.SignatureSize)
}

// checkPossession: the proofs that the node holds its keys come together or not at all.
// Whether they are needed is the state's to say.
func checkPossession(op *Register, validates bool) error {
	switch signature, proof := op.GetConsensusSignature(), op.GetVrfProof(); {
	case len(signature) == 0 && len(proof) == 0:
		return nil
	case !validates:
		return wrong("consensus_signature, vrf_proof", "there are no keys for them to prove")
	default:
		return canonical.First(
			sized("consensus_signature", signature, ed25519.SignatureSize),
			sized("vrf_proof", proof, vrf.ProofSize))
	}
}

func checkOpen(op *OpenSession) error {
	if err := canonical.First(
		session(op.GetContainer(), op.GetSession()),
		within("price_micro_usd_per_hour", op.GetPriceMicroUsdPerHour(), 1, MaxPrice),
		within("seconds", uint64(op.GetSeconds()), 1, 1<<32-1),
		within("quotes", uint64(len(op.GetQuotes())), 1, MaxQuotes),
		optional("indexer", op.GetIndexer(), key.Size),
		optional("certificate", op.GetCertificate(), sha256.Size),
	); err != nil {
		return err
	}
	if len(op.GetCertificate()) != 0 && len(op.GetIndexer()) == 0 {
		return wrong("certificate", "is there, but not the indexer who made it")
	}
	if _, err := Escrow(op.GetPerSecond(), op.GetSeconds()); err != nil {
		return err
	}
	quotes, err := op.DecodedQuotes()
	if err != nil {
		return err
	}
	for i := range quotes {
		for j := range i {
			if quotes[i].Oracle == quotes[j].Oracle {
				return wrong("quotes", "two of %s; one of each oracle", quotes[i].Oracle)
			}
		}
	}
	return nil
}

// Escrow is what an order locks: per_second × seconds, at most the whole supply.
func Escrow(perSecond uint64, seconds uint32) (amount.Amount, error) {
	total, _, err := amount.MulDiv(perSecond, uint64(seconds), 1)
	if err != nil || total == 0 || amount.Amount(total) > amount.Supply {
		return 0, wrong("per_second", "%d base units for %d seconds; the total must be 1 base unit to %s FRM", perSecond, seconds, amount.Supply)
	}
	return amount.Amount(total), nil
}

// DecodedQuotes reads the quotes of an order, without verifying them.
func (x *OpenSession) DecodedQuotes() ([]quote.Quote, error) {
	out := make([]quote.Quote, len(x.GetQuotes()))
	for i, raw := range x.GetQuotes() {
		q, err := quote.Decode(raw)
		if err != nil {
			return nil, wrong("quotes", "number %d: %v", i+1, err)
		}
		out[i] = q
	}
	return out, nil
}

func checkClose(op *CloseSession) error {
	if err := session(op.GetContainer(), op.GetSession()); err != nil {
		return err
	}
	v := op.GetVoucher()
	if v == nil {
		return nil
	}
	return canonical.First(
		within("voucher.seq", v.GetSeq(), 1, 1<<64-1),
		within("voucher.seconds", uint64(v.GetSeconds()), 1, 1<<32-1),
		money("voucher.paid", v.GetPaid()),
		sized("voucher.signature", v.GetSignature(), ed25519.SignatureSize))
}

func checkBatch(op *BatchClose) error {
	if err := within("sessions", uint64(len(op.GetSessions())), 1, MaxBatch); err != nil {
		return err
	}
	container := op.GetSessions()[0].GetContainer()
	seen := make(map[[SessionSize]byte]bool, len(op.GetSessions()))
	for i, s := range op.GetSessions() {
		if err := checkClose(s); err != nil {
			return fmt.Errorf("sessions, number %d: %w", i+1, err)
		}
		if string(s.GetContainer()) != string(container) {
			return wrong("sessions", "number %d is another container's", i+1)
		}
		id := [SessionSize]byte(s.GetSession())
		if seen[id] {
			return wrong("sessions", "number %d stands there twice", i+1)
		}
		seen[id] = true
	}
	return nil
}

// StatementLimit is how many bytes the statement of a fraud proof has at most.
func StatementLimit(kind uint32) int {
	switch kind {
	case FraudPath:
		return MaxOpenings
	case FraudMatch:
		return MaxMatch
	case FraudVote, FraudVotes:
		return MaxVote
	}
	return MaxStatement
}

// Sealed says whether the statement of a kind of fraud proof carries its signature and all
// its evidence itself: a match certificate is a sealed message of the mesh.
func Sealed(kind uint32) bool { return kind == FraudMatch }

func checkFraud(op *FraudProof) error {
	signature, evidence := ed25519.SignatureSize, uint64(MaxEvidence)
	if Sealed(op.GetKind()) {
		signature, evidence = 0, 0
	}
	return canonical.First(
		within("kind", uint64(op.GetKind()), FraudTile, FraudVotes),
		sized("subject", op.GetSubject(), key.Size),
		within("statement", uint64(len(op.GetStatement())), 1, uint64(StatementLimit(op.GetKind()))),
		sized("signature", op.GetSignature(), signature),
		within("evidence", uint64(len(op.GetEvidence())), 0, evidence))
}

func checkDoubleVote(op *DoubleVote) error {
	if err := canonical.First(
		sized("checker", op.GetChecker(), key.Size),
		sized("result_a", op.GetResultA(), sha256.Size),
		sized("signature_a", op.GetSignatureA(), ed25519.SignatureSize),
		sized("result_b", op.GetResultB(), sha256.Size),
		sized("signature_b", op.GetSignatureB(), ed25519.SignatureSize),
	); err != nil {
		return err
	}
	if string(op.GetResultA()) == string(op.GetResultB()) {
		return wrong("result_b", "is result_a; two votes for the same are no double vote")
	}
	return nil
}

func checkPropose(op *ProposeChange) error {
	if n := len(op.GetParameter()); n < 1 || n > MaxParameter {
		return wrong("parameter", "%d characters, must be 1 to %d", n, MaxParameter)
	}
	for _, c := range []byte(op.GetParameter()) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return wrong("parameter", "names have only a-z, 0-9 and _")
		}
	}
	return nil
}

// region is empty or a name that can be part of a topic: a-z, 0-9, -, no - in front.
func region(s string) error {
	if len(s) > MaxRegion {
		return wrong("region", "%d characters, at most %d", len(s), MaxRegion)
	}
	for i, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0) {
			return wrong("region", "%q; use a-z, 0-9 and -, not beginning with -", s)
		}
	}
	return nil
}

func session(container, id []byte) error {
	return canonical.First(sized("container", container, key.Size), sized("session", id, SessionSize))
}

func money(name string, v uint64) error {
	if v == 0 || amount.Amount(v) > amount.Supply {
		return wrong(name, "%d base units, must be 1 to %d", v, uint64(amount.Supply))
	}
	return nil
}
