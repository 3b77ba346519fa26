package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// memory is a Source that holds modules in memory.
type memory map[[32]byte][]byte

func (m memory) get(sha [32]byte) ([]byte, error) {
	b, ok := m[sha]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

func (m memory) Size(sha [32]byte) (int64, error) {
	b, err := m.get(sha)
	return int64(len(b)), err
}

func (m memory) ReadAt(sha [32]byte, p []byte, off int64) (int, error) {
	b, err := m.get(sha)
	if err != nil {
		return 0, err
	}
	return bytes.NewReader(b).ReadAt(p, off)
}

func (m memory) Manifest(sha [32]byte) ([]byte, error) {
	_, err := m.get(sha)
	return []byte(`name = "test"`), err
}

func (m memory) Picture([32]byte) ([]byte, error) { return nil, fs.ErrNotExist }

// module makes n bytes that no two seeds share, and their name.
func module(seed uint64, n int) ([]byte, [32]byte) {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b, sha256.Sum256(b)
}

// fakePeers answers calls by peer; it counts the bytes that each sent.
type fakePeers struct {
	answer map[peer.ID]func(req *wire.AppRequest) (*wire.AppResponse, error)
	mu     sync.Mutex
	sent   map[peer.ID]int
	flying int
	most   int // calls at once, at most
}

func (f *fakePeers) Call(ctx context.Context, to peer.ID, name string, req, resp proto.Message) error {
	f.mu.Lock()
	f.flying++
	f.most = max(f.most, f.flying)
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.flying--; f.mu.Unlock() }()
	if err := ctx.Err(); err != nil {
		return err
	}
	fn, ok := f.answer[to]
	if !ok || name != Protocol {
		return rpc.ErrUnreachable
	}
	got, err := fn(req.(*wire.AppRequest))
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sent == nil {
		f.sent = map[peer.ID]int{}
	}
	f.sent[to] += len(got.GetData())
	proto.Merge(resp, got)
	return nil
}

// from answers out of a source.
func from(src Source) func(*wire.AppRequest) (*wire.AppResponse, error) {
	return func(req *wire.AppRequest) (*wire.AppResponse, error) { return answer(src, req) }
}

// altered is from with a change to each answer.
func altered(src Source, change func(req *wire.AppRequest, resp *wire.AppResponse)) func(*wire.AppRequest) (*wire.AppResponse, error) {
	return func(req *wire.AppRequest) (*wire.AppResponse, error) {
		resp, err := answer(src, req)
		if err == nil {
			change(req, resp)
		}
		return resp, err
	}
}

type answers = map[peer.ID]func(*wire.AppRequest) (*wire.AppResponse, error)

func checkFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes that are not the module", path, len(got))
	}
	if _, err := os.Stat(path + ".part"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the partial file is still there: %v", err)
	}
}

func TestFetchSizes(t *testing.T) {
	for _, n := range []int{1, MaxChunk - 1, MaxChunk, MaxChunk + 1, 9*MaxChunk + 17} {
		data, sha := module(1, n)
		peers := &fakePeers{answer: answers{"a": from(memory{sha: data}), "b": from(memory{sha: data})}}
		var last, total int64
		path, err := Fetch(context.Background(), peers, []peer.ID{"a", "b", "a"}, sha, t.TempDir(), 1<<30, func(d, n int64) {
			if d <= last {
				t.Errorf("progress went from %d to %d", last, d)
			}
			last, total = d, n
		})
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		checkFile(t, path, data)
		if filepath.Base(path) != hex.EncodeToString(sha[:]) {
			t.Errorf("path %s is not the hash", path)
		}
		if last != int64(n) || total != int64(n) {
			t.Errorf("progress ended at %d of %d, want %d", last, total, n)
		}
		if peers.most > maxInFlight {
			t.Errorf("%d chunks in flight", peers.most)
		}
		if n > 4*MaxChunk && (peers.sent["a"] == 0 || peers.sent["b"] == 0) {
			t.Errorf("one peer sent all: %v", peers.sent)
		}
	}
}

