// Package match decides which containers serve a player: it holds the table of ads,
// filters and scores them, and makes and checks the certificate that says why. It is
// pure: no clock, no randomness, no goroutine, no I/O; time comes in as unix
// milliseconds and the beacon as 32 bytes. All arithmetic is on integers, so that
// two machines never differ. docs/spec/match.md has the rules in words.
//
// A filter is never relaxed: when nothing passes, the answer is ErrNoMatch with the
// filter and the two figures compared for each candidate.
package match

import "errors"

// Errors of this package, wrapped with what was being done.
var (
	// ErrNoMatch: no candidate passes the filters. It comes as a *NoMatch.
	ErrNoMatch = errors.New("match: no container fits; the reasons say what to change")
	// ErrAd: an ad breaks a rule of docs/spec/match.md.
	ErrAd = errors.New("match: ad is not valid")
	// ErrStale: the table has an ad of this container that is as new or newer.
	ErrStale = errors.New("match: a newer ad of this container is known")
	// ErrFull: the table has no room for another container.
	ErrFull = errors.New("match: table is full")
	// ErrRequest: a match request breaks a rule.
	ErrRequest = errors.New("match: request is not valid")
	// ErrIndexer: a certificate is by, or names as drawn, an indexer that may not be drawn.
	ErrIndexer = errors.New("match: an indexer without stake, or not yet long enough")
	// ErrBeacon: a certificate was drawn with randomness that is not in force.
	ErrBeacon = errors.New("match: drawn with another beacon than that of this epoch or the one before")
	// ErrCertificate: a certificate is not what an honest indexer signs.
	ErrCertificate = errors.New("match: certificate does not hold")
)

// Limits of ads, requests and certificates.
const (
	MaxAdBytes          = 8 << 10  // of a sealed ad
	MaxCertificateBytes = 40 << 10 // of a sealed certificate: the ledger takes one that is wrong as proof
	MaxAdLifetimeMS     = 120_000  // from seq to expires_ms
	MaxApps             = 64       // per ad
	MaxEncoders         = 8        // per ad
	MaxAddrs            = 8        // per ad
	MaxCoordinates      = 4        // values of a network coordinate
	MaxExclude          = 16       // peers a request may exclude
	MaxRejections       = 32       // reasons that go out with ErrNoMatch
	MaxTop              = 3        // choices of a certificate
	MaxDrawn            = 3        // indexers named in a certificate
	RequestIDBytes      = 16
	maxText             = 64  // bytes of a region, an app's name, an encoder's name
	maxPeerID           = 64  // bytes of a peer id
	maxAddr             = 256 // bytes of a multiaddr
)
