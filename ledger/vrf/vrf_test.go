package vrf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The examples 19 to 21 of RFC 9381, B.4.
var vectors = []struct{ sk, pk, alpha, pi, beta string }{
	{
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		"",
		"7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412d9038531e865c341cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501",
		"9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cccf6758f058c5b1c856b116388152bbe509ee3b9ecfe63d93c3b4346c1fbc6c54",
	},
	{
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		"72",
		"47b327393ff2dd81336f8a2ef10339112401253b3c714eeda879f12c509072ef055b48372bb82efbdce8e10c8cb9a2f9d60e93908f93df1623ad78a86a028d6bc064dbfc75a6a57379ef855dc6733801",
		"38561d6b77b71d30eb97a062168ae12b667ce5c28caccdf76bc88e093e4635987cd96814ce55b4689b3dd2947f80e59aac7b7675f8083865b46c89b2ce9cc735",
	},
	{
		"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
		"af82",
		"926e895d308f5e328e7aa159c06eddbe56d06846abf5d98c2512235eaa57fdce35b46edfc655bc828d44ad09d1150f31374e7ef73027e14760d42e77341fe05467bb286cc2c9d7fde29120a0b2320d04",
		"121b7f9b9aaaa29099fc04a94ba52784d44eac976dd1a3cca458733be5cd090a7b5fbd148444f17f8daf1fb55cb04b1ae85a626e30a54b4b0f8abf4a43314a58",
	},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		k := PrivateKey{ed25519.NewKeyFromSeed(unhex(t, v.sk))}
		public := k.Public()
		if got := hex.EncodeToString(public[:]); got != v.pk {
			t.Errorf("public key %s, want %s", got, v.pk)
		}
		proof := Prove(k, unhex(t, v.alpha))
		if got := hex.EncodeToString(proof[:]); got != v.pi {
			t.Errorf("alpha %q: proof %s, want %s", v.alpha, got, v.pi)
		}
		out, err := Verify(public, unhex(t, v.alpha), proof[:])
		if err != nil || hex.EncodeToString(out[:]) != v.beta {
			t.Errorf("alpha %q: output %x, %v, want %s", v.alpha, out, err, v.beta)
		}
	}
}

// Every other reading of a proof must fail: one proof, one output.
func TestTampered(t *testing.T) {
	k := PrivateKey{ed25519.NewKeyFromSeed(unhex(t, vectors[1].sk))}
	public, alpha := k.Public(), Alpha("test", 7, [32]byte{1})
	proof := Prove(k, alpha)
	refused := func(what string, p PublicKey, alpha, proof []byte) {
		t.Helper()
		if out, err := Verify(p, alpha, proof); !errors.Is(err, ErrProof) || out != [OutputSize]byte{} {
			t.Errorf("%s: output %x, error %v", what, out[:4], err)
		}
	}
	for i := range 8 * ProofSize {
		bad := proof
		bad[i/8] ^= 1 << (i % 8)
		refused("a flipped bit", public, alpha, bad[:])
	}
	for i := range alpha {
		bad := bytes.Clone(alpha)
		bad[i]++
		refused("another input", public, bad, proof[:])
	}
	for _, size := range []int{0, 1, ProofSize - 1, ProofSize + 1, 4096} {
		refused("another size", public, alpha, append(proof[:], make([]byte, 4096)...)[:size])
	}
	other, err := GenerateKey(bytes.NewReader(bytes.Repeat([]byte{9}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	refused("another key", other.Public(), alpha, proof[:])

	// s + L is the same scalar in other bytes.
	order := unhex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	malleable, carry := proof, 0
	for i := range 32 {
		sum := int(malleable[48+i]) + int(order[i]) + carry
		malleable[48+i], carry = byte(sum), sum>>8
	}
	refused("s not reduced", public, alpha, malleable[:])

	// Keys of small order and non-canonical ones would allow more than one output.
	for _, bad := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // the identity
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p
		"0200000000000000000000000000000000000000000000000000000000000000", // not on the curve
	} {
		refused("key "+bad[:8], PublicKey(unhex(t, bad)), alpha, proof[:])
	}
	refused("nothing", PublicKey{}, nil, make([]byte, ProofSize))
}

func TestAlpha(t *testing.T) {
	got := Alpha("test", 258, [32]byte{0xaa, 31: 0xbb})
	want := "14" + hex.EncodeToString([]byte("framemesh/test/vrf/1")) + "0000000000000102" + "aa" + hex.EncodeToString(make([]byte, 30)) + "bb"
	if hex.EncodeToString(got) != want {
		t.Errorf("%x, want %s", got, want)
	}
	seen := map[string]bool{}
	for _, chain := range []string{"", "a", "ab"} {
		for _, height := range []uint64{0, 1, 1 << 56} {
			for _, seed := range [][32]byte{{}, {1}, {31: 1}} {
				seen[string(Alpha(chain, height, seed))] = true
			}
		}
	}
	if len(seen) != 27 {
		t.Errorf("%d different inputs of 27", len(seen))
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "vrf")
	made, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := Load(path)
	if err != nil || again.Public() != made.Public() {
		t.Errorf("the key changed: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".vrf-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := create(path, made); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key was written over: %v", err)
	}

	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"empty":      nil,
		"cut":        raw[:len(raw)-8],
		"long":       append(bytes.Clone(raw), "00"...),
		"other kind": bytes.Replace(raw, []byte("vrf"), []byte("dht"), 1),
		"no hex":     bytes.Replace(raw, raw[len(header):len(header)+2], []byte("zz"), 1),
		"huge":       make([]byte, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "vrf")
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path); !errors.Is(err, ErrKey) {
				t.Errorf("error %v", err)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, bad) {
				t.Error("the damaged file was written over")
			}
		})
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrKey) {
		t.Errorf("a key others can read: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.pk), unhex(f, v.alpha), unhex(f, v.pi))
	}
	f.Add(make([]byte, 32), []byte{}, make([]byte, ProofSize))
	f.Fuzz(func(t *testing.T, public, alpha, proof []byte) {
		if len(public) != KeySize {
			return
		}
		out, err := Verify(PublicKey(public), alpha, proof)
		if (err == nil) == (out == [OutputSize]byte{}) {
			t.Errorf("output %x with error %v", out, err)
		}
	})
}

func BenchmarkProve(b *testing.B) {
	k, _ := GenerateKey(nil)
	alpha := Alpha("bench", 1, [32]byte{})
	for b.Loop() {
		Prove(k, alpha)
	}
}

func BenchmarkVerify(b *testing.B) {
	k, _ := GenerateKey(nil)
	alpha := Alpha("bench", 1, [32]byte{})
	proof, public := Prove(k, alpha), k.Public()
	for b.Loop() {
		if _, err := Verify(public, alpha, proof[:]); err != nil {
			b.Fatal(err)
		}
	}
}
