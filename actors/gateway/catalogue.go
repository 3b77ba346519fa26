package gateway

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/p2p/wire"
)

// maxContainers bounds the catalogue; in a larger region a newcomer waits until the ad
// of another has expired.
const maxContainers = 16384

// sha is the identity of an app: the SHA-256 of its module.
type sha [32]byte

func (s sha) String() string { return hex.EncodeToString(s[:]) }

// catalogue is what live ads offer. It is pure: time comes as an argument.
type catalogue struct {
	ads  map[peer.ID]*wire.Ad
	meta map[sha]App // what the app's own manifest says; filled once per app
}

func newCatalogue() *catalogue {
	return &catalogue{ads: map[peer.ID]*wire.Ad{}, meta: map[sha]App{}}
}

// put takes a verified ad and returns the apps whose manifest is still unknown.
func (c *catalogue) put(from peer.ID, ad *wire.Ad) (unknown []sha) {
	if old, ok := c.ads[from]; ok && old.Seq > ad.Seq {
		return nil
	}
	if _, ok := c.ads[from]; !ok && len(c.ads) >= maxContainers {
		return nil
	}
	c.ads[from] = ad
	for _, a := range ad.Apps {
		if len(a.Sha256) != len(sha{}) {
			continue
		}
		if s := sha(a.Sha256); c.meta[s].ID == "" {
			unknown = append(unknown, s)
		}
	}
	return unknown
}

// offers says whether a container's ad names the app.
func (c *catalogue) offers(id peer.ID, s sha) bool {
	ad := c.ads[id]
	return ad != nil && slices.ContainsFunc(ad.Apps, func(o *wire.AppOffer) bool { return string(o.Sha256) == string(s[:]) })
}

// expire drops what is no longer offered.
func (c *catalogue) expire(now time.Time) {
	ms := uint64(now.UnixMilli())
	live := map[sha]bool{}
	for id, ad := range c.ads {
		if ad.ExpiresMs <= ms {
			delete(c.ads, id)
			continue
		}
		for _, a := range ad.Apps {
			if len(a.Sha256) == len(sha{}) {
				live[sha(a.Sha256)] = true
			}
		}
	}
	for s := range c.meta {
		if !live[s] {
			delete(c.meta, s)
		}
	}
}

// apps lists what can be played now: games before test apps, then by title.
func (c *catalogue) apps(now time.Time) []App {
	ms := uint64(now.UnixMilli())
	byID := map[sha]*App{}
	for _, ad := range c.ads {
		if ad.ExpiresMs <= ms {
			continue
		}
		for _, o := range ad.Apps {
			if len(o.Sha256) != len(sha{}) {
				continue
			}
			s := sha(o.Sha256)
			a := byID[s]
			if a == nil {
				m := c.meta[s]
				if m.ID == "" {
					m = App{ID: s.String(), Name: o.Name, Title: o.Name}
				}
				m.MinPrice = ad.PriceMicroUsdPerHour
				a = &m
				byID[s] = a
			}
			if o.Width > 0 {
				a.Width, a.Height, a.FPS, a.Seats = int(o.Width), int(o.Height), int(o.Fps), int(o.Seats)
				a.Pointer, a.PointerLock = o.Flags&1 != 0, o.Flags&2 != 0
			}
			a.Containers++
			a.SlotsFree += int(min(ad.SlotsFree, 1<<16))
			a.MinPrice = min(a.MinPrice, ad.PriceMicroUsdPerHour)
			a.MaxPrice = max(a.MaxPrice, ad.PriceMicroUsdPerHour)
		}
	}
	out := make([]App, 0, len(byID))
	for _, a := range byID {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b App) int {
		return cmp.Or(order(a.Category == store.CategoryTest, b.Category == store.CategoryTest), cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// resolve finds an app by its hash or by its short name. A hash need not be on
// offer: a container may fetch it.
func (c *catalogue) resolve(name string) (sha, bool) {
	if b, err := hex.DecodeString(name); err == nil && len(b) == len(sha{}) {
		return sha(b), true
	}
	best, found := sha{}, false
	for _, ad := range c.ads {
		for _, o := range ad.Apps {
			if o.Name == name && len(o.Sha256) == len(sha{}) {
				// two modules may share a name: take the smaller hash, so that every gateway agrees
				if s := sha(o.Sha256); !found || slices.Compare(s[:], best[:]) < 0 {
					best, found = s, true
				}
			}
		}
	}
	return best, found
}

// holders lists containers that have the app, those with a free slot first.
func (c *catalogue) holders(s sha) []peer.ID {
	var free, full []peer.ID
	for id, ad := range c.ads {
		if c.offers(id, s) {
			if ad.SlotsFree > 0 {
				free = append(free, id)
			} else {
				full = append(full, id)
			}
		}
	}
	slices.Sort(free)
	slices.Sort(full)
	return append(free, full...)
}
