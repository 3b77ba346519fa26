package key_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/key"
)

const chain = "testnet"

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func pub(k ed25519.PrivateKey) []byte { return k[ed25519.SeedSize:] }

func TestAddressTextIsChecked(t *testing.T) {
	a := key.Address(pub(testKey(1)))
	s := a.String()
	if len(s) != 62 || !strings.HasPrefix(s, "frm1") {
		t.Fatalf("%q of %d characters", s, len(s))
	}
	if got, err := key.ParseAddress(s); err != nil || got != a {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := key.ParseAddress(strings.ToUpper(s)); err != nil || got != a {
		t.Errorf("in capitals, as QR codes have it: %v, %v", got, err)
	}
	for n := range len(s) {
		for _, c := range []byte("qpzry9x8gf2tvdw0s3jn54khce6mua7l1b!") {
			if c == s[n] {
				continue
			}
			if got, err := key.ParseAddress(s[:n] + string(c) + s[n+1:]); err == nil {
				t.Fatalf("character %d as %c is taken for %s", n, c, got)
			}
		}
	}
	for _, bad := range []string{"", "frm1", s[:61], s + "q", " " + s, strings.Repeat("q", 91), "btc1" + s[4:],
		"frm1" + strings.ToUpper(s[4:]), "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"} {
		if _, err := key.ParseAddress(bad); !errors.Is(err, key.ErrAddress) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The library of BIP 350 writes and reads the same text.
func TestAddressTextIsBech32m(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := key.Address(rapid.SliceOfN(rapid.Byte(), key.Size, key.Size).Draw(r, "address"))
		groups, err := bech32.ConvertBits(a[:], 8, 5, true)
		if err != nil {
			r.Fatal(err)
		}
		want, err := bech32.EncodeM(key.Prefix, groups)
		if err != nil {
			r.Fatal(err)
		}
		if a.String() != want {
			r.Fatalf("%s instead of %s", a, want)
		}
		if got, err := key.ParseAddress(want); err != nil || got != a {
			r.Fatalf("read as %s: %v", got, err)
		}
	})
}

func BenchmarkAddressText(b *testing.B) {
	a := key.Address(pub(testKey(1)))
	b.ReportAllocs()
	for b.Loop() {
		_ = a.String()
	}
}

func TestNodeIsThePeerID(t *testing.T) {
	k := testKey(3)
	priv, err := crypto.UnmarshalEd25519PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	n, err := key.NodeOf(id)
	if err != nil || n != key.Node(pub(k)) || n.String() != id.String() {
		t.Fatalf("%s, %v; want %s", n, err, id)
	}
	if got, err := key.ParseNode(id.String()); err != nil || got != n {
		t.Errorf("%s, %v", got, err)
	}
	rsa := peer.ID("\x12\x20" + strings.Repeat("x", 32)) // the hash of a key does not hold it
	for _, bad := range []string{"", "hello", n.String() + "x", rsa.String()} {
		if _, err := key.ParseNode(bad); !errors.Is(err, key.ErrNode) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestKeysAreTextInJSON(t *testing.T) {
	type both struct {
		A key.Address
		N key.Node
	}
	in := both{key.Address(pub(testKey(1))), key.Node(pub(testKey(2)))}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out both
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Errorf("%s: %v", b, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"frm1qqqq"}`), &out); !errors.Is(err, key.ErrAddress) {
		t.Errorf("a bad address: %v", err)
	}
}

func TestSignBytesSeparateChainsAndKinds(t *testing.T) {
	if got, want := key.SignBytes("testnet", key.KindTx, []byte("x")), "\x16framemesh/testnet/tx/1x"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	kinds := []string{key.KindTx, key.KindNode, key.KindVoucher, key.KindQuote, key.KindCertificate, key.KindStatement}
	payload := []byte("payload")
	for _, made := range kinds {
		sig := key.Sign(testKey(1), chain, made, payload)
		for _, read := range kinds {
			if key.Verify(pub(testKey(1)), chain, read, payload, sig) != (made == read) {
				t.Errorf("signed as %s, read as %s", made, read)
			}
		}
		if key.Verify(pub(testKey(1)), "othernet", made, payload, sig) {
			t.Errorf("%s passes on another chain", made)
		}
	}
}

func TestVerifyTakesWhatTheStandardLibrarySigns(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := ed25519.NewKeyFromSeed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "seed"))
		payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "payload")
		sig := key.Sign(k, chain, key.KindTx, payload)
		if !ed25519.Verify(pub(k), key.SignBytes(chain, key.KindTx, payload), sig) || !key.Verify(pub(k), chain, key.KindTx, payload, sig) {
			r.Fatal("an honest signature does not pass")
		}
		n := rapid.IntRange(0, len(sig)*8-1).Draw(r, "bit")
		sig[n/8] ^= 1 << (n % 8)
		if key.Verify(pub(k), chain, key.KindTx, payload, sig) {
			r.Fatalf("bit %d of the signature does not count", n)
		}
	})
}

// smallOrder are encodings of the points whose order divides 8, and non-canonical ones.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// order is that of the base point, 2^252 + 27742317777372353535851937790883648493.
var order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func little(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	for i := range 16 {
		b[i], b[31-i] = b[31-i], b[i]
	}
	return b
}

func number(b []byte) *big.Int {
	c := bytes.Clone(b)
	for i := range len(c) / 2 {
		c[i], c[len(c)-1-i] = c[len(c)-1-i], c[i]
	}
	return new(big.Int).SetBytes(c)
}

// tortured are signatures at the edges where implementations of Ed25519 differ, and what
// the rule says of each.
func tortured(t testing.TB) (entries []key.Signed, want []bool) {
	t.Helper()
	add := func(pub, sig, payload []byte, ok bool) {
		entries = append(entries, key.Signed{Key: pub, Kind: key.KindTx, Payload: payload, Signature: sig})
		want = append(want, ok)
	}
	payload := []byte("payload")
	k := testKey(1)
	good := key.Sign(k, chain, key.KindTx, payload)
	add(pub(k), good, payload, true)
	// S + order is the same number to a careless reader: signatures could be changed.
	malleable := bytes.Clone(good)
	copy(malleable[32:], little(new(big.Int).Add(number(good[32:]), order)))
	add(pub(k), malleable, payload, false)
	// With a key of small order R = 0·B, S = 0 signs everything in one case of eight.
	for _, a := range smallOrder {
		for _, r := range smallOrder {
			sig := append(unhex(t, r), make([]byte, 32)...)
			add(unhex(t, a), sig, payload, false)
		}
	}
	// R of small order: whoever knows the key can choose S = k·a, and stands by it. The
	// cofactored equation takes all eight points, in their canonical form.
	digest := sha512.Sum512(k.Seed())
	digest[0] &= 248
	digest[31] = digest[31]&127 | 64
	secret := number(digest[:32])
	for i, r := range smallOrder {
		h := sha512.New()
		h.Write(unhex(t, r))
		h.Write(pub(k))
		h.Write(key.SignBytes(chain, key.KindTx, payload))
		s := new(big.Int).Mul(number(h.Sum(nil)), secret)
		add(pub(k), append(unhex(t, r), little(s.Mod(s, order))...), payload, i < 8)
	}
	// No point at all, and wrong lengths.
	add(unhex(t, "0200000000000000000000000000000000000000000000000000000000000000"), good, payload, false)
	add(pub(k)[:31], good, payload, false)
	add(append(pub(k)[:32:32], 0), good, payload, false)
	add(nil, nil, payload, false)
	add(pub(k), good[:63], payload, false)
	add(pub(k), append(bytes.Clone(good), 0), payload, false)
	add(pub(k), good, []byte("another"), false)
	add(pub(testKey(2)), good, payload, false)
	return entries, want
}

func TestOneRuleAloneInBatchesAndWithExpandedKeys(t *testing.T) {
	entries, want := tortured(t)
	alone := func(e key.Signed) bool { return key.Verify(e.Key, chain, e.Kind, e.Payload, e.Signature) }
	for i, e := range entries {
		if alone(e) != want[i] {
			t.Errorf("entry %d (%x %x): %v", i, e.Key, e.Signature, alone(e))
		}
		x, err := key.Expand(e.Key)
		if (err == nil) != (key.Usable(e.Key) == nil) || (err != nil && !errors.Is(err, key.ErrKey)) {
			t.Errorf("entry %d: expand %v, usable %v", i, err, key.Usable(e.Key))
		}
		if got := err == nil && x.Verify(chain, e.Kind, e.Payload, e.Signature); got != want[i] {
			t.Errorf("entry %d expanded: %v", i, got)
		}
		if want[i] && err != nil {
			t.Errorf("entry %d passes with a key that is not usable", i)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		var batch []key.Signed
		onlyGood := rapid.Bool().Draw(r, "only good ones")
		for range rapid.IntRange(0, 12).Draw(r, "size") {
			i := rapid.IntRange(0, len(entries)-1).Draw(r, "entry")
			if onlyGood && !want[i] {
				i = 0
			}
			e := entries[i]
			switch rapid.IntRange(0, 5).Draw(r, "key") {
			case 0: // of somebody else
				e.Expanded, _ = key.Expand(pub(testKey(3)))
			case 1, 2, 3:
				e.Expanded, _ = key.Expand(e.Key)
			}
			batch = append(batch, e)
		}
		got := key.VerifyAll(chain, batch)
		if len(got) != len(batch) {
			r.Fatalf("%d answers for %d entries", len(got), len(batch))
		}
		for i, e := range batch {
			if got[i] != alone(e) {
				r.Fatalf("entry %d of %d: in the batch %v", i, len(batch), got[i])
			}
		}
	})
}

func TestLargeBatchesKeepTheirOrder(t *testing.T) {
	var batch []key.Signed
	for i := range 600 {
		k := testKey(byte(i))
		payload := []byte{byte(i), byte(i >> 8)}
		e := key.Signed{Key: pub(k), Kind: key.KindVoucher, Payload: payload, Signature: key.Sign(k, chain, key.KindVoucher, payload)}
		if i%97 == 5 {
			e.Signature[3] ^= 1
		}
		if i > 300 {
			e.Expanded, _ = key.Expand(e.Key)
		}
		batch = append(batch, e)
	}
	for i, ok := range key.VerifyAll(chain, batch) {
		if ok != (i%97 != 5) {
			t.Errorf("entry %d: %v", i, ok)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	k := testKey(1)
	payload := make([]byte, 68)
	sig := key.Sign(k, chain, key.KindVoucher, payload)
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			key.Verify(pub(k), chain, key.KindVoucher, payload, sig)
		}
	})
	b.Run("expanded", func(b *testing.B) {
		x, err := key.Expand(pub(k))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			x.Verify(chain, key.KindVoucher, payload, sig)
		}
	})
	for _, n := range []int{4, 16, 32, 64, 128, 256} {
		batch := make([]key.Signed, n)
		for i := range batch {
			k := testKey(byte(i))
			batch[i] = key.Signed{Key: pub(k), Kind: key.KindVoucher, Payload: payload, Signature: key.Sign(k, chain, key.KindVoucher, payload)}
		}
		for _, expanded := range []bool{false, true} {
			b.Run(fmt.Sprintf("batch=%d,expanded=%v,each", n, expanded), func(b *testing.B) {
				for i := range batch {
					if expanded {
						batch[i].Expanded, _ = key.Expand(batch[i].Key)
					}
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if i++; i%n == 0 {
						key.VerifyAll(chain, batch)
					}
				}
			})
		}
	}
	b.Run("standard library", func(b *testing.B) {
		m := key.SignBytes(chain, key.KindVoucher, payload)
		for b.Loop() {
			ed25519.Verify(pub(k), m, sig)
		}
	})
}

// A mistyped address is refused without a hint at the checksum that would make it valid.
func TestMistypedAddressIsNotMended(t *testing.T) {
	good := key.Address{1, 2, 3}.String()
	bad := good[:10] + "q" + good[11:]
	if bad == good {
		bad = good[:10] + "p" + good[11:]
	}
	_, err := key.ParseAddress(bad)
	if !errors.Is(err, key.ErrAddress) || strings.Contains(err.Error(), "expected") {
		t.Fatal(err)
	}
}
