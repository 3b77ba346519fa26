package discovery

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// t0 is the time of the pure tests.
var t0 = time.UnixMilli(1_790_000_000_000)

// testKey returns the Ed25519 key of a seed of 32 equal bytes, and its peer id.
func testKey(t testing.TB, b byte) (crypto.PrivKey, peer.ID) {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, id
}

// sealed returns a valid record of a key, changed by edit.
func sealed(t testing.TB, key crypto.PrivKey, id peer.ID, edit func(*wire.NodeRecord)) []byte {
	t.Helper()
	rec := &wire.NodeRecord{
		PeerId: []byte(id), Seq: uint64(t0.UnixMilli()), ExpiresMs: uint64(t0.Add(time.Hour).UnixMilli()),
		Addrs: [][]byte{ma.StringCast("/ip4/192.0.2.1/tcp/4001").Bytes()},
		Roles: []string{"container"}, Region: "eu-west", Agent: "framemesh/1",
	}
	if edit != nil {
		edit(rec)
	}
	out, err := seal.Seal("test", seal.TypeNode, rec, key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRecordIsAcceptedUnderItsSignersKeyOnly(t *testing.T) {
	key, id := testKey(t, 1)
	_, other := testKey(t, 2)
	value := sealed(t, key, id, nil)
	rec, err := CheckRecord("test", RecordKey(id), value, t0)
	if err != nil || rec.GetRegion() != "eu-west" {
		t.Fatal(rec, err)
	}
	for name, k := range map[string]string{
		"another's key": RecordKey(other), "no peer id": recordPrefix + "junk", "empty id": recordPrefix,
		"another namespace": "/pk/" + string(id), "empty": "",
	} {
		if _, err := CheckRecord("test", k, value, t0); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := CheckRecord("other", RecordKey(id), value, t0); !errors.Is(err, ErrRecord) || !errors.Is(err, seal.ErrSignature) {
		t.Errorf("a record of another network: %v", err)
	}
}

func TestBadRecordsAreRefused(t *testing.T) {
	key, id := testKey(t, 1)
	_, other := testKey(t, 2)
	ms := func(d time.Duration) uint64 { return uint64(t0.Add(d).UnixMilli()) }
	for name, edit := range map[string]func(*wire.NodeRecord){
		"names another peer": func(r *wire.NodeRecord) { r.PeerId = []byte(other) },
		"names no peer":      func(r *wire.NodeRecord) { r.PeerId = nil },
		"expired":            func(r *wire.NodeRecord) { r.Seq, r.ExpiresMs = ms(-2*time.Hour), ms(0) },
		"from the future":    func(r *wire.NodeRecord) { r.Seq, r.ExpiresMs = ms(MaxSkew+time.Second), ms(time.Hour) },
		"valid too long":     func(r *wire.NodeRecord) { r.ExpiresMs = ms(MaxRecordTTL + time.Second) },
		"valid for ever":     func(r *wire.NodeRecord) { r.ExpiresMs = 1<<64 - 1 },
		"ends before it was": func(r *wire.NodeRecord) { r.Seq, r.ExpiresMs = ms(2*time.Second), ms(time.Second) },
		"too many addresses": func(r *wire.NodeRecord) {
			for range maxAddrs {
				r.Addrs = append(r.Addrs, r.Addrs[0])
			}
		},
		"address that is none": func(r *wire.NodeRecord) { r.Addrs = [][]byte{{0xff, 0xff}} },
		"long address": func(r *wire.NodeRecord) {
			r.Addrs = [][]byte{ma.StringCast("/dns4/" + strings.Repeat("x", maxAddr) + "/tcp/1").Bytes()}
		},
		"too many roles": func(r *wire.NodeRecord) { r.Roles = make([]string, maxRoles+1) },
		"role's name":    func(r *wire.NodeRecord) { r.Roles = []string{"Container!"} },
		"region's name":  func(r *wire.NodeRecord) { r.Region = "eu west" },
		"long agent":     func(r *wire.NodeRecord) { r.Agent = strings.Repeat("x", maxText+1) },
		"oversized":      func(r *wire.NodeRecord) { r.Agent = strings.Repeat("x", MaxRecord) },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := CheckRecord("test", RecordKey(id), sealed(t, key, id, edit), t0); !errors.Is(err, ErrRecord) {
				t.Fatalf("got %v", err)
			}
		})
	}
	good := sealed(t, key, id, nil)
	for i := range good {
		bent := bytes.Clone(good)
		bent[i] ^= 0x01
		if _, err := CheckRecord("test", RecordKey(id), bent, t0); err == nil {
			t.Fatalf("accepted with byte %d bent", i)
		}
	}
}

func TestHighestSequenceIsSelected(t *testing.T) {
	key, id := testKey(t, 1)
	v := recordValidator{network: "test", now: func() time.Time { return t0 }}
	at := func(seq int) []byte {
		return sealed(t, key, id, func(r *wire.NodeRecord) { r.Seq -= 1000; r.Seq += uint64(seq) })
	}
	tieA := at(7)
	tieB := sealed(t, key, id, func(r *wire.NodeRecord) { r.Seq -= 993; r.Agent = "other" })
	for name, tc := range map[string]struct {
		values [][]byte
		want   int
	}{
		"last is newest":   {[][]byte{at(1), at(2), at(3)}, 2},
		"first is newest":  {[][]byte{at(3), at(2), at(1)}, 0},
		"junk among them":  {[][]byte{[]byte("junk"), at(2), nil, at(1)}, 1},
		"only one is left": {[][]byte{nil, at(1)}, 1},
	} {
		if got, err := v.Select(RecordKey(id), tc.values); err != nil || got != tc.want {
			t.Errorf("%s: got %d, %v", name, got, err)
		}
	}
	i, err1 := v.Select(RecordKey(id), [][]byte{tieA, tieB})
	j, err2 := v.Select(RecordKey(id), [][]byte{tieB, tieA})
	if err1 != nil || err2 != nil || i == j {
		t.Errorf("a tie depends on the order: %d %d %v %v", i, j, err1, err2)
	}
	if _, err := v.Select(RecordKey(id), [][]byte{[]byte("junk")}); !errors.Is(err, ErrRecord) {
		t.Errorf("all junk: %v", err)
	}
}

func TestStoreRefusesNewKeysWhenFull(t *testing.T) {
	ctx := context.Background()
	s := newBoundedStore(2)
	k := func(i int) ds.Key { return ds.NewKey(fmt.Sprint(i)) }
	for i := range 2 {
		if err := s.Put(ctx, k(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(ctx, k(2), nil); !errors.Is(err, ErrStoreFull) {
		t.Fatalf("third key: %v", err)
	}
	if err := s.Put(ctx, k(1), []byte("new")); err != nil {
		t.Fatalf("a known key: %v", err)
	}
	b, err := s.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Put(ctx, k(3), nil)); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(ctx); !errors.Is(err, ErrStoreFull) {
		t.Fatalf("a batch passed the limit: %v", err)
	}
	for range 2 { // deleting twice must not make room twice
		if err := s.Delete(ctx, k(0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(ctx, k(2), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, k(4), nil); !errors.Is(err, ErrStoreFull) {
		t.Fatalf("got %v", err)
	}
}

func TestScheduleBacksOffAndSettles(t *testing.T) {
	var last time.Duration
	for n := 1; n < 100; n++ {
		d := retryAfter(n)
		if d < last || d > retryMax || d < retryFirst {
			t.Fatalf("failure %d waits %v after %v", n, d, last)
		}
		last = d
	}
	if last != retryMax || retryAfter(3) != 4*time.Second {
		t.Fatal("backoff does not double to its limit")
	}
	if repeatAfter(1, youngTable) != youngFirst || repeatAfter(50, 1) != readvertise || repeatAfter(1, youngTable+1) != readvertise {
		t.Fatal("a young network is repeated sooner, an old one every ten minutes")
	}
	if jittered(time.Second, 0) != 900*time.Millisecond || jittered(time.Second, 0.5) != time.Second {
		t.Fatal("jitter is ten percent")
	}
}

func remember(t testing.TB, n byte, seen int64) Remembered {
	_, id := testKey(t, n)
	return Remembered{Peer: peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/4001")}}, SeenMs: seen}
}

func TestRememberedPeersAreTheLatest(t *testing.T) {
	var old, now []Remembered
	for i := range MaxRemembered {
		old = append(old, remember(t, byte(i), int64(i)))
	}
	for i := 190; i < 240; i++ {
		now = append(now, remember(t, byte(i), int64(1000+i)))
	}
	got := MergePeers(old, now)
	if len(got) != MaxRemembered {
		t.Fatalf("%d peers", len(got))
	}
	for i := 1; i < len(got); i++ {
		if got[i].SeenMs >= got[i-1].SeenMs {
			t.Fatal("not in order of the time they were seen")
		}
	}
	if got[0].SeenMs != 1239 || got[len(got)-1].SeenMs != 40 {
		t.Fatalf("kept %d..%d", got[0].SeenMs, got[len(got)-1].SeenMs)
	}
	if n := len(MergePeers(nil, []Remembered{{Peer: peer.AddrInfo{ID: got[0].Peer.ID}}})); n != 0 {
		t.Fatal("a peer without an address cannot be dialled")
	}
	path := filepath.Join(t.TempDir(), "dir", "peers.json")
	if err := writePeers(path, got); err != nil {
		t.Fatal(err)
	}
	if err := writePeers(path, got[:100]); err != nil {
		t.Fatal(err)
	}
	back, err := readPeers(path)
	if err != nil || len(back) != 100 || back[0].Peer.ID != got[0].Peer.ID || !back[0].Peer.Addrs[0].Equal(got[0].Peer.Addrs[0]) {
		t.Fatal(len(back), err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatal(st.Mode(), err)
	}
}

func TestBadPeersFileIsAnError(t *testing.T) {
	one, err := FormatPeers([]Remembered{remember(t, 1, 5)})
	if err != nil {
		t.Fatal(err)
	}
	entry := string(one[strings.Index(string(one), "{\n   ") : strings.LastIndex(string(one), "}\n ]")+1])
	for name, text := range map[string]string{
		"empty": "", "junk": "\x00\xff", "list": "[]", "cut": string(one[:len(one)/2]), "version": `{"version":2,"peers":[]}`,
		"unknown key": `{"version":1,"peers":[],"x":1}`, "twice": `{"version":1,"peers":[` + entry + "," + entry + "]}",
		"more behind": string(one) + "{}", "no address": `{"version":1,"peers":[{"id":"12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5","addrs":[],"seen_ms":1}]}`,
		"no peer id":   `{"version":1,"peers":[{"id":"me","addrs":["/ip4/1.2.3.4/tcp/1"],"seen_ms":1}]}`,
		"no multiaddr": `{"version":1,"peers":[{"id":"12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5","addrs":["home"],"seen_ms":1}]}`,
		"too many":     `{"version":1,"peers":[` + strings.Repeat(entry+",", MaxRemembered) + entry + "]}",
		"too large":    strings.Repeat(" ", maxPeersFile+1),
	} {
		if _, err := ParsePeers([]byte(text)); !errors.Is(err, ErrPeersFile) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got, err := ParsePeers(one); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
}

func FuzzCheckRecord(f *testing.F) {
	key, id := testKey(f, 1)
	good := sealed(f, key, id, nil)
	f.Add(RecordKey(id), good)
	f.Add(RecordKey(id), good[:len(good)/2])
	f.Add("/framemesh/node/", []byte{})
	v := recordValidator{network: "test", now: func() time.Time { return t0 }}
	f.Fuzz(func(t *testing.T, k string, value []byte) {
		rec, err := CheckRecord("test", k, value, t0)
		if (err == nil) != (v.Validate(k, value) == nil) {
			t.Fatal("the validator disagrees with the check")
		}
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		// nobody can sign for the key that is in the corpus
		if k != RecordKey(peer.ID(rec.GetPeerId())) || len(value) > MaxRecord || proto.Size(rec) > MaxRecord {
			t.Fatal("accepted what it must not")
		}
		if i, err := v.Select(k, [][]byte{nil, value}); err != nil || i != 1 {
			t.Fatal("a valid record is not selected")
		}
	})
}

func FuzzParsePeers(f *testing.F) {
	one, err := FormatPeers([]Remembered{remember(f, 1, 5), remember(f, 2, 6)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Add([]byte(`{"version":1,"peers":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ParsePeers(text)
		if err != nil {
			if !errors.Is(err, ErrPeersFile) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		again, err := FormatPeers(list)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePeers(again)
		if err != nil || len(back) != len(list) {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		if len(MergePeers(nil, list)) != len(list) {
			t.Fatal("merging lost a peer")
		}
	})
}
