package container

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Rules of ads.
const (
	adEvery    = 30 * time.Second
	adSpacing  = time.Second // between two ads, at least
	adTTL      = 90 * time.Second
	lastAdTTL  = 5 * time.Second // of the one that says goodbye
	maxAdApps  = 64
	maxAdAddrs = 8
)

// Flags of an AppOffer.
const (
	flagPointer     = 1 << 0 // the app reads the pointer
	flagPointerLock = 1 << 1 // it wants relative motion
)

// adFacts is what an ad is made from.
type adFacts struct {
	self        peer.ID
	region      string
	apps        []App
	info        func(sha [32]byte) (worker.Info, bool) // of apps that are compiled
	score       uint32
	slots, free int
	encoders    []string
	price       uint64
	stake       uint64
	quality     quality
	coordinate  []int32
	idleSince   time.Time
	addrs       [][]byte
	fetches     bool
}

// makeAd builds the ad of this moment. seq is unix ms and grows past lastSeq even when
// the clock does not.
func makeAd(f adFacts, lastSeq uint64, now time.Time, ttl time.Duration) *wire.Ad {
	seq := max(uint64(now.UnixMilli()), lastSeq+1)
	ad := &wire.Ad{
		PeerId: []byte(f.self), Seq: seq, ExpiresMs: seq + uint64(ttl.Milliseconds()), Region: f.region,
		ScoreRpMilli: f.score, SlotsTotal: uint32(f.slots), SlotsFree: uint32(min(max(f.free, 0), f.slots)),
		Encoders: f.encoders, PriceMicroUsdPerHour: f.price, Stake: f.stake, QualityPpm: f.quality.ppm(),
		CoordinateUs: f.coordinate, IdleSinceMs: uint64(f.idleSince.UnixMilli()),
		Addrs: f.addrs[:min(len(f.addrs), maxAdAddrs)], FetchesApps: f.fetches,
	}
	apps := slices.Clone(f.apps)
	slices.SortFunc(apps, func(a, b App) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), bytes.Compare(a.SHA256[:], b.SHA256[:]))
	})
	for _, a := range apps[:min(len(apps), maxAdApps)] {
		offer := &wire.AppOffer{Sha256: bytes.Clone(a.SHA256[:]), Name: a.Name}
		if i, ok := f.info(a.SHA256); ok {
			offer.Warm, offer.Width, offer.Height, offer.Fps = true, uint32(i.Width), uint32(i.Height), uint32(i.FPS)
			offer.Seats = uint32(i.Seats)
			if i.Pointer {
				offer.Flags |= flagPointer
			}
			if i.PointerLock {
				offer.Flags |= flagPointerLock
			}
		}
		ad.Apps = append(ad.Apps, offer)
	}
	return ad
}

// quality is the record of good seconds over the sessions of some hours. A container
// without a past counts as good, with the weight of a minute.
type quality struct{ good, seconds uint64 }

const (
	qualityPrior = 60           // s
	qualityDecay = 10 * 60 * 60 // s; beyond this the past counts half
	million      = uint64(1e6)
)

// add takes in a session that ended.
func (q *quality) add(good, seconds int) {
	q.good += uint64(max(min(good, seconds), 0))
	q.seconds += uint64(max(seconds, 0))
	if q.seconds > qualityDecay {
		q.good, q.seconds = q.good/2, q.seconds/2
	}
}

func (q quality) ppm() uint32 {
	return uint32((q.good + qualityPrior) * million / (q.seconds + qualityPrior))
}
