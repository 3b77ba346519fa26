package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// named is a memory whose files are found by their names, too.
type named struct{ memory }

func (n named) Whole(name [NameSize]byte) ([32]byte, error) {
	for sha := range n.memory {
		if [NameSize]byte(sha[:NameSize]) == name {
			return sha, nil
		}
	}
	return [32]byte{}, fs.ErrNotExist
}

// A file is fetched by its name from whoever has it; who lies about the rest of the hash, or
// has nothing under it, costs a question and no more.
func TestFetchByName(t *testing.T) {
	b, sha := module(9, MaxChunk+3)
	name := [NameSize]byte(sha[:NameSize])
	says := func(sha []byte) func(*wire.AppRequest) (*wire.AppResponse, error) {
		return func(req *wire.AppRequest) (*wire.AppResponse, error) {
			if len(req.GetSha256()) == NameSize {
				return &wire.AppResponse{Sha256: sha}, nil
			}
			return answer(memory{}, req)
		}
	}
	twin := sha // another file of that name, which nobody has
	twin[31]++
	other := [32]byte{1}
	peers := &fakePeers{sent: map[peer.ID]int{}, answer: map[peer.ID]func(*wire.AppRequest) (*wire.AppResponse, error){
		"honest":  func(req *wire.AppRequest) (*wire.AppResponse, error) { return answer(named{memory{sha: b}}, req) },
		"unnamed": func(req *wire.AppRequest) (*wire.AppResponse, error) { return answer(memory{sha: b}, req) },
		"empty":   func(req *wire.AppRequest) (*wire.AppResponse, error) { return answer(named{memory{}}, req) },
		"away":    func(*wire.AppRequest) (*wire.AppResponse, error) { return nil, errors.New("away") },
		"silent":  says(nil),
		"short":   says(sha[:31]),
		"another": says(other[:]),
		"twin":    says(twin[:]),
	}}
	for what, c := range map[string]struct {
		from []peer.ID
		ok   bool
	}{
		"one":                   {[]peer.ID{"honest"}, true},
		"the last of many":      {[]peer.ID{"away", "empty", "silent", "short", "another", "twin", "unnamed", "honest"}, true},
		"a lie by the first":    {[]peer.ID{"twin", "honest"}, true},
		"nobody":                {nil, false},
		"nobody who has it":     {[]peer.ID{"away", "empty", "silent"}, false},
		"nobody but who lies":   {[]peer.ID{"short", "another", "twin"}, false},
		"who has it unasked by": {[]peer.ID{"unnamed"}, false},
	} {
		f := Fetcher{Caller: peers, Dir: t.TempDir(), Max: int64(len(b))}
		path, err := f.FetchNamed(t.Context(), c.from, name)
		if !c.ok {
			if path != "" || !errors.Is(err, ErrNoSource) {
				t.Errorf("%s: %q, %v", what, path, err)
			}
			continue
		}
		if got, bad := os.ReadFile(path); err != nil || bad != nil || string(got) != string(b) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := Fetcher{Caller: peers, Dir: t.TempDir(), Max: int64(len(b))}
	if _, err := f.FetchNamed(ctx, []peer.ID{"away"}, name); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	small := Fetcher{Caller: peers, Dir: t.TempDir(), Max: 10}
	if _, err := small.FetchNamed(t.Context(), []peer.ID{"honest"}, name); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// A name is answered with the whole hash and nothing else, and only where names are known.
func TestNamesAreAnswered(t *testing.T) {
	b, sha := module(9, 10)
	src := named{memory{sha: b}}
	r, err := answer(src, &wire.AppRequest{Sha256: sha[:NameSize]})
	if err != nil || string(r.GetSha256()) != string(sha[:]) || r.GetSize() != 0 || r.GetData() != nil {
		t.Errorf("%v, %v", r, err)
	}
	var refused *rpc.Error
	for what, c := range map[string]struct {
		src  Source
		req  *wire.AppRequest
		want wire.Code
	}{
		"a piece by name":      {src, &wire.AppRequest{Sha256: sha[:NameSize], Length: 1}, wire.Code_INVALID},
		"a byte more":          {src, &wire.AppRequest{Sha256: sha[:NameSize+1]}, wire.Code_INVALID},
		"where names are none": {src.memory, &wire.AppRequest{Sha256: sha[:NameSize]}, wire.Code_INVALID},
		"another name":         {src, &wire.AppRequest{Sha256: make([]byte, NameSize)}, wire.Code_NOT_FOUND},
	} {
		if r, err := answer(c.src, c.req); r != nil || !errors.As(err, &refused) || refused.Code != c.want {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
}
