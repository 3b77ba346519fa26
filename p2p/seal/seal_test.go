package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// testKey returns the Ed25519 key of a seed of 32 equal bytes.
func testKey(t testing.TB, b byte) crypto.PrivKey {
	t.Helper()
	raw := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	key, err := crypto.UnmarshalEd25519PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func testID(t testing.TB, key crypto.PrivKey) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testAd(t testing.TB, key crypto.PrivKey) *wire.Ad {
	return &wire.Ad{
		PeerId: []byte(testID(t, key)), Seq: 1_790_000_000_000, ExpiresMs: 1_790_000_090_000,
		Region: "eu-west", SlotsTotal: 2, SlotsFree: 1, ScoreRpMilli: 1500,
		Apps:                 []*wire.AppOffer{{Sha256: bytes.Repeat([]byte{7}, 32), Name: "latency", Warm: true}},
		PriceMicroUsdPerHour: 250_000, QualityPpm: 1_000_000, CoordinateUs: []int32{-1200, 800},
	}
}

func TestOpenGivesBackWhatWasSealed(t *testing.T) {
	key := testKey(t, 1)
	ad := testAd(t, key)
	env, err := seal.Seal("testnet", seal.TypeAd, ad, key)
	if err != nil {
		t.Fatal(err)
	}
	var got wire.Ad
	signer, err := seal.Open("testnet", seal.TypeAd, env, 8<<10, &got)
	if err != nil {
		t.Fatal(err)
	}
	if signer != testID(t, key) {
		t.Errorf("signer %s, want %s", signer, testID(t, key))
	}
	if !proto.Equal(&got, ad) {
		t.Errorf("got %v, want %v", &got, ad)
	}
	payload, err := seal.Payload(env)
	if err != nil {
		t.Fatal(err)
	}
	if _, opened, _ := seal.OpenPayload("testnet", seal.TypeAd, env, 8<<10); !bytes.Equal(opened, payload) || len(payload) == 0 {
		t.Error("Payload and OpenPayload differ")
	}
}

func TestOpenRefuses(t *testing.T) {
	key := testKey(t, 1)
	env, err := seal.Seal("testnet", seal.TypeAd, testAd(t, key), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name         string
		network, typ string
		env          []byte
		max          int
		want         error
	}{
		{"too large by one byte", "testnet", "ad", env, len(env) - 1, seal.ErrTooLarge},
		{"another network", "othernet", "ad", env, 8 << 10, seal.ErrSignature},
		{"another type", "testnet", "node", env, 8 << 10, seal.ErrType},
		{"network with a slash", "test/net", "ad", env, 8 << 10, seal.ErrDomain},
		{"empty network", "", "ad", env, 8 << 10, seal.ErrDomain},
		{"empty", "testnet", "ad", nil, 8 << 10, seal.ErrKey},
		{"cut short", "testnet", "ad", env[:len(env)-1], 8 << 10, seal.ErrDecode},
		{"unknown field appended", "testnet", "ad", append(bytes.Clone(env), 0x7a, 0x01, 0x00), 8 << 10, seal.ErrDecode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := seal.Open(tc.network, tc.typ, tc.env, tc.max, &wire.Ad{}); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// A single changed bit anywhere is noticed.
func TestOpenNoticesEveryBit(t *testing.T) {
	key := testKey(t, 1)
	env, err := seal.Seal("testnet", seal.TypeAd, testAd(t, key), key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(env) * 8 {
		bad := bytes.Clone(env)
		bad[i/8] ^= 1 << (i % 8)
		if signer, err := seal.Open("testnet", seal.TypeAd, bad, 8<<10, &wire.Ad{}); err == nil {
			t.Fatalf("bit %d flipped and still opened, signer %s", i, signer)
		}
	}
}

func TestSealRefusesOtherKeys(t *testing.T) {
	key, _, err := crypto.GenerateSecp256k1Key(bytes.NewReader(bytes.Repeat([]byte{9}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Seal("testnet", seal.TypeAd, &wire.Ad{}, key); !errors.Is(err, seal.ErrKey) {
		t.Errorf("got %v, want ErrKey", err)
	}
	if _, err := seal.Seal("testnet", seal.TypeAd, &wire.Ad{}, nil); !errors.Is(err, seal.ErrKey) {
		t.Errorf("nil key: got %v, want ErrKey", err)
	}
}

func FuzzOpen(f *testing.F) {
	key := testKey(f, 1)
	env, err := seal.Seal("testnet", seal.TypeAd, testAd(f, key), key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(env)
	f.Add(env[:len(env)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var ad wire.Ad
		signer, err := seal.Open("testnet", seal.TypeAd, data, 8<<10, &ad)
		if err == nil && signer == "" {
			t.Fatal("opened without a signer")
		}
		if err == nil && len(data) > 8<<10 {
			t.Fatal("opened beyond the limit")
		}
		if _, err := seal.Payload(data); err == nil && len(data) == 0 {
			t.Fatal("payload of nothing")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	key := testKey(b, 1)
	ad := testAd(b, key)
	for b.Loop() {
		if _, err := seal.Seal("testnet", seal.TypeAd, ad, key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	key := testKey(b, 1)
	env, err := seal.Seal("testnet", seal.TypeAd, testAd(b, key), key)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := seal.Open("testnet", seal.TypeAd, env, 8<<10, &wire.Ad{}); err != nil {
			b.Fatal(err)
		}
	}
}
