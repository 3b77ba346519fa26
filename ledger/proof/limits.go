package proof

import "errors"

// Limits of what statements may say. Sizes are in bytes of the marshalled Statement.
const (
	MaxOpenings  = 40 << 10 // of Openings
	MaxVote      = 8 << 10  // of a Vote
	MaxStatement = 4 << 10  // of every other statement but AuditData
	MaxAudit     = 16 << 20 // of AuditData
	MaxRecord    = 4 << 10  // of what a player signs each second
	MaxEvidence  = 40 << 10 // of a fraud proof's evidence
	MaxFile      = 32 << 20 // of a proof file

	MaxBatch    = 32      // containers in a batch
	MaxMembers  = 43      // of the widest committee, an appeal's with N = 10
	MaxFrames   = 512     // that a commit may count: their roots must fit into Openings
	MaxTiles    = 128     // openings of one checker
	MaxSiblings = 16      // of a path: frames of at most 65,536 tiles
	MaxSamples  = 1 << 53 // of a commit
	MaxScore    = 1 << 32 // milli-RP of a round: four million of the reference machine
	MaxBackend  = 64      // of the renderer's name
	MaxDevice   = 128     // of the device's name
	MaxExit     = 64      // of why a session ended
	MaxWindow   = 10      // seconds that one audit asks for
	MaxAfter    = 600     // commitments from an audited window to the second that the container named
	MaxTimeMS   = 1 << 30 // of a measured time: twelve days
	MaxPings    = 1 << 16 // in an epoch
	MaxTicks    = 1 << 20 // in a second
	MaxRate     = 1 << 20 // frames per second, in thousandths
	SessionSize = 16      // of a session's name
	PPM         = 1_000_000
)

// Kernels that a commit may name.
const KernelRP1 = "rp-1"

// Errors of this package. They say that a message is not one, never that its sender is
// guilty of anything.
var (
	// ErrMalformed is a message in another form than the specification's; the text names
	// the field.
	ErrMalformed = errors.New("proof: malformed")
	// ErrTooLarge is a message over the limit of its kind.
	ErrTooLarge = errors.New("proof: too large")
	// ErrSignature is a signature that is not the signer's for this network.
	ErrSignature = errors.New("proof: wrong signature")
	// ErrForeign is a message of another network.
	ErrForeign = errors.New("proof: of another network")
	// ErrEpoch is a message about another epoch than the one in question.
	ErrEpoch = errors.New("proof: of another epoch")
	// ErrKind is a statement of another kind than the one in question.
	ErrKind = errors.New("proof: another kind of statement")
)
