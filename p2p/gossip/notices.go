package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Bounds of what goes over the ledger's topic.
const (
	MaxNotice = 1 << 10          // bytes of a notice's body
	NoticeTTL = 60 * time.Second // that a notice is passed on
	// NoticeEvery is how often one peer may speak in the long run: blocks come every half a
	// second on fast networks, and each is news.
	NoticeEvery = 200 * time.Millisecond
	maxWrapped  = MaxNotice + 512 // with its envelope
)

// LedgerTopic is the topic of a network's ledger: new heads and prices.
func LedgerTopic(network string) string { return "/framemesh/" + network + "/ledger/1" }

// OpenNotice verifies a sealed notice of a network. What its body says is the
// subscriber's to check. Errors wrap seal's or ErrContent.
func OpenNotice(network string, sealed []byte) (*wire.LedgerNotice, error) {
	n := new(wire.LedgerNotice)
	signer, err := seal.Open(network, seal.TypeLedger, sealed, maxWrapped, n)
	if err != nil {
		return nil, err
	}
	switch {
	case !bytes.Equal(n.GetPeerId(), []byte(signer)):
		return nil, fmt.Errorf("%w: signed by another than the peer it names", ErrContent)
	case len(n.GetBody()) == 0 || len(n.GetBody()) > MaxNotice:
		return nil, fmt.Errorf("%w: a body of %d bytes, not 1 to %d", ErrContent, len(n.GetBody()), MaxNotice)
	}
	return n, nil
}

// Notices is the ledger's topic as this node takes part in it.
type Notices struct {
	t       *Topic
	network string
	key     crypto.PrivKey
	id      peer.ID
}

// Notices joins the ledger's topic; key signs what this node publishes.
func (g *Gossip) Notices(key crypto.PrivKey) (*Notices, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	network := g.cfg.Network
	t, err := g.Join(LedgerTopic(network), Spec{MaxSize: maxWrapped, MaxTTL: NoticeTTL, Every: NoticeEvery, FewStrangers: true, Open: func(data []byte) (Statement, error) {
		n, err := OpenNotice(network, data)
		if err != nil {
			return Statement{}, err
		}
		return Statement{Signer: peer.ID(n.GetPeerId()), Seq: n.GetSeq(), ExpiresMs: n.GetExpiresMs(), Body: n}, nil
	}})
	if err != nil {
		return nil, err
	}
	return &Notices{t: t, network: network, key: key, id: id}, nil
}

// ErrNotice: the body is empty or over MaxNotice.
var ErrNotice = errors.New("gossip: notice of no or too many bytes")

// Publish spreads a body of at most MaxNotice bytes. Errors are ErrNotice and
// Topic.Publish's.
func (n *Notices) Publish(ctx context.Context, body []byte) error {
	if len(body) == 0 || len(body) > MaxNotice {
		return ErrNotice
	}
	now := uint64(n.t.g.cfg.Now().UnixMilli())
	sealed, err := seal.Seal(n.network, seal.TypeLedger, &wire.LedgerNotice{PeerId: []byte(n.id), Seq: now,
		ExpiresMs: now + uint64(NoticeTTL.Milliseconds()), Body: body}, n.key)
	if err != nil {
		return err
	}
	return n.t.Publish(ctx, sealed)
}

// Subscribe calls handle for each new notice of another peer, one at a time until ctx
// ends or the gossip is closed. body may not be changed.
func (n *Notices) Subscribe(ctx context.Context, handle func(from peer.ID, body []byte)) error {
	return n.t.Subscribe(ctx, func(m Message) {
		if w, ok := m.Body.(*wire.LedgerNotice); ok && m.Signer != n.id {
			handle(m.Signer, w.GetBody())
		}
	})
}

// OnJoin calls handle with each peer that joins the topic, until ctx ends.
func (n *Notices) OnJoin(ctx context.Context, handle func(peer.ID)) error {
	return n.t.OnJoin(ctx, handle)
}
