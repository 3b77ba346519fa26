// Package seal signs and opens the messages that peers hold each other to. A
// sealed message is a libp2p record envelope: the signer's public key, a payload
// type, the exact payload bytes and a signature over all of them and a domain
// string that names the network and the message type, so that a signature made for
// one network or one purpose means nothing in another.
//
// What is verified is always the bytes that came, never a message marshalled again:
// protobuf has more than one encoding of the same message. The package keeps no
// state, knows no clock and does not judge what a message says; expiry, sequence and
// "is the signer the one the message names" belong to the callers.
package seal

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	cryptopb "github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	recordpb "github.com/libp2p/go-libp2p/core/record/pb"
	"google.golang.org/protobuf/proto"
)

// The sealed message types of version 1. The type is part of the domain string, so
// two types never share a signature.
const (
	TypeNode   = "node"   // wire.NodeRecord
	TypeAd     = "ad"     // wire.Ad
	TypeMatch  = "match"  // wire.Certificate
	TypeAnswer = "answer" // wire.AnswerProof
	TypeLedger = "ledger" // wire.LedgerNotice
	// TypeAccount is of a question to an indexer by a container that asks from another peer.
	TypeAccount = "account" // wire.AccountQuestion
)

// MaxName is the longest network or type name, in bytes.
const MaxName = 64

// Errors that Seal and Open return, wrapped with what was being done.
var (
	// ErrTooLarge: the envelope is longer than the caller's limit. Nothing was parsed.
	ErrTooLarge = errors.New("seal: envelope is too large")
	// ErrDecode: the bytes are not an envelope, or its payload is not the message asked for.
	ErrDecode = errors.New("seal: envelope does not decode")
	// ErrKey: the signer's key is not an Ed25519 key.
	ErrKey = errors.New("seal: key is not Ed25519")
	// ErrType: the envelope holds a message of another type.
	ErrType = errors.New("seal: envelope holds another message type")
	// ErrSignature: the signature is wrong, or was made for another network or type.
	ErrSignature = errors.New("seal: signature does not verify")
	// ErrDomain: the network or type name cannot form a domain string.
	ErrDomain = errors.New("seal: network and type names are 1 to 64 of a-z, 0-9, '.', '_', '-'")
)

// Domain returns the string that a signature is bound to: framemesh/<network>/<typ>/1.
func Domain(network, typ string) (string, error) {
	if !validName(network) {
		return "", fmt.Errorf("%w: network %.80q", ErrDomain, network)
	}
	if !validName(typ) {
		return "", fmt.Errorf("%w: type %.80q", ErrDomain, typ)
	}
	return "framemesh/" + network + "/" + typ + "/1", nil
}

// PayloadType returns the payload type of an envelope: /framemesh/<typ>/1.
func PayloadType(typ string) string { return "/framemesh/" + typ + "/1" }

// validName keeps '/' out of names, so that no two (network, type) pairs give the
// same domain string.
func validName(s string) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// Seal marshals msg, signs it with key for the given network and message type and
// returns the marshalled envelope. It returns ErrKey unless key is Ed25519 and
// ErrDomain when a name is not allowed.
func Seal(network, typ string, msg proto.Message, key crypto.PrivKey) ([]byte, error) {
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		return nil, fmt.Errorf("seal: marshal %s: %w", typ, err)
	}
	return SealPayload(network, typ, payload, key)
}

// SealPayload is Seal for a payload that is already marshalled; the envelope holds
// exactly these bytes.
func SealPayload(network, typ string, payload []byte, key crypto.PrivKey) ([]byte, error) {
	domain, err := Domain(network, typ)
	if err != nil {
		return nil, err
	}
	if key == nil || key.Type() != cryptopb.KeyType_Ed25519 {
		return nil, fmt.Errorf("%w: sign %s", ErrKey, typ)
	}
	env, err := record.Seal(&payloadRecord{domain: domain, codec: PayloadType(typ), payload: payload}, key)
	if err != nil {
		return nil, fmt.Errorf("seal: sign %s: %w", typ, err)
	}
	out, err := env.Marshal()
	if err != nil {
		return nil, fmt.Errorf("seal: marshal envelope of %s: %w", typ, err)
	}
	return out, nil
}

