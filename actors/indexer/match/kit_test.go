package match

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

const (
	testNet = "testnet"
	now     = uint64(1_790_000_000_000) // unix ms
)

var (
	appA = [32]byte{0xaa}
	appB = [32]byte{0xbb}
)

// container is an actor of a test: a key, and the ad that it would publish.
type container struct {
	key crypto.PrivKey
	id  peer.ID
	ad  *wire.Ad
}

// newContainer returns the container of a number, with an ad that passes every
// filter of request().
func newContainer(t testing.TB, n uint32, change ...func(*wire.Ad)) *container {
	t.Helper()
	var seed [32]byte
	binary.BigEndian.PutUint32(seed[:], n+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &container{key: key, id: id, ad: &wire.Ad{
		PeerId: []byte(id), Seq: now - 1000, ExpiresMs: now + 89_000, Region: "eu-west",
		Apps:         []*wire.AppOffer{{Sha256: appA[:], Name: "racer"}},
		ScoreRpMilli: 1500, SlotsTotal: 2, SlotsFree: 1, PriceMicroUsdPerHour: 250_000, QualityPpm: 1_000_000,
		CoordinateUs: []int32{3000, 4000}, IdleSinceMs: now - 60_000,
	}}
	for _, f := range change {
		f(c.ad)
	}
	return c
}

func (c *container) sealed(t testing.TB) []byte {
	t.Helper()
	b, err := seal.Seal(testNet, seal.TypeAd, c.ad, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// table holds the ads of containers.
func table(t testing.TB, cs ...*container) *Table {
	t.Helper()
	tab := NewTable(0)
	for _, c := range cs {
		if err := tab.Put(now-500, c.id, c.ad, c.sealed(t)); err != nil {
			t.Fatal(err)
		}
	}
	return tab
}

// request asks for appA with a limit on everything.
func request(change ...func(*wire.MatchRequest)) *wire.MatchRequest {
	req := &wire.MatchRequest{
		RequestId: bytes.Repeat([]byte{5}, RequestIDBytes), AppSha256: appA[:], Region: "eu-west",
		MinScoreRpMilli: 1000, MaxLatencyMs: 50, MaxPriceMicroUsdPerHour: 500_000,
		CoordinateUs: []int32{0, 0}, MadeMs: now,
	}
	for _, f := range change {
		f(req)
	}
	return req
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
