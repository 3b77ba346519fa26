// Package blob moves app modules between peers by their SHA-256. The hash is the
// name and the proof: a file appears under its name only after every byte of it was
// checked, whoever sent them. Manifest and picture travel beside a module and are
// NOT covered by its hash; who takes them must check them as a stranger's input.
//
// The package does not look for peers, does not decide what may be fetched, and
// keeps nothing in memory but the chunks in flight.
package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Protocol is the name of the RPC.
const Protocol = "app"

// Limits of the protocol, in bytes.
const (
	MaxChunk    = 256 << 10 // of one answer's data
	MaxManifest = 16 << 10
	MaxPicture  = 200 << 10
)

// NameSize is how many of the first bytes of a SHA-256 name a file where names are short.
const NameSize = 20

// Source is what a peer serves from: modules by SHA-256, unchanging. Methods return
// an error that is fs.ErrNotExist when there is no such module, and are called from
// several goroutines.
type Source interface {
	// Size returns the module's length in bytes.
	Size(sha [32]byte) (int64, error)
	// ReadAt reads like io.ReaderAt.
	ReadAt(sha [32]byte, p []byte, off int64) (int, error)
	// Manifest returns the bytes of app.toml.
	Manifest(sha [32]byte) ([]byte, error)
	// Picture returns a PNG for the catalogue; fs.ErrNotExist when the app has none.
	Picture(sha [32]byte) ([]byte, error)
}

// Named is a Source whose files can also be found by their names.
type Named interface {
	Source
	// Whole returns the SHA-256 of which name is the beginning.
	Whole(name [NameSize]byte) ([32]byte, error)
}

// limits lets one peer take about 16 MiB/s, four chunks at a time.
var limits = rpc.Limits{
	MaxRequest: 256, MaxResponse: MaxChunk + MaxManifest + 1024,
	PerPeerRate: 64, Burst: 64, MaxConcurrent: 16, MaxPerPeer: 8,
}

// Serve answers the app protocol on s from src.
func Serve(s *rpc.Server, src Source) { ServeAs(s, Protocol, src) }

// ServeAs is Serve under another name, for what is not an app and yet is named by its SHA-256.
// Manifest and Picture of such a source are asked for, and may be nothing.
func ServeAs(s *rpc.Server, name string, src Source) {
	rpc.Handle(s, name, limits, func(_ context.Context, _ peer.ID, req *wire.AppRequest) (*wire.AppResponse, error) {
		return answer(src, req)
	})
}

// answer reads what one request asks for.
func answer(src Source, req *wire.AppRequest) (*wire.AppResponse, error) {
	if named, ok := src.(Named); ok && len(req.GetSha256()) == NameSize && req.GetLength() == 0 {
		sha, err := named.Whole([NameSize]byte(req.GetSha256()))
		if err != nil {
			return nil, sourceError(err)
		}
		return &wire.AppResponse{Sha256: sha[:]}, nil
	}
	if len(req.GetSha256()) != 32 {
		return nil, rpc.Errorf(wire.Code_INVALID, "a SHA-256 has 32 bytes, not %d; ask with the whole hash", len(req.GetSha256()))
	}
	if req.GetLength() > MaxChunk {
		return nil, rpc.Errorf(wire.Code_INVALID, "a chunk has at most %d bytes; ask for less", MaxChunk)
	}
	sha := [32]byte(req.GetSha256())
	size, err := src.Size(sha)
	if err != nil {
		return nil, sourceError(err)
	}
	resp := &wire.AppResponse{Size: uint64(size)}
	if req.GetLength() == 0 {
		if resp.Manifest, err = src.Manifest(sha); err != nil {
			return nil, sourceError(err)
		}
		if len(resp.GetManifest()) > MaxManifest {
			return nil, rpc.Errorf(wire.Code_UNAVAILABLE, "the manifest is over %d bytes; ask another peer", MaxManifest)
		}
		// A picture is decoration: without one, or with one that is too large, the
		// app is still there.
		if resp.Picture, err = src.Picture(sha); err != nil || len(resp.GetPicture()) > MaxPicture {
			resp.Picture = nil
		}
		return resp, nil
	}
	if req.GetOffset() >= uint64(size) {
		return nil, rpc.Errorf(wire.Code_INVALID, "offset %d is beyond the %d bytes of the module; ask for less", req.GetOffset(), size)
	}
	data := make([]byte, min(int64(req.GetLength()), size-int64(req.GetOffset())))
	n, err := src.ReadAt(sha, data, int64(req.GetOffset()))
	if n < len(data) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, sourceError(err)
	}
	resp.Data = data
	return resp, nil
}

func sourceError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return rpc.Errorf(wire.Code_NOT_FOUND, "this peer does not hold that app; ask another peer")
	}
	return err
}
