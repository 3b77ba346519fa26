package chain

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/framemesh/framemesh/ledger/tx"
)

// decoder decodes transactions and remembers them: on its way from the pool into a block
// one is looked at half a dozen times.
type decoder struct{ known *lru.Cache[[32]byte, *tx.Tx] }

// maxRemembered bounds the transactions that are remembered by their size, in bytes: large
// ones are rare and are decoded again.
const maxRemembered = 2 << 10

func newDecoder(size int) decoder {
	known, err := lru.New[[32]byte, *tx.Tx](max(size, 1))
	if err != nil {
		panic(err) // only for a size below 1
	}
	return decoder{known}
}

// decode is tx.Decode. The result is the caller's own; what it points to is shared and
// nobody may change it.
func (d decoder) decode(raw []byte) (*tx.Tx, [32]byte, error) {
	hash := sha256.Sum256(raw)
	if t, ok := d.known.Peek(hash); ok {
		own := *t
		return &own, hash, nil
	}
	t, err := tx.Decode(raw)
	if err == nil && len(raw) <= maxRemembered {
		kept := *t
		d.known.Add(hash, &kept)
	}
	return t, hash, err
}

// forget is for a transaction that is in a block: nobody asks for it again, and what is
// remembered costs the garbage collector work.
func (d decoder) forget(hash [32]byte) { d.known.Remove(hash) }
