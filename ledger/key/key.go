// Package key names who acts on the ledger: accounts and nodes, both Ed25519 public
// keys, and what exactly is signed. Texts carry a checksum, so that a mistyped address is
// refused instead of paid.
package key

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Size is the length of every key in bytes.
const Size = 32

// Prefix opens the text of an account.
const Prefix = "frm"

// Kinds of what is signed, as they stand in the domain.
const (
	KindTx          = "tx"
	KindNode        = "node-owner"
	KindVoucher     = "voucher"
	KindQuote       = "quote"
	KindCertificate = "certificate"
	KindStatement   = "statement"
	KindConsensus   = "consensus-key" // a consensus key says whose it is
	KindVRF         = "vrf-key"       // the input of the proof by which a VRF key says so
)

// Errors of the parsers.
var (
	ErrAddress = errors.New("key: no account address")
	ErrNode    = errors.New("key: no node id")
)

// Address is an account: its Ed25519 public key.
type Address [Size]byte

// Node is a node key: the Ed25519 public key of a libp2p identity.
type Node [Size]byte

// String is the bech32m text, frm1….
func (a Address) String() string { return bech32m(&a) }

// ParseAddress reads what String wrote. It wraps ErrAddress.
func ParseAddress(s string) (a Address, err error) {
	if len(s) > 90 {
		return a, fmt.Errorf("%w: %d characters; an address starts with %s1 and has 62", ErrAddress, len(s), Prefix)
	}
	hrp, data, version, err := bech32.DecodeGeneric(s)
	if errors.As(err, new(bech32.ErrInvalidChecksum)) {
		// The library names the checksum that would fit: nobody should be led to pay whoever
		// a mistyped address with a mended checksum would be.
		return a, fmt.Errorf("%w: %q is mistyped or cut off (its checksum does not fit); copy it again", ErrAddress, s)
	}
	if err != nil {
		return a, fmt.Errorf("%w: %q is mistyped or cut off (%w); copy it again", ErrAddress, s, err)
	}
	raw, err := bech32.ConvertBits(data, 5, 8, false)
	if err != nil || hrp != Prefix || version != bech32.VersionM || len(raw) != Size {
		return a, fmt.Errorf("%w: %q; an address starts with %s1 and has 62 characters", ErrAddress, s, Prefix)
	}
	return Address(raw), nil
}

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(b []byte) (err error) { *a, err = ParseAddress(string(b)); return err }

// Peer is the libp2p id of the node.
func (n Node) Peer() (peer.ID, error) {
	pub, err := crypto.UnmarshalEd25519PublicKey(n[:])
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNode, err)
	}
	return peer.IDFromPublicKey(pub)
}

// String is the peer id, 12D3KooW….
func (n Node) String() string {
	id, err := n.Peer()
	if err != nil {
		return fmt.Sprintf("%x", n[:])
	}
	return id.String()
}

// NodeOf takes the key out of a libp2p id. It wraps ErrNode for ids that do not hold an
// Ed25519 key.
func NodeOf(id peer.ID) (n Node, err error) {
	pub, err := id.ExtractPublicKey()
	if err != nil {
		return n, fmt.Errorf("%w: %s: %w", ErrNode, id, err)
	}
	raw, err := pub.Raw()
	if err != nil || len(raw) != Size || pub.Type() != crypto.Ed25519 {
		return n, fmt.Errorf("%w: %s is not an Ed25519 key", ErrNode, id)
	}
	return Node(raw), nil
}

// ParseNode reads a peer id. It wraps ErrNode.
func ParseNode(s string) (Node, error) {
	id, err := peer.Decode(s)
	if err != nil { // what the parts of an id are called helps nobody who mistyped one
		return Node{}, fmt.Errorf("%w: %q; an id starts with 12D3KooW and has 52 characters", ErrNode, s)
	}
	return NodeOf(id)
}

// MarshalText implements encoding.TextMarshaler.
func (n Node) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Node) UnmarshalText(b []byte) (err error) { *n, err = ParseNode(string(b)); return err }

// SignBytes is what is signed: the length of the domain framemesh/<chain>/<kind>/1 as an
// unsigned varint, the domain, the payload.
func SignBytes(chain, kind string, payload []byte) []byte {
	domain := "framemesh/" + chain + "/" + kind + "/1"
	out := binary.AppendUvarint(make([]byte, 0, 2+len(domain)+len(payload)), uint64(len(domain)))
	out = append(out, domain...)
	return append(out, payload...)
}

// Sign signs payload for one chain and one kind of message.
func Sign(k ed25519.PrivateKey, chain, kind string, payload []byte) []byte {
	return ed25519.Sign(k, SignBytes(chain, kind, payload))
}
