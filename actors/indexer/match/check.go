package match

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// CheckAd says whether an ad that id sealed keeps the rules: it speaks for its
// signer, every list and text is within its limit, no app is named twice, free slots
// are not more than all, and it lives at most MaxAdLifetimeMS. The error is ErrAd.
func CheckAd(id peer.ID, ad *wire.Ad) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrAd, fmt.Sprintf(format, args...))
	}
	switch {
	case string(ad.GetPeerId()) != string(id):
		return bad("it speaks for another peer than its signer")
	case len(ad.GetApps()) > MaxApps:
		return bad("%d apps, at most %d", len(ad.GetApps()), MaxApps)
	case len(ad.GetEncoders()) > MaxEncoders:
		return bad("%d encoders, at most %d", len(ad.GetEncoders()), MaxEncoders)
	case len(ad.GetAddrs()) > MaxAddrs:
		return bad("%d addresses, at most %d", len(ad.GetAddrs()), MaxAddrs)
	case len(ad.GetCoordinateUs()) > MaxCoordinates:
		return bad("%d coordinates, at most %d", len(ad.GetCoordinateUs()), MaxCoordinates)
	case len(ad.GetRegion()) > maxText:
		return bad("region of %d bytes, at most %d", len(ad.GetRegion()), maxText)
	case ad.GetSlotsFree() > ad.GetSlotsTotal():
		return bad("%d free slots of %d", ad.GetSlotsFree(), ad.GetSlotsTotal())
	case ad.GetQualityPpm() > million:
		return bad("quality of %d ppm, at most %d", ad.GetQualityPpm(), million)
	case ad.GetExpiresMs() <= ad.GetSeq() || ad.GetExpiresMs()-ad.GetSeq() > MaxAdLifetimeMS:
		return bad("made at %d and expires at %d, at most %d ms apart", ad.GetSeq(), ad.GetExpiresMs(), MaxAdLifetimeMS)
	}
	seen := make(map[[32]byte]bool, len(ad.GetApps()))
	for _, app := range ad.GetApps() {
		if len(app.GetSha256()) != 32 || len(app.GetName()) > maxText {
			return bad("app %.64q has a hash of %d bytes", app.GetName(), len(app.GetSha256()))
		}
		sha := [32]byte(app.GetSha256())
		if seen[sha] {
			return bad("app %x is named twice", sha[:4])
		}
		seen[sha] = true
	}
	for _, e := range ad.GetEncoders() {
		if len(e) > maxText {
			return bad("encoder's name of %d bytes, at most %d", len(e), maxText)
		}
	}
	for _, a := range ad.GetAddrs() {
		if len(a) > maxAddr {
			return bad("address of %d bytes, at most %d", len(a), maxAddr)
		}
	}
	return nil
}

// CheckRequest says whether a match request keeps the rules. The error is ErrRequest.
func CheckRequest(req *wire.MatchRequest) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrRequest, fmt.Sprintf(format, args...))
	}
	switch {
	case len(req.GetRequestId()) != RequestIDBytes:
		return bad("request id of %d bytes, not %d", len(req.GetRequestId()), RequestIDBytes)
	case len(req.GetPlayer()) != 0 && len(req.GetPlayer()) != 32:
		return bad("player's key of %d bytes, not 32", len(req.GetPlayer()))
	case len(req.GetAppSha256()) != 32:
		return bad("app hash of %d bytes, not 32", len(req.GetAppSha256()))
	case len(req.GetRegion()) > maxText:
		return bad("region of %d bytes, at most %d", len(req.GetRegion()), maxText)
	case len(req.GetCoordinateUs()) > MaxCoordinates:
		return bad("%d coordinates, at most %d", len(req.GetCoordinateUs()), MaxCoordinates)
	case len(req.GetExclude()) > MaxExclude:
		return bad("%d excluded peers, at most %d", len(req.GetExclude()), MaxExclude)
	}
	for _, id := range req.GetExclude() {
		if len(id) > maxPeerID {
			return bad("excluded peer id of %d bytes, at most %d", len(id), maxPeerID)
		}
	}
	return nil
}