// Open verifies an envelope of at most maxSize bytes for the given network and
// message type, unmarshals its payload into the message and returns the signer.
// Fields of the payload that this version does not know are kept, so that a message
// of a later version still verifies. into is undefined after an error.
//
// The order of checks is: names (ErrDomain), size (ErrTooLarge), envelope
// (ErrDecode), key (ErrKey), type (ErrType), signature (ErrSignature), payload
// (ErrDecode).
func Open(network, typ string, envelope []byte, maxSize int, into proto.Message) (peer.ID, error) {
	signer, payload, err := OpenPayload(network, typ, envelope, maxSize)
	if err != nil {
		return "", err
	}
	if err := proto.Unmarshal(payload, into); err != nil {
		return "", fmt.Errorf("%w: payload of %s: %v", ErrDecode, typ, err)
	}
	return signer, nil
}

// OpenPayload is Open without unmarshalling: it returns the signer and the exact
// payload bytes that were signed. The payload does not alias envelope.
func OpenPayload(network, typ string, envelope []byte, maxSize int) (peer.ID, []byte, error) {
	domain, err := Domain(network, typ)
	if err != nil {
		return "", nil, err
	}
	if len(envelope) > maxSize {
		return "", nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(envelope), maxSize)
	}
	env, err := parse(envelope)
	if err != nil {
		return "", nil, err
	}
	if string(env.GetPayloadType()) != PayloadType(typ) {
		return "", nil, fmt.Errorf("%w: %.80q, not %q", ErrType, env.GetPayloadType(), PayloadType(typ))
	}
	rec := &payloadRecord{domain: domain, codec: PayloadType(typ)}
	opened, err := record.ConsumeTypedEnvelope(envelope, rec)
	if err != nil {
		return "", nil, fmt.Errorf("%w as %s: %v", ErrSignature, domain, err)
	}
	signer, err := peer.IDFromPublicKey(opened.PublicKey)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	return signer, rec.payload, nil
}

// Payload returns the payload bytes of an envelope WITHOUT verifying the signature.
// It is for messages that were opened before and are kept sealed.
func Payload(envelope []byte) ([]byte, error) {
	env, err := parse(envelope)
	if err != nil {
		return nil, err
	}
	return env.GetPayload(), nil
}

// parse decodes an envelope and refuses, before any cryptography, what could never
// verify: foreign key types, signatures of the wrong length, fields the format does
// not have (they would let anyone make new bytes of a message that still verify).
func parse(envelope []byte) (*recordpb.Envelope, error) {
	var env recordpb.Envelope
	if err := proto.Unmarshal(envelope, &env); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDecode, err)
	}
	if len(env.ProtoReflect().GetUnknown()) > 0 || len(env.GetPublicKey().ProtoReflect().GetUnknown()) > 0 {
		return nil, fmt.Errorf("%w: unknown fields", ErrDecode)
	}
	if env.GetPublicKey() == nil || env.GetPublicKey().GetType() != cryptopb.KeyType_Ed25519 ||
		len(env.GetPublicKey().GetData()) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	if len(env.GetSignature()) != ed25519.SignatureSize {
		return nil, fmt.Errorf("%w: %d bytes long, not %d", ErrSignature, len(env.GetSignature()), ed25519.SignatureSize)
	}
	return &env, nil
}

// payloadRecord lets core/record carry a payload that is already bytes.
type payloadRecord struct {
	domain, codec string
	payload       []byte
}

var _ record.Record = (*payloadRecord)(nil)

func (r *payloadRecord) Domain() string                 { return r.domain }
func (r *payloadRecord) Codec() []byte                  { return []byte(r.codec) }
func (r *payloadRecord) MarshalRecord() ([]byte, error) { return r.payload, nil }
func (r *payloadRecord) UnmarshalRecord(b []byte) error { r.payload = b; return nil }
