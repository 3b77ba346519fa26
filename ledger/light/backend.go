package light

import (
	"context"
	"errors"
)

// Errors of a Backend, which a Server turns into a Refusal of the same meaning, and which a
// Client gives back for it.
var (
	ErrNotFound = errors.New("light: not found")                                 // no such block, transaction or height, as far as the asked know
	ErrNotFull  = errors.New("light: this peer keeps no state")                  // a light client itself; ask a full node
	ErrTooOld   = errors.New("light: pruned, too long ago")                      // the height is below what is kept
	ErrBusy     = errors.New("light: too busy, try again in a second")           // the pool is full, or too many ask
	ErrInvalid  = errors.New("light: the request breaks a rule of the protocol") // a size or a field
)

// Bounds on what goes over the wire, in bytes. A message beyond them is refused before it
// is decoded further.
const (
	MaxLightBlock = 128 << 10                            // a marshalled light block
	MaxKey        = 256                                  // a key of the state
	MaxValue      = 64 << 10                             // a value of the state
	MaxProof      = 32 << 10                             // a proof of any kind
	MaxTx         = 64 << 10                             // a signed transaction
	MaxBlockTxs   = 1 << 20                              // all transactions of a block together
	MaxText       = 512                                  // words for people
	MaxRequest    = MaxTx + 1<<10                        // a request, marshalled
	MaxResponse   = MaxBlockTxs + MaxLightBlock + 64<<10 // an answer, marshalled
)

// Backend is what a Server answers from: a full node's chain, or a Client, which has
// verified headers and nothing else. Heights count from 1. Methods are called from many
// goroutines at once and return the errors of this package where they fit; any other
// error is told to the peer as busy, without its text.
type Backend interface {
	// Head is the newest committed block; Height 0 means that there is none yet.
	Head() Summary
	// LightBlock is the marshalled tendermint.types.LightBlock of a height, 0 for the
	// newest that is complete.
	LightBlock(ctx context.Context, height uint64) ([]byte, error)
	// Value proves key in the state after block height, 0 for the newest whose root a
	// header already commits to.
	Value(ctx context.Context, key []byte, height uint64) (*Value, error)
	// Submit takes a signed transaction into the pool, or gives it to somebody who does. A
	// transaction that the ledger refuses is no error: code and text say why.
	Submit(ctx context.Context, raw []byte) (hash [32]byte, code uint32, text string, err error)
	// Tx finds a committed transaction by its hash, once the header after its block exists.
	Tx(ctx context.Context, hash [32]byte) (*TxFound, error)
	// Block is a whole block: all transactions in their order.
	Block(ctx context.Context, height uint64) (*Block, error)
}

// Summary says where a chain stands.
type Summary struct {
	Height uint64
	Hash   [32]byte // of the header
	TimeMS uint64   // of the header, milliseconds since 1970
	Full   bool     // values can be asked for, with proofs
}
