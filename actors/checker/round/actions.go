package round

import (
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Action is something to be carried out: Publish, Ask, Verify, Submit, Ballot, Fraud or Wake.
// The order of actions that one call returns does not matter.
type Action interface{ action() }

// Publish gossips a statement of this checker to all checkers.
type Publish struct {
	Batch  uint32 // whose topic; 0 for nonces
	Opened *proof.Opened
}

// Ask brings a question to a container. Its answer comes back as Opened, its silence as
// Failed: an Ask that failed is asked again while there is time.
type Ask struct {
	Container key.Node
	Commit    [32]byte // digest of the commitment that the tiles are of
	Picks     []proof.Pick
}

// Verify wants Job.Run called off this goroutine, at low priority; what it returns comes
// back as Verified.
type Verify struct{ Job *Job }

// Submit brings a certificate to the ledger, again until it is there or another one is.
type Submit struct {
	Batch       uint32
	Certificate *tx.VoteCertificate
}

// Ballot is to be kept and shown to whoever asks: the votes behind a result that this checker
// attests, so that anybody can count them again.
type Ballot struct {
	Batch  uint32
	Result [32]byte // SHA-256 of the result, by which the ledger's certificate names it
	File   []byte   // a proof file
}

// Fraud brings a proof that somebody cheated to the ledger: a container's wrong tile,
// broken path or second commitment, a checker's second vote or made-up work.
type Fraud struct {
	Accused key.Node
	Proof   *tx.FraudProof
	File    []byte // the proof file, which stands for itself
}

// Wake asks for At at this moment.
type Wake struct{ AtMS uint64 }

func (Publish) action() {}
func (Ask) action()     {}
func (Verify) action()  {}
func (Submit) action()  {}
func (Ballot) action()  {}
func (Fraud) action()   {}
func (Wake) action()    {}
