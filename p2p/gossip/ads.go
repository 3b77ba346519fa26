package gossip

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Limits on an ad, beside its size.
const (
	maxApps       = 64
	maxAppName    = 64 // bytes
	maxEncoders   = 8
	maxEncoder    = 32 // bytes
	maxAdAddrs    = 8
	maxAdAddr     = 256 // bytes
	maxCoordinate = 4
	maxSlots      = 4096
	maxPPM        = 1_000_000
)

// AdsTopic is the topic of a region's ads.
func AdsTopic(network, region string) string {
	return "/framemesh/" + network + "/ads/" + region + "/1"
}

// OpenAd verifies a sealed ad of a network: at most MaxMessage bytes, signed by the
// container it names, every field within its limits. region is the one it must be
// of; empty accepts any. It needs no clock: whether the ad is still valid is the
// caller's to decide. Errors wrap seal's or ErrContent.
func OpenAd(network, region string, sealed []byte) (*wire.Ad, error) {
	ad := new(wire.Ad)
	signer, err := seal.Open(network, seal.TypeAd, sealed, MaxMessage, ad)
	if err != nil {
		return nil, err
	}
	bad := func(what string) (*wire.Ad, error) { return nil, fmt.Errorf("%w: %s", ErrContent, what) }
	switch {
	case !bytes.Equal(ad.GetPeerId(), []byte(signer)):
		return bad("signed by another than the container it names")
	case !nameRule.MatchString(ad.GetRegion()):
		return bad("region is no name")
	case region != "" && ad.GetRegion() != region:
		return bad("of another region")
	case len(ad.GetApps()) > maxApps:
		return bad("too many apps")
	case ad.GetSlotsTotal() > maxSlots || ad.GetSlotsFree() > ad.GetSlotsTotal():
		return bad("slots")
	case len(ad.GetEncoders()) > maxEncoders:
		return bad("too many encoders")
	case ad.GetQualityPpm() > maxPPM:
		return bad("quality over 1000000 ppm")
	case len(ad.GetCoordinateUs()) > maxCoordinate:
		return bad("coordinate has too many values")
	case len(ad.GetAddrs()) > maxAdAddrs:
		return bad("too many addresses")
	}
	for _, app := range ad.GetApps() {
		if len(app.GetSha256()) != 32 || len(app.GetName()) > maxAppName || !utf8.ValidString(app.GetName()) {
			return bad("an app's hash or name")
		}
	}
	for _, e := range ad.GetEncoders() {
		if len(e) == 0 || len(e) > maxEncoder || !utf8.ValidString(e) {
			return bad("an encoder's name")
		}
	}
	for _, a := range ad.GetAddrs() {
		if len(a) == 0 || len(a) > maxAdAddr {
			return bad("an address")
		}
	}
	return ad, nil
}

// adSpec is what a region's ads topic demands.
func adSpec(network, region string, registered func(peer.ID) bool) Spec {
	return Spec{
		Registered: registered,
		Open: func(data []byte) (Statement, error) {
			ad, err := OpenAd(network, region, data)
			if err != nil {
				return Statement{}, err
			}
			return Statement{Signer: peer.ID(ad.GetPeerId()), Seq: ad.GetSeq(), ExpiresMs: ad.GetExpiresMs(), Body: ad}, nil
		},
	}
}

// Ads are the topics of the containers' offers, one for each region.
type Ads struct{ g *Gossip }

// Ads returns the ads of the network.
func (g *Gossip) Ads() Ads { return Ads{g} }

// Topic joins a region's ads.
func (a Ads) Topic(region string) (*Topic, error) {
	return a.g.Join(AdsTopic(a.g.cfg.Network, region), adSpec(a.g.cfg.Network, region, a.g.cfg.Registered))
}

// Publish spreads a sealed ad in its region. Errors are Join's and Topic.Publish's.
func (a Ads) Publish(ctx context.Context, region string, sealed []byte) error {
	t, err := a.Topic(region)
	if err != nil {
		return err
	}
	return t.Publish(ctx, sealed)
}

// Subscribe calls handle for each new ad of a region, one at a time until ctx ends
// or Close: from is the container, sealed the bytes it signed, ad the same decoded.
// Neither may be changed.
func (a Ads) Subscribe(ctx context.Context, region string, handle func(from peer.ID, sealed []byte, ad *wire.Ad)) error {
	t, err := a.Topic(region)
	if err != nil {
		return err
	}
	return t.Subscribe(ctx, func(m Message) {
		if ad, ok := m.Body.(*wire.Ad); ok {
			handle(m.Signer, m.Data, ad)
		}
	})
}
