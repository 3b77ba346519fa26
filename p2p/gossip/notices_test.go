package gossip

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

func sealNotice(t testing.TB, key crypto.PrivKey, id peer.ID, body []byte) []byte {
	t.Helper()
	return sealNoticeAt(t, key, id, uint64(t0.UnixMilli()), body)
}

func sealNoticeAt(t testing.TB, key crypto.PrivKey, id peer.ID, now uint64, body []byte) []byte {
	t.Helper()
	b, err := seal.Seal("test", seal.TypeLedger, &wire.LedgerNotice{PeerId: []byte(id), Seq: now, ExpiresMs: now + 60_000, Body: body}, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNoticesReachOthersOnce(t *testing.T) {
	with := func(c *Config) { c.Topics = []string{LedgerTopic("test")} }
	a, b := newPeer(t, with), newPeer(t, with)
	from, err := a.Notices(a.key)
	if err != nil {
		t.Fatal(err)
	}
	to, err := b.Notices(b.key)
	if err != nil {
		t.Fatal(err)
	}
	type notice struct {
		from peer.ID
		body []byte
	}
	got := make(chan notice, 4)
	for _, n := range []*Notices{from, to} { // the sender's own handler must stay silent
		if err := n.Subscribe(t.Context(), func(id peer.ID, body []byte) { got <- notice{id, bytes.Clone(body)} }); err != nil {
			t.Fatal(err)
		}
	}
	connect(t, a.host, b.host)
	eventually(t, "the topic has a peer", func() bool { return from.t.Peers() == 1 && to.t.Peers() == 1 })
	if err := from.Publish(t.Context(), []byte("head 7")); err != nil {
		t.Fatal(err)
	}
	if n := next(t, got); n.from != a.host.ID() || string(n.body) != "head 7" {
		t.Fatalf("got %+v", n)
	}
	for _, body := range [][]byte{nil, make([]byte, MaxNotice+1)} {
		if err := from.Publish(t.Context(), body); !errors.Is(err, ErrNotice) {
			t.Errorf("%d bytes: %v", len(body), err)
		}
	}
	if err := to.Publish(t.Context(), []byte("price")); err != nil {
		t.Fatal(err)
	}
	if n := next(t, got); n.from != b.host.ID() || string(n.body) != "price" {
		t.Fatalf("got %+v", n)
	}
}

func TestNoticesOfOthersAreRefused(t *testing.T) {
	key, id := testKey(t, 1)
	other, otherID := testKey(t, 2)
	if n, err := OpenNotice("test", sealNotice(t, key, id, []byte("x"))); err != nil || string(n.GetBody()) != "x" {
		t.Fatal(n, err)
	}
	for name, data := range map[string][]byte{
		"another signer": sealNotice(t, other, id, []byte("x")),
		"no body":        sealNotice(t, other, otherID, nil),
		"large body":     sealNotice(t, other, otherID, make([]byte, MaxNotice+1)),
		"an ad":          sealAd(t, key, newAd(id, t0.Add(time.Second))),
	} {
		if _, err := OpenNotice("test", data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := OpenNotice("other", sealNotice(t, key, id, []byte("x"))); err == nil {
		t.Error("of another network: accepted")
	}
}

func FuzzOpenNotice(f *testing.F) {
	key, id := testKey(f, 1)
	good := sealNotice(f, key, id, []byte("head"))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := OpenNotice("test", data)
		if err == nil && (len(n.GetBody()) == 0 || len(n.GetBody()) > MaxNotice || len(data) > maxWrapped) {
			t.Fatal("accepted what it must not")
		}
	})
}
