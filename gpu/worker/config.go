package worker

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// config is Spec as it crosses the pipe.
type config struct {
	Module      string `json:"module"`
	SHA256      string `json:"sha256"`
	CacheDir    string `json:"cache_dir,omitempty"`
	Seed        uint64 `json:"seed"`
	Bitrate     int    `json:"bitrate"`
	MemoryLimit uint32 `json:"memory_limit,omitempty"`
	Encoder     string `json:"encoder,omitempty"`
	Snapshot    bool   `json:"snapshot,omitempty"` // descriptor 3 is the snapshot file
	Save        []byte `json:"save,omitempty"`
	Thin        int    `json:"thin,omitempty"`
}

const defaultBitrate = 4_000_000

// config checks the spec and makes the child's configuration of it. Paths become
// absolute: the child works in the root directory.
func (s Spec) config() (config, error) {
	module, err := filepath.Abs(s.Module)
	if err != nil || s.Module == "" {
		return config{}, fmt.Errorf("%w: no module path", ErrSpawn)
	}
	cache := s.CacheDir
	if cache != "" {
		if cache, err = filepath.Abs(cache); err != nil {
			return config{}, fmt.Errorf("%w: cache directory: %w", ErrSpawn, err)
		}
	}
	if len(s.Save) > maxSave {
		return config{}, fmt.Errorf("%w: a save of %d bytes, at most %d", ErrSpawn, len(s.Save), maxSave)
	}
	rate := s.Bitrate
	if rate <= 0 {
		rate = defaultBitrate
	}
	return config{
		Module: module, SHA256: hex.EncodeToString(s.SHA256[:]), CacheDir: cache, Seed: s.Seed, Bitrate: rate,
		MemoryLimit: s.MemoryLimit, Encoder: s.Encoder, Snapshot: s.Snapshot != nil, Save: s.Save, Thin: s.Thin,
	}, nil
}

// parseConfig reads what config made. It trusts nothing: sizes and forms are
// checked again.
func parseConfig(b []byte) (config, [32]byte, error) {
	var c config
	var sum [32]byte
	if err := json.Unmarshal(b, &c); err != nil {
		return c, sum, fmt.Errorf("%w: configuration: %w", ErrWire, err)
	}
	if n, err := hex.Decode(sum[:], []byte(c.SHA256)[:min(len(c.SHA256), 64)]); err != nil || n != 32 || len(c.SHA256) != 64 {
		return c, sum, fmt.Errorf("%w: configuration: SHA-256 of %d digits", ErrWire, len(c.SHA256))
	}
	if !filepath.IsAbs(c.Module) || c.CacheDir != "" && !filepath.IsAbs(c.CacheDir) {
		return c, sum, fmt.Errorf("%w: configuration: paths must be absolute", ErrWire)
	}
	if len(c.Save) > maxSave || c.Bitrate <= 0 {
		return c, sum, fmt.Errorf("%w: configuration: save or bitrate out of range", ErrWire)
	}
	return c, sum, nil
}
