//go:build !cgo || !((linux && (amd64 || arm64)) || (darwin && (amd64 || arm64)) || (windows && amd64))

package decode

// Open returns ErrNoDecoder: this build has none.
func Open() (Decoder, error) { return nil, ErrNoDecoder }
