package checker

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	ledgerproof "github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/check"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// What a checker heard in a watch stays on its disk: an appeal asks for it later.
const (
	watchPrefix = "watch-"
	heardPrefix = "heard-" // of those in which the container answered
	maxWatch    = 2 << 10  // bytes of a file
	// keptWatches is how many files of each kind are kept; those of the oldest epochs give way.
	// The kinds do not give way to each other: answers can be had for a session's fee, so who is
	// accused could else have what others did not hear forgotten.
	keptWatches = 1024
)

func watchFile(dir, prefix string, epoch uint64, w watchOf) string {
	return filepath.Join(dir, prefix+strconv.FormatUint(epoch, 10)+"-"+hex.EncodeToString(w.container[:])+"-"+hex.EncodeToString(w.session[:]))
}

// keepWatch writes down what was heard, with the player's word that began it.
func (s *rounds) keepWatch(c *supervise.Ctx, m watched, o *ledgerproof.Opened) {
	dir, log, prefix := s.r.o.Dir, c.Log(), watchPrefix
	if m.watch.GetAnswered() > 0 {
		prefix = heardPrefix
	}
	c.Go(func(context.Context) any {
		b, err := proto.Marshal(&wire.WatchResponse{Gone: m.complaint.wire(), Statement: o.Raw})
		if err == nil {
			err = record.Write(watchFile(dir, prefix, m.epoch, m.watchOf), b)
		}
		if err != nil {
			log.Warn("what this checker heard of a container cannot be kept; make room on the disk", "container", m.container, "err", err)
		}
		forgetWatches(dir, prefix)
		return nil
	})
}

// watchKept is what this checker heard; nil where it heard nothing of it.
func watchKept(dir string, epoch uint64, w watchOf) (*wire.WatchResponse, error) {
	b, err := record.Read(watchFile(dir, watchPrefix, epoch, w), maxWatch)
	if record.Missing(err) {
		b, err = record.Read(watchFile(dir, heardPrefix, epoch, w), maxWatch)
	}
	if record.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := new(wire.WatchResponse)
	if err := proto.Unmarshal(b, out); err != nil || len(out.GetStatement()) > check.MaxWatch || !check.Sound(out.GetGone()) {
		return nil, fmt.Errorf("%w: a watch (%v)", errSaved, err)
	}
	return out, nil
}

// Watched implements check.Checker.
func (r *Rounds) Watched(_ context.Context, _ peer.ID, epoch uint64, container [32]byte, session [16]byte) (*wire.WatchResponse, error) {
	out, err := watchKept(r.o.Dir, epoch, watchOf{key.Node(container), session})
	if err != nil || out == nil {
		return nil, rpc.Errorf(wire.Code_NOT_FOUND, "this checker was not told that a player missed that container; ask the others who were drawn for it")
	}
	return out, nil
}

// forgetWatches removes the oldest of a kind where there are too many.
func forgetWatches(dir, prefix string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	type kept struct {
		epoch uint64
		name  string
	}
	var all []kept
	for _, e := range list {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		number, _, _ := strings.Cut(rest, "-")
		if at, err := strconv.ParseUint(number, 10, 64); ok && err == nil {
			all = append(all, kept{at, e.Name()})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(cmp.Compare(a.epoch, b.epoch), strings.Compare(a.name, b.name)) })
	for _, k := range all[:max(0, len(all)-keptWatches)] {
		_ = os.Remove(filepath.Join(dir, k.name)) // the next one makes room, too
	}
}
