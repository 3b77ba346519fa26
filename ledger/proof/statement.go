package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/key"
)

// Kind says which statement it is: the number of its field in Statement.
type Kind uint8

// Kinds of statements.
const (
	KindNonceCommit  Kind = 1
	KindNonce        Kind = 2
	KindCapCommit    Kind = 3
	KindOpenings     Kind = 4
	KindVoteCommit   Kind = 5
	KindVote         Kind = 6
	KindDraft        Kind = 7
	KindSegCommit    Kind = 8
	KindPong         Kind = 9
	KindAuditData    Kind = 10
	KindQuality      Kind = 11
	KindAuditRequest Kind = 12
	KindWatch        Kind = 13
)

var kindNames = [...]string{
	"", "nonce_commit", "nonce", "commit", "openings", "vote_commit", "vote", "draft", "segment", "pong",
	"audit", "quality", "audit_request", "watch",
}

// String names the kind as its field is named in the .proto file; "" for a number that is
// none.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return ""
	}
	return kindNames[k]
}

// Limit is how large a Statement of this kind may be, in bytes; 0 for a kind that is none.
func (k Kind) Limit() int {
	switch k {
	case KindOpenings:
		return MaxOpenings
	case KindVote:
		return MaxVote
	case KindAuditData:
		return MaxAudit
	}
	if k.String() == "" {
		return 0
	}
	return MaxStatement
}

// overhead is what Signed adds to a statement: a signer, a signature, three tags and lengths.
const overhead = 2 + 5 + 2 + key.Size + 2 + ed25519.SignatureSize

// mostOf bounds each repeated field.
var mostOf = map[string]int{
	"Openings.roots": MaxFrames, "Openings.items": MaxTiles, "siblings": MaxSiblings, "findings": MaxBatch,
	"Draft.votes": MaxMembers, "entries": MaxBatch, "AuditData.segments": MaxWindow + 1, "AuditData.inputs": 8 * MaxWindow, "AuditData.after": MaxAfter,
	"containers": MaxBatch, "members": MaxMembers, "Ballot.votes": MaxMembers * 2, "proven": MaxBatch, "refuted": MaxMembers,
	"Second.segments": 2, "Second.inputs": 16,
}

// The shapes are read at first use: the descriptors stand only once the package is up.
var (
	shapeSigned    = shapeOf(func() proto.Message { return new(Signed) })
	shapeStatement = shapeOf(func() proto.Message { return new(Statement) })
)

func shapeOf(m func() proto.Message) func() *canonical.Shape {
	return sync.OnceValue(func() *canonical.Shape {
		return canonical.ShapeOf(m().ProtoReflect().Descriptor(), mostOf)
	})
}

// Opened is a statement as it came, decoded and held to the limits. Open and Sign make it;
// nothing in it is to be changed.
type Opened struct {
	Statement *Statement
	Signer    key.Node
	Digest    [32]byte // SHA-256 of the statement's bytes: how others refer to it
	Signed    *Signed  // as it came; its fields refer to Raw
	Raw       []byte   // marshalled Signed
}

// Decode reads a marshalled Signed. It checks size, encoding and the limits of every field,
// but not the signature; messages inside are opaque to it. It wraps ErrMalformed or
// ErrTooLarge. The result keeps raw and refers to it.
func Decode(raw []byte) (*Opened, error) {
	if len(raw) > MaxAudit+overhead {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), MaxAudit+overhead)
	}
	if err := shapeSigned().Check(raw); err != nil {
		return nil, malformed(err)
	}
	var s Signed
	if err := unmarshal(raw, &s); err != nil {
		return nil, err
	}
	return open(&s, raw)
}

// Open is Decode and Verify for one chain: what a node does with a message of another.
func Open(chain string, raw []byte) (*Opened, error) {
	o, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	return o, o.Verify(chain)
}

// OpenSigned is Open for a Signed that came inside another message.
func OpenSigned(chain string, s *Signed) (*Opened, error) {
	raw, err := canonical.Append(nil, s.ProtoReflect())
	if err != nil {
		return nil, malformed(err)
	}
	return Open(chain, raw)
}

func open(s *Signed, raw []byte) (*Opened, error) {
	if err := canonical.First(
		sized("signer", s.GetSigner(), key.Size),
		sized("signature", s.GetSignature(), ed25519.SignatureSize),
	); err != nil {
		return nil, err
	}
	st, err := decodeStatement(s.GetStatement())
	if err != nil {
		return nil, err
	}
	if v := st.GetVote(); v != nil && !bytes.Equal(v.GetChecker(), s.GetSigner()) {
		return nil, wrong("checker", "is not the signer; a vote belongs to who casts it")
	}
	return &Opened{
		Statement: st, Signer: key.Node(s.GetSigner()), Digest: sha256.Sum256(s.GetStatement()), Signed: s, Raw: raw,
	}, nil
}