func TestFetchedOnceIsNotFetchedAgain(t *testing.T) {
	data, sha := module(1, 1000)
	dir := t.TempDir()
	peers := &fakePeers{answer: answers{"a": from(memory{sha: data})}}
	for range 2 {
		if _, err := Fetch(context.Background(), peers, []peer.ID{"a"}, sha, dir, 1<<20, nil); err != nil {
			t.Fatal(err)
		}
	}
	if peers.sent["a"] != 1001 { // one byte to learn the size
		t.Errorf("%d bytes sent", peers.sent["a"])
	}
}

// Stopped in the middle, a fetch goes on where it was.
func TestFetchResumes(t *testing.T) {
	const chunks = 12
	data, sha := module(1, chunks*MaxChunk)
	dir := t.TempDir()
	peers := &fakePeers{answer: answers{"a": from(memory{sha: data})}}
	ctx, cancel := context.WithCancel(context.Background())
	var done int64
	_, err := Fetch(ctx, peers, []peer.ID{"a"}, sha, dir, 1<<30, func(d, _ int64) {
		if done = d; d >= 6*MaxChunk {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want Canceled", err)
	}
	peers.sent = nil
	path, err := Fetch(context.Background(), peers, []peer.ID{"a"}, sha, dir, 1<<30, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, data)
	if want := len(data) - int(done) + 1; peers.sent["a"] != want {
		t.Errorf("%d bytes sent the second time, want %d", peers.sent["a"], want)
	}
}

// What a killed process left behind may be cut anywhere, or junk.
func TestFetchFromAnyPartialFile(t *testing.T) {
	data, sha := module(1, 3*MaxChunk+5)
	for name, left := range map[string][]byte{
		"cut inside a chunk": data[:MaxChunk+77],
		"complete":           data,
		"zeros at the end":   append(bytes.Clone(data[:MaxChunk]), make([]byte, 100)...),
		"junk":               bytes.Repeat([]byte("junk"), 1000),
		"longer than it":     append(bytes.Clone(data), 1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, hex.EncodeToString(sha[:])+".part"), left, 0o600); err != nil {
				t.Fatal(err)
			}
			f := Fetcher{
				Caller: &fakePeers{answer: answers{"a": from(memory{sha: data})}}, Dir: dir, Max: 1 << 30,
				Dropped: func(id peer.ID, cause error) { t.Errorf("honest peer %s dropped: %v", id, cause) },
			}
			path, err := f.Fetch(context.Background(), []peer.ID{"a"}, sha)
			if err != nil {
				t.Fatal(err)
			}
			checkFile(t, path, data)
		})
	}
}

