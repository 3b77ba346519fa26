package container

import (
	"context"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Pay is the ledger as a container needs it that is paid. Its methods are called from
// goroutines of their own, several at a time, and may take as long as the network.
type Pay interface {
	// Chain is the id of the ledger.
	Chain() string
	// PerSecond turns a price in µUSD per hour into base units per second, with the
	// signed quotes that say so. An error means that no new session can be opened now,
	// because no fresh quotes are known. It is asked on the way of a reservation and has
	// to answer from memory.
	PerSecond(ctx context.Context, price uint64) (perSecond uint64, quotes [][]byte, err error)
	// NextBlock is closed when a newer block than now is known.
	NextBlock() <-chan struct{}
	// BlockTimeMS is the time of the newest block that is known, in ms since 1970; 0 when
	// none is.
	BlockTimeMS() uint64
	// Submit hands a player's transaction to the ledger. It returns when the transaction
	// has been taken in, or why it has not; it does not wait for a block.
	Submit(ctx context.Context, raw []byte) error
	// Escrow returns what the ledger holds for a session of this container now; the zero
	// Escrow when there is none.
	Escrow(ctx context.Context, session [16]byte) (Escrow, error)
	// Settle closes sessions of this container, at most 100 at once, and returns when
	// that is in a block or when there was nothing left to close: the vouchers may be
	// forgotten then. After an error it is asked again.
	Settle(ctx context.Context, closes []*tx.CloseSession) error
}

// Escrow is a session on the ledger.
type Escrow struct {
	Player    key.Address
	PerSecond uint64 // base units
	Seconds   uint32 // that are set aside; 0 = there is no escrow
	OpenedMS  uint64 // time of the block that opened it, unix ms
	Closing   bool   // the player wants to end it, or it expires soon: settle it
}
