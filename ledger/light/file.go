package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/types"
)

// Errors of the file that keeps headers over a restart.
var (
	// ErrOtherNetwork means that a directory belongs to another genesis file.
	ErrOtherNetwork = errors.New("light: the stored headers are of another network")
	// ErrDamaged means that the file cannot be read; a client starts over from its root.
	ErrDamaged = errors.New("light: the stored headers are damaged")
)

// The file: its magic, the hash of the genesis file (32), the number of blocks (1), each
// with its length (4, big-endian), and the SHA-256 of all of it.
const (
	fileName  = "light.headers"
	fileMagic = "framemesh/light/1\n"
	fileMost  = 4 // blocks
)

// encodeHeaders writes the file's bytes.
func encodeHeaders(genesis [32]byte, blocks []*types.LightBlock) ([]byte, error) {
	out := append([]byte(fileMagic), genesis[:]...)
	out = append(out, byte(len(blocks)))
	for _, b := range blocks {
		raw, err := EncodeLightBlock(b)
		if err != nil {
			return nil, err
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(raw)))
		out = append(out, raw...)
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// decodeHeaders reads what encodeHeaders wrote, by rising height. It wraps ErrDamaged or
// ErrOtherNetwork.
func decodeHeaders(chain string, genesis [32]byte, raw []byte) ([]*types.LightBlock, error) {
	head := len(fileMagic) + 32 + 1
	if len(raw) < head+32 || !bytes.HasPrefix(raw, []byte(fileMagic)) {
		return nil, fmt.Errorf("%w: no such file", ErrDamaged)
	}
	body, sum := raw[:len(raw)-32], raw[len(raw)-32:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, fmt.Errorf("%w: its checksum is another", ErrDamaged)
	}
	if !bytes.Equal(body[len(fileMagic):head-1], genesis[:]) {
		return nil, ErrOtherNetwork
	}
	n, rest := int(body[head-1]), body[head:]
	if n > fileMost {
		return nil, fmt.Errorf("%w: %d blocks", ErrDamaged, n)
	}
	var out []*types.LightBlock
	for range n {
		if len(rest) < 4 {
			return nil, fmt.Errorf("%w: cut off", ErrDamaged)
		}
		size := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if uint64(size) > uint64(len(rest)) {
			return nil, fmt.Errorf("%w: cut off", ErrDamaged)
		}
		b, err := DecodeLightBlock(chain, rest[:size])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if len(out) > 0 && b.Height <= out[len(out)-1].Height {
			return nil, fmt.Errorf("%w: heights do not rise", ErrDamaged)
		}
		out, rest = append(out, b), rest[size:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: more than it says", ErrDamaged)
	}
	return out, nil
}

// load reads the file of dir; no file is no blocks. Errors as with decodeHeaders.
func load(dir, chain string, genesis [32]byte) ([]*types.LightBlock, error) {
	path := filepath.Join(dir, fileName)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("light: %w", err)
	}
	if info.Size() > fileMost*(MaxLightBlock+4)+1024 {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrDamaged, path, info.Size())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("light: %w", err)
	}
	blocks, err := decodeHeaders(chain, genesis, raw)
	if errors.Is(err, ErrOtherNetwork) {
		return nil, fmt.Errorf("%w: %s; give this network a data directory of its own", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return blocks, nil
}

// save writes the file anew, whole or not at all.
func save(dir string, genesis [32]byte, blocks []*types.LightBlock) error {
	raw, err := encodeHeaders(genesis, blocks)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("light: %w", err)
	}
	f, err := os.CreateTemp(dir, fileName+".*")
	if err != nil {
		return fmt.Errorf("light: %w", err)
	}
	defer os.Remove(f.Name()) // after the rename it is gone already
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, fileName))
	}
	if err != nil {
		return fmt.Errorf("light: writing %s: %w; is the disk full?", fileName, err)
	}
	return nil
}