// Peers that lie are named and dropped; the module comes from the honest one, and
// the honest one is never blamed.
func TestLyingPeers(t *testing.T) {
	data, sha := module(1, 5*MaxChunk)
	src := memory{sha: data}
	for name, liar := range map[string]func(*wire.AppRequest) (*wire.AppResponse, error){
		"one wrong bit": altered(src, func(req *wire.AppRequest, resp *wire.AppResponse) {
			if req.GetOffset() == 2*MaxChunk {
				resp.Data[9] ^= 1
			}
		}),
		"one wrong bit in each chunk": altered(src, func(_ *wire.AppRequest, resp *wire.AppResponse) { resp.Data[0] ^= 1 }),
		"short chunks":                altered(src, func(_ *wire.AppRequest, resp *wire.AppResponse) { resp.Data = resp.Data[:len(resp.Data)/2] }),
		"long chunks":                 altered(src, func(_ *wire.AppRequest, resp *wire.AppResponse) { resp.Data = append(resp.Data, 0) }),
		"smaller size":                altered(src, func(_ *wire.AppRequest, resp *wire.AppResponse) { resp.Size = 3 * MaxChunk }),
		"larger size":                 altered(src, func(_ *wire.AppRequest, resp *wire.AppResponse) { resp.Size = 7 * MaxChunk }),
		"no size":                     altered(src, func(_ *wire.AppRequest, resp *wire.AppResponse) { resp.Size = 0 }),
		"endless size":                altered(src, func(_ *wire.AppRequest, resp *wire.AppResponse) { resp.Size = 1<<64 - 1 }),
		"not there":                   from(memory{}),
		"fails": func(*wire.AppRequest) (*wire.AppResponse, error) {
			return nil, &rpc.Error{Code: wire.Code_INTERNAL}
		},
	} {
		for _, order := range [][]peer.ID{{"liar", "honest"}, {"honest", "liar"}} {
			t.Run(name+", "+string(order[0])+" first", func(t *testing.T) {
				f := Fetcher{
					Caller: &fakePeers{answer: answers{"liar": liar, "honest": from(src)}}, Dir: t.TempDir(), Max: 1 << 30,
				}
				dropped := map[peer.ID]bool{}
				f.Dropped = func(id peer.ID, cause error) { dropped[id] = true }
				path, err := f.Fetch(context.Background(), order, sha)
				if err != nil {
					t.Fatal(err)
				}
				checkFile(t, path, data)
				if dropped["honest"] {
					t.Error("the honest peer was blamed")
				}
				if order[0] == "liar" && !dropped["liar"] {
					t.Error("the liar was not named")
				}
			})
		}
		t.Run(name+", alone", func(t *testing.T) {
			f := Fetcher{Caller: &fakePeers{answer: answers{"liar": liar}}, Dir: t.TempDir(), Max: 1 << 30}
			var named peer.ID
			f.Dropped = func(id peer.ID, cause error) { named = id }
			if _, err := f.Fetch(context.Background(), []peer.ID{"liar"}, sha); !errors.Is(err, ErrNoSource) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v", err)
			}
			if named != "liar" {
				t.Error("the liar was not named")
			}
			if _, err := os.Stat(filepath.Join(f.Dir, hex.EncodeToString(sha[:]))); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file has the name of the hash: %v", err)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	data, sha := module(1, 1000)
	peers := &fakePeers{answer: answers{"a": from(memory{sha: data})}}
	if _, err := Fetch(context.Background(), peers, []peer.ID{"a"}, sha, t.TempDir(), 999, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if peers.sent["a"] != 1 {
		t.Errorf("%d bytes came", peers.sent["a"])
	}
	if _, err := Fetch(context.Background(), peers, []peer.ID{"a"}, sha, t.TempDir(), 1000, nil); err != nil {
		t.Errorf("at the limit: %v", err)
	}
}

// A busy peer is asked again, but not for ever.
func TestBusyPeer(t *testing.T) {
	data, sha := module(1, 10)
	calls := 0
	refuse := func(times int) answers {
		return answers{"a": func(req *wire.AppRequest) (*wire.AppResponse, error) {
			if calls++; calls <= times {
				return nil, rpc.Errorf(wire.Code_BUSY, "wait")
			}
			return answer(memory{sha: data}, req)
		}}
	}
	if _, err := Fetch(context.Background(), &fakePeers{answer: refuse(3)}, []peer.ID{"a"}, sha, t.TempDir(), 1000, nil); err != nil {
		t.Errorf("after three refusals: %v", err)
	}
	calls = 0
	if _, err := Fetch(context.Background(), &fakePeers{answer: refuse(1 << 30)}, []peer.ID{"a"}, sha, t.TempDir(), 1000, nil); !errors.Is(err, ErrNoSource) || !errors.Is(err, rpc.ErrBusy) {
		t.Errorf("got %v, want ErrNoSource because of BUSY", err)
	}
	if calls != maxBusy {
		t.Errorf("asked %d times", calls)
	}
}

func TestNoTwoFetchesOfOneFile(t *testing.T) {
	data, sha := module(1, 10)
	dir := t.TempDir()
	var inner error
	peers := &fakePeers{}
	peers.answer = answers{"a": func(req *wire.AppRequest) (*wire.AppResponse, error) {
		_, inner = Fetch(context.Background(), peers, []peer.ID{"a"}, sha, dir, 1000, nil)
		return answer(memory{sha: data}, req)
	}}
	if _, err := Fetch(context.Background(), peers, []peer.ID{"a"}, sha, dir, 1000, nil); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inner, ErrInProgress) {
		t.Errorf("got %v, want ErrInProgress", inner)
	}
}

func TestAnswerRefuses(t *testing.T) {
	data, sha := module(1, 100)
	src := memory{sha: data}
	for _, tc := range []struct {
		name string
		req  *wire.AppRequest
		want error
	}{
		{"short hash", &wire.AppRequest{Sha256: sha[:31], Length: 1}, rpc.ErrInvalid},
		{"no hash", &wire.AppRequest{}, rpc.ErrInvalid},
		{"chunk over the limit", &wire.AppRequest{Sha256: sha[:], Length: MaxChunk + 1}, rpc.ErrInvalid},
		{"offset at the end", &wire.AppRequest{Sha256: sha[:], Offset: 100, Length: 1}, rpc.ErrInvalid},
		{"offset that overflows", &wire.AppRequest{Sha256: sha[:], Offset: 1<<64 - 1, Length: 1}, rpc.ErrInvalid},
		{"unknown module", &wire.AppRequest{Sha256: make([]byte, 32), Length: 1}, rpc.ErrNotFound},
	} {
		if _, err := answer(src, tc.req); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	resp, err := answer(src, &wire.AppRequest{Sha256: sha[:], Offset: 90, Length: 50})
	if err != nil || !bytes.Equal(resp.GetData(), data[90:]) {
		t.Errorf("end of the module: %v", err)
	}
}

// shrunk is a source whose file became shorter than it says.
type shrunk struct{ memory }

func (shrunk) ReadAt([32]byte, []byte, int64) (int, error) { return 0, io.EOF }

func TestAnswerNeverPadsWithZeros(t *testing.T) {
	data, sha := module(1, 100)
	if resp, err := answer(shrunk{memory{sha: data}}, &wire.AppRequest{Sha256: sha[:], Length: 10}); err == nil {
		t.Errorf("answered %v", resp)
	}
}

// Over real hosts: serve, describe, fetch.
func TestOverHosts(t *testing.T) {
	hosts := make([]host.Host, 2)
	for i := range hosts {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		hosts[i] = h
	}
	data, sha := module(1, 20*MaxChunk+3)
	s := rpc.NewServer(hosts[0], "testnet", rpc.Options{})
	defer s.Close()
	Serve(s, memory{sha: data})
	ctx := context.Background()
	if err := hosts[1].Connect(ctx, peer.AddrInfo{ID: hosts[0].ID(), Addrs: hosts[0].Addrs()}); err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClient(hosts[1], "testnet")
	info, err := Describe(ctx, c, hosts[0].ID(), sha)
	if err != nil || info.Size != int64(len(data)) || string(info.Manifest) != `name = "test"` || info.Picture != nil {
		t.Errorf("described as %+v, %v", info, err)
	}
	path, err := Fetch(ctx, c, []peer.ID{hosts[0].ID()}, sha, t.TempDir(), 1<<30, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, data)
}

// Any request gets an answer within its limits or an error.
func FuzzAnswer(f *testing.F) {
	data, sha := module(1, 1000)
	src := memory{sha: data}
	for _, req := range []*wire.AppRequest{{}, {Sha256: sha[:]}, {Sha256: sha[:], Offset: 999, Length: 5}, {Sha256: sha[:], Offset: 1 << 63, Length: 1}} {
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req wire.AppRequest
		if proto.Unmarshal(b, &req) != nil {
			return
		}
		resp, err := answer(src, &req)
		if err == nil && (len(resp.GetData()) > int(req.GetLength()) || resp.GetSize() != 1000) {
			t.Fatalf("answered %v to %v", resp, &req)
		}
	})
}

// Whatever a peer answers, a fetch ends with an error and leaves no file by the name.
func FuzzFetch(f *testing.F) {
	_, sha := module(1, 1000)
	b, err := proto.Marshal(&wire.AppResponse{Size: 3, Data: []byte{1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var resp wire.AppResponse
		if proto.Unmarshal(b, &resp) != nil {
			return
		}
		peers := &fakePeers{answer: answers{"a": func(*wire.AppRequest) (*wire.AppResponse, error) { return &resp, nil }}}
		if _, err := Fetch(context.Background(), peers, []peer.ID{"a"}, sha, t.TempDir(), 1<<20, nil); err == nil {
			t.Fatal("fetched a module from noise")
		}
		if _, err := Describe(context.Background(), peers, "a", sha); err == nil && len(resp.GetPicture()) > MaxPicture {
			t.Fatal("took a picture over the limit")
		}
	})
}

func BenchmarkFetch(b *testing.B) {
	data, sha := module(1, 8<<20)
	peers := &fakePeers{answer: answers{"a": from(memory{sha: data})}}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Fetch(context.Background(), peers, []peer.ID{"a"}, sha, b.TempDir(), 1<<30, nil); err != nil {
			b.Fatal(err)
		}
	}
}
