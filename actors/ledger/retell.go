package ledger

import (
	"context"

	"github.com/framemesh/framemesh/ledger/light"
)

// Retell spreads an oracle's newest quote again: for peers that joined the topic after it
// went out, who would otherwise have no price until the next one. It does nothing on a node
// that is no oracle or has not quoted yet.
func (l *Ledger) Retell(ctx context.Context) error {
	if l.o.Oracle == nil {
		return nil
	}
	q, ok := l.quotes.of(Signer{Key: l.o.Oracle.Key}.Address())
	if !ok {
		return nil
	}
	body, err := light.EncodeQuote(q.Encode())
	if err != nil {
		return err
	}
	return l.publish(ctx, body)
}