// decodeStatement reads the bytes that are signed. What kind it is, and so how large it may
// be, stands in the first byte, so nothing is allocated for what is too large.
func decodeStatement(b []byte) (*Statement, error) {
	num, _, n := protowire.ConsumeTag(b)
	if n < 0 || num > protowire.Number(len(kindNames)) || Kind(num).Limit() == 0 {
		return nil, fmt.Errorf("%w: statement: says nothing that is known; the sender may be newer, or it is junk", ErrMalformed)
	}
	kind := Kind(num)
	if len(b) > kind.Limit() {
		return nil, fmt.Errorf("%w: %s: %d bytes, at most %d", ErrTooLarge, kind, len(b), kind.Limit())
	}
	if err := shapeStatement().Check(b); err != nil {
		return nil, malformed(err)
	}
	st := new(Statement)
	if err := unmarshal(b, st); err != nil {
		return nil, err
	}
	if err := check(st); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return st, nil
}

// Verify checks the signature for one chain. It wraps ErrSignature.
func (o *Opened) Verify(chain string) error {
	if !key.Verify(o.Signer[:], chain, key.KindStatement, o.Signed.GetStatement(), o.Signed.GetSignature()) {
		return fmt.Errorf("%w: not by %s for the network %s; it was changed, or made for another network", ErrSignature, o.Signer, chain)
	}
	return nil
}

// Sign makes the statement that st says, for one chain, and opens it: what it returns is
// what every other node will see. Limits are checked here, where whoever made the mistake
// can mend it.
func Sign(chain string, k ed25519.PrivateKey, st *Statement) (*Opened, error) {
	if len(k) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: a private key has %d bytes, not %d", ErrMalformed, ed25519.PrivateKeySize, len(k))
	}
	return SignWith(key.Node(k[ed25519.SeedSize:]), st, func(statement []byte) ([]byte, error) {
		return key.Sign(k, chain, key.KindStatement, statement), nil
	})
}

// SignWith is Sign for a key that is elsewhere: sign returns the signature of kind
// key.KindStatement over the statement's bytes. The caller vouches for it; nothing is
// verified here.
func SignWith(signer key.Node, st *Statement, sign func(statement []byte) ([]byte, error)) (*Opened, error) {
	if v := st.GetVote(); v != nil && len(v.GetChecker()) == 0 {
		v.Checker = append([]byte(nil), signer[:]...)
	}
	b, err := encode(st)
	if err != nil {
		return nil, err
	}
	if _, err := decodeStatement(b); err != nil {
		return nil, err
	}
	signature, err := sign(b)
	if err != nil {
		return nil, fmt.Errorf("proof: signing: %w", err)
	}
	raw, err := encode(&Signed{Statement: b, Signer: signer[:], Signature: signature})
	if err != nil {
		return nil, err
	}
	return Decode(raw)
}

// Kind is which statement it is.
func (o *Opened) Kind() Kind { return kindOf(o.Statement) }

func kindOf(st *Statement) Kind {
	m := st.ProtoReflect()
	if fd := m.WhichOneof(m.Descriptor().Oneofs().Get(0)); fd != nil {
		return Kind(fd.Number())
	}
	return 0
}

// Epoch is which epoch the statement is about; ok is false for those that are about none:
// SegCommit, AuditData and Quality.
func (o *Opened) Epoch() (epoch uint64, ok bool) {
	switch s := o.Statement.GetSays().(type) {
	case *Statement_NonceCommit:
		return s.NonceCommit.GetEpoch(), true
	case *Statement_Nonce:
		return s.Nonce.GetEpoch(), true
	case *Statement_Commit:
		return s.Commit.GetEpoch(), true
	case *Statement_Openings:
		return s.Openings.GetEpoch(), true
	case *Statement_VoteCommit:
		return s.VoteCommit.GetEpoch(), true
	case *Statement_Vote:
		return s.Vote.GetEpoch(), true
	case *Statement_Draft:
		return s.Draft.GetEpoch(), true
	case *Statement_Pong:
		return s.Pong.GetEpoch(), true
	case *Statement_AuditRequest:
		return s.AuditRequest.GetEpoch(), true
	case *Statement_Watch:
		return s.Watch.GetEpoch(), true
	}
	return 0, false
}

// Of says whether the statement is of this kind and about this epoch: ErrKind or ErrEpoch
// where it is not.
func (o *Opened) Of(kind Kind, epoch uint64) error {
	if k := o.Kind(); k != kind {
		return fmt.Errorf("%w: a %s where a %s belongs", ErrKind, k, kind)
	}
	if e, ok := o.Epoch(); ok && e != epoch {
		return fmt.Errorf("%w: %d, not %d; compare the clocks of the two nodes", ErrEpoch, e, epoch)
	}
	return nil
}

// encode writes the one encoding of a message.
func encode(m protoreflect.ProtoMessage) ([]byte, error) {
	b, err := canonical.Append(nil, m.ProtoReflect())
	if err != nil {
		return nil, malformed(err)
	}
	return b, nil
}

// decode reads the one encoding of a message.
func decode(b []byte, s *canonical.Shape, m proto.Message) error {
	if err := s.Check(b); err != nil {
		return malformed(err)
	}
	return unmarshal(b, m)
}

func unmarshal(b []byte, m proto.Message) error {
	if err := (proto.UnmarshalOptions{RecursionLimit: 8}).Unmarshal(b, m); err != nil {
		return malformed(err)
	}
	return nil
}

func malformed(err error) error {
	if errors.Is(err, ErrMalformed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}
