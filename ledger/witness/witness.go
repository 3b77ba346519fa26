// Package witness is what a player signs about a session: which inputs it sent, and what
// it saw of the game. A container that has these words cannot have invented an input, and
// cannot make the play look better than it was (docs/spec/work.md).
//
// It is pure: seconds come in as numbers.
package witness

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Kinds of what a player signs, as they stand in the domain.
const (
	KindInputs  = "inputs"
	KindReceipt = "receipt"
)

// Sizes and limits.
const (
	SessionSize = 16  // bytes of a session's name
	MessageSize = 72  // bytes of a message of the input data channel
	LeafSize    = 8   // bytes that stand for one message in a record
	MaxMessages = 300 // in one record; a page that sends more in a second makes two
	Pads        = 4   // local players of a page
)

// Errors of records and receipts, each a reason to refuse one.
var (
	ErrMalformed = errors.New("witness: malformed")
	ErrForged    = errors.New("witness: not signed by the player for this session and network")
)

// Session is whose words they are and of what. Everything but the words themselves is
// known to both sides, so it is signed and never sent.
type Session struct {
	Chain     string
	Container key.Node
	ID        [SessionSize]byte
	Player    [key.Size]byte // Ed25519 public key of the page
}

// Leaf stands for one message as the page sent it: the first 8 bytes of
// SHA-256("framemesh/input/1" ‖ player ‖ session ‖ message). Whoever wants another message
// to pass has to find it for this one sequence number, player and session while the second
// runs: 2⁶⁴ hashes, and tables made before are of no use.
func (s Session) Leaf(message []byte) [LeafSize]byte {
	const domain = "framemesh/input/1"
	b := make([]byte, 0, len(domain)+key.Size+SessionSize+MessageSize)
	b = append(b, domain...)
	b = append(b, s.Player[:]...)
	b = append(b, s.ID[:]...)
	b = append(b, message...)
	sum := sha256.Sum256(b)
	return [LeafSize]byte(sum[:])
}

// Seq is the sequence number of a message of the input data channel.
func Seq(message []byte) uint32 { return binary.LittleEndian.Uint32(message[4:]) }

// Inputs is a player's word on the messages that it sent: those numbered First and up, one
// leaf each, without a gap.
type Inputs struct {
	Second    uint32 // the player's clock, s since 1970, or one more than the record before
	First     uint32
	Leaves    []byte // LeafSize bytes each, 1 to MaxMessages
	Signature [ed25519.SignatureSize]byte
}

// Count is how many messages the record covers.
func (in *Inputs) Count() int { return len(in.Leaves) / LeafSize }

// Check says what is wrong with the record's form: ErrMalformed.
func (in *Inputs) Check() error {
	if n := in.Count(); n < 1 || n > MaxMessages || len(in.Leaves)%LeafSize != 0 {
		return fmt.Errorf("%w: a record of %d bytes of leaves, %d each, 1 to %d", ErrMalformed, len(in.Leaves), LeafSize, MaxMessages)
	}
	return nil
}

// Payload is what is signed: a marshalled proof.InputRec whose digest is the SHA-256 of
// the leaves.
func (in *Inputs) Payload(s Session) []byte {
	digest := sha256.Sum256(in.Leaves)
	return marshal(&proof.InputRec{Container: s.Container[:], Session: s.ID[:], Second: in.Second,
		FirstSeq: in.First, LastSeq: in.First + uint32(in.Count()) - 1, Digest: digest[:]})
}

// SignInputs makes the record of a player.
func (s Session) SignInputs(k ed25519.PrivateKey, second, first uint32, leaves []byte) (*Inputs, error) {
	in := &Inputs{Second: second, First: first, Leaves: leaves}
	if err := in.Check(); err != nil {
		return nil, err
	}
	in.Signature = [ed25519.SignatureSize]byte(key.Sign(k, s.Chain, KindInputs, in.Payload(s)))
	return in, nil
}

// Verify checks form and signature: ErrMalformed, ErrForged.
func (in *Inputs) Verify(s Session) error {
	if err := in.Check(); err != nil {
		return err
	}
	if !key.Verify(s.Player[:], s.Chain, KindInputs, in.Payload(s), in.Signature[:]) {
		return ErrForged
	}
	return nil
}

// Digest names the record where a container commits to it: the SHA-256 of its payload.
func (in *Inputs) Digest(s Session) [32]byte { return sha256.Sum256(in.Payload(s)) }

// Covers says whether the message, in the page's own numbering, is one of the record's.
func (in *Inputs) Covers(s Session, message []byte) bool {
	if len(message) != MessageSize {
		return false
	}
	at := Seq(message) - in.First // wraps as sequence numbers do
	if at >= uint32(in.Count()) {
		return false
	}
	return s.Leaf(message) == [LeafSize]byte(in.Leaves[at*LeafSize:])
}

// Receipt is a player's word on one second of play.
type Receipt struct {
	Second  uint32 // the player's clock, as in Inputs
	Frames  uint32 // shown
	Lost    uint32 // packets, of which Packets came
	Packets uint32
	P50MS   uint32 // from sending an input to hearing that the game had used it
	P95MS   uint32
	Acked   uint32 // sequence number of that input
	Stalls  uint32 // gaps of more than 250 ms between two frames
	// Seen is the frame root that the container told last; zero when it told none.
	Seen      [32]byte
	Signature [ed25519.SignatureSize]byte
}

// Payload is what is signed: a marshalled proof.Receipt.
func (r *Receipt) Payload(s Session) []byte {
	m := &proof.Receipt{Container: s.Container[:], Session: s.ID[:], Second: r.Second, FramesShown: r.Frames, Lost: r.Lost,
		P50Ms: r.P50MS, P95Ms: r.P95MS, AckedSeq: r.Acked, Stalls: r.Stalls, Packets: r.Packets}
	if r.Seen != ([32]byte{}) {
		m.FramesSeen = r.Seen[:]
	}
	return marshal(m)
}

// SignReceipt puts the player's signature to a receipt.
func (s Session) SignReceipt(k ed25519.PrivateKey, r *Receipt) {
	r.Signature = [ed25519.SignatureSize]byte(key.Sign(k, s.Chain, KindReceipt, r.Payload(s)))
}

// Most that a receipt of one second may say of itself.
const (
	maxFrames  = 1000
	maxPackets = 1 << 20
	maxMS      = 60_000
)

// Verify checks figures and signature: ErrMalformed, ErrForged.
func (r *Receipt) Verify(s Session) error {
	if r.Frames > maxFrames || r.Lost > maxPackets || r.Packets > maxPackets || r.P50MS > r.P95MS || r.P95MS > maxMS || r.Stalls > maxFrames {
		return fmt.Errorf("%w: a receipt with figures that no second has", ErrMalformed)
	}
	if !key.Verify(s.Player[:], s.Chain, KindReceipt, r.Payload(s), r.Signature[:]) {
		return ErrForged
	}
	return nil
}

// marshal writes fields in the order of their numbers and leaves out those that have
// their default: the one form that a page writes too.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil { // only for text that is no UTF-8, and there is none
		panic("witness: " + err.Error())
	}
	return b
}
