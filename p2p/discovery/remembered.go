package discovery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Limits on the file of remembered peers.
const (
	MaxRemembered    = 200       // peers
	maxPeersFile     = 512 << 10 // bytes
	maxRememberAddrs = 8         // addresses of one peer
	peersVersion     = 1
)

// ErrPeersFile says that the file of remembered peers cannot be used. It is a cache:
// the node goes on without it and writes a new one.
var ErrPeersFile = errors.New("discovery: file of remembered peers")

// Remembered is a peer that was good before.
type Remembered struct {
	Peer   peer.AddrInfo
	SeenMs int64 // unix ms when this node was last connected to it
}

// peersFile is the file's JSON.
type peersFile struct {
	Version int         `json:"version"`
	Peers   []peerEntry `json:"peers"`
}

type peerEntry struct {
	ID     string   `json:"id"`
	Addrs  []string `json:"addrs"`
	SeenMs int64    `json:"seen_ms"`
}

// ParsePeers reads what FormatPeers wrote. All of it is checked: at most
// MaxRemembered peers, each once, each with an address. It returns an error that
// wraps ErrPeersFile for anything else.
func ParsePeers(text []byte) ([]Remembered, error) {
	if len(text) > maxPeersFile {
		return nil, fmt.Errorf("%w: over %d bytes", ErrPeersFile, maxPeersFile)
	}
	var file peersFile
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeersFile, err)
	}
	if dec.More() {
		return nil, fmt.Errorf("%w: something follows the list", ErrPeersFile)
	}
	if file.Version != peersVersion {
		return nil, fmt.Errorf("%w: version %d, not %d", ErrPeersFile, file.Version, peersVersion)
	}
	if len(file.Peers) > MaxRemembered {
		return nil, fmt.Errorf("%w: %d peers, at most %d", ErrPeersFile, len(file.Peers), MaxRemembered)
	}
	out := make([]Remembered, 0, len(file.Peers))
	seen := make(map[peer.ID]bool, len(file.Peers))
	for i, e := range file.Peers {
		r, err := e.parse()
		if err != nil {
			return nil, fmt.Errorf("%w: peer %d: %w", ErrPeersFile, i+1, err)
		}
		if seen[r.Peer.ID] {
			return nil, fmt.Errorf("%w: peer %d: listed twice", ErrPeersFile, i+1)
		}
		seen[r.Peer.ID] = true
		out = append(out, r)
	}
	return out, nil
}

func (e peerEntry) parse() (Remembered, error) {
	id, err := peer.Decode(e.ID)
	if err != nil {
		return Remembered{}, err
	}
	if len(e.Addrs) == 0 || len(e.Addrs) > maxRememberAddrs || e.SeenMs < 0 {
		return Remembered{}, errors.New("needs 1 to 8 addresses and a time")
	}
	addrs := make([]ma.Multiaddr, 0, len(e.Addrs))
	for _, text := range e.Addrs {
		if len(text) > 2*maxAddr {
			return Remembered{}, errors.New("an address is too long")
		}
		addr, err := ma.NewMultiaddr(text)
		if err != nil {
			return Remembered{}, err
		}
		addrs = append(addrs, addr)
	}
	return Remembered{Peer: peer.AddrInfo{ID: id, Addrs: addrs}, SeenMs: e.SeenMs}, nil
}

// FormatPeers writes the list as JSON, one that ParsePeers accepts if MergePeers made it.
func FormatPeers(list []Remembered) ([]byte, error) {
	file := peersFile{Version: peersVersion, Peers: make([]peerEntry, 0, len(list))}
	for _, r := range list {
		e := peerEntry{ID: r.Peer.ID.String(), SeenMs: r.SeenMs}
		for _, a := range r.Peer.Addrs {
			e.Addrs = append(e.Addrs, a.String())
		}
		file.Peers = append(file.Peers, e)
	}
	text, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return nil, fmt.Errorf("discovery: write remembered peers: %w", err)
	}
	return append(text, '\n'), nil
}

// MergePeers joins what was remembered with what is seen now and keeps the
// MaxRemembered seen last, latest first; ties are in order of their ids.
func MergePeers(old, now []Remembered) []Remembered {
	byID := make(map[peer.ID]Remembered, len(old)+len(now))
	for _, r := range slices.Concat(old, now) {
		if len(r.Peer.Addrs) == 0 {
			continue
		}
		if known, ok := byID[r.Peer.ID]; ok && known.SeenMs > r.SeenMs {
			continue
		}
		r.Peer.Addrs = r.Peer.Addrs[:min(len(r.Peer.Addrs), maxRememberAddrs)]
		byID[r.Peer.ID] = r
	}
	out := make([]Remembered, 0, len(byID))
	for _, r := range byID {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Remembered) int {
		return cmp.Or(cmp.Compare(b.SeenMs, a.SeenMs), cmp.Compare(a.Peer.ID, b.Peer.ID))
	})
	return out[:min(len(out), MaxRemembered)]
}

// readPeers reads the file; a missing one is an empty list.
func readPeers(path string) ([]Remembered, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeersFile, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPeersFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeersFile, err)
	}
	return ParsePeers(text)
}

// writePeers replaces the file: a reader sees the old list or the new one.
func writePeers(path string, list []Remembered) error {
	text, err := FormatPeers(list)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrPeersFile, err)
	}
	tmp, err := os.CreateTemp(dir, ".peers-*")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPeersFile, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPeersFile, err)
	}
	return nil
}
