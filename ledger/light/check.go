package light

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/store/proof"
)

// ErrProof means that an answer does not prove what it says. Who sent it is lying or
// broken.
var ErrProof = errors.New("light: the proof does not hold")

// Proven is a value with where it stood.
type Proven struct {
	Value  []byte // nil = proven to be absent
	Height uint64 // the state after this block
	Proof  []byte // marshalled ics23.CommitmentProof
}

// CheckValue checks an answer to a question for key in the state after block height
// against next, the verified header of height+1. It wraps ErrProof.
func CheckValue(v *Value, key []byte, height uint64, next *types.Header) (Proven, error) {
	switch {
	case uint64(next.Height) != height+1:
		return Proven{}, fmt.Errorf("light: header %d does not commit to the state of block %d", next.Height, height)
	case v.GetHeight() != height:
		return Proven{}, fmt.Errorf("%w: asked for the state of block %d, got that of %d", ErrProof, height, v.GetHeight())
	case len(v.GetValue()) > MaxValue || len(v.GetProof()) > MaxProof:
		return Proven{}, fmt.Errorf("%w: a value of %d and a proof of %d bytes; at most %d and %d",
			ErrProof, len(v.GetValue()), len(v.GetProof()), MaxValue, MaxProof)
	case !v.GetExists() && len(v.GetValue()) > 0:
		return Proven{}, fmt.Errorf("%w: a value that it says is absent", ErrProof)
	}
	out := Proven{Height: height, Proof: v.GetProof()}
	if v.GetExists() {
		out.Value = append([]byte{}, v.GetValue()...)
	}
	if err := proof.Verify(next.AppHash, key, out.Value, v.GetProof()); err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return out, nil
}

// Inclusion is a transaction that is proven to be in a block, with what became of it.
type Inclusion struct {
	Height uint64
	Index  uint32 // in the block
	Tx     []byte
	Code   uint32 // 0 = it took effect; else why not, see ledger/state
	Text   string // in words, proven by nothing
}

// CheckTx checks an answer to a question for a transaction against the verified header of
// its block and the one after. It wraps ErrProof.
func CheckTx(f *TxFound, hash [32]byte, header, next *types.Header) (Inclusion, error) {
	switch {
	case uint64(header.Height) != f.GetHeight() || next.Height != header.Height+1:
		return Inclusion{}, fmt.Errorf("light: headers %d and %d do not belong to a transaction of block %d", header.Height, next.Height, f.GetHeight())
	case len(f.GetTx()) > MaxTx || len(f.GetResult()) > MaxProof:
		return Inclusion{}, fmt.Errorf("%w: a transaction of %d and a result of %d bytes", ErrProof, len(f.GetTx()), len(f.GetResult()))
	case sha256.Sum256(f.GetTx()) != hash:
		return Inclusion{}, fmt.Errorf("%w: another transaction", ErrProof)
	}
	leaf := sha256.Sum256(f.GetTx())
	if err := checkLeaf(f.GetProof(), f.GetIndex(), header.DataHash, leaf[:]); err != nil {
		return Inclusion{}, fmt.Errorf("%w: of the transaction: %w", ErrProof, err)
	}
	if err := checkLeaf(f.GetResultProof(), f.GetIndex(), next.LastResultsHash, f.GetResult()); err != nil {
		return Inclusion{}, fmt.Errorf("%w: of the result: %w", ErrProof, err)
	}
	var r abci.ExecTxResult
	if err := r.Unmarshal(f.GetResult()); err != nil {
		return Inclusion{}, fmt.Errorf("%w: of the result: %w", ErrProof, err)
	}
	return Inclusion{Height: f.GetHeight(), Index: f.GetIndex(), Tx: f.GetTx(), Code: r.Code, Text: clip(f.GetLog())}, nil
}

// checkLeaf checks that leaf is the one numbered index under root.
func checkLeaf(raw []byte, index uint32, root, leaf []byte) error {
	if len(raw) == 0 || len(raw) > MaxProof {
		return fmt.Errorf("%d bytes, not 1 to %d", len(raw), MaxProof)
	}
	var pb cmtcrypto.Proof
	if err := pb.Unmarshal(raw); err != nil {
		return err
	}
	p, err := merkle.ProofFromProto(&pb)
	if err != nil {
		return err
	}
	if p.Index != int64(index) || p.Total <= p.Index || p.Total > MaxBlockTxs {
		return fmt.Errorf("it is for number %d of %d, not %d", p.Index, p.Total, index)
	}
	if len(root) != sha256.Size {
		return errors.New("the block has none")
	}
	return p.Verify(root, leaf)
}

// Contents is a block whose transactions are proven complete and in order.
type Contents struct {
	Header *types.Header
	Txs    [][]byte
}

// CheckBlock checks an answer to a question for a block against its verified header. It
// wraps ErrProof.
func CheckBlock(b *Block, header *types.Header) (Contents, error) {
	if uint64(header.Height) != b.GetHeight() {
		return Contents{}, fmt.Errorf("%w: asked for block %d, got %d", ErrProof, header.Height, b.GetHeight())
	}
	size := 0
	for _, tx := range b.GetTxs() {
		if size += len(tx); size > MaxBlockTxs {
			return Contents{}, fmt.Errorf("%w: more than %d bytes of transactions", ErrProof, MaxBlockTxs)
		}
	}
	if !bytes.Equal(types.ToTxs(b.GetTxs()).Hash(), header.DataHash) {
		return Contents{}, fmt.Errorf("%w: other transactions than those of block %d", ErrProof, header.Height)
	}
	return Contents{Header: header, Txs: b.GetTxs()}, nil
}

// clip bounds words from a peer.
func clip(s string) string {
	if len(s) > MaxText {
		return s[:MaxText]
	}
	return s
}
