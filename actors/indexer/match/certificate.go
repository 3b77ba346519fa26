package match

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Certificate makes the certificate of a result. request is the marshalled
// MatchRequest exactly as it came; indexers are those the signer knows, itself among
// them, of whom the beacon's draw is recorded.
func (r *Result) Certificate(indexer peer.ID, request, requestID []byte, beacon [32]byte, indexers []peer.ID) *wire.Certificate {
	c := &wire.Certificate{
		Indexer: []byte(indexer), Request: request, CandidateRoot: r.Root[:], Candidates: uint32(r.Candidates),
		Top: r.Top, MadeMs: r.MadeMS, Beacon: beacon[:],
	}
	for _, id := range Draw(beacon, requestID, indexers, MaxDrawn) {
		c.Drawn = append(c.Drawn, []byte(id))
	}
	return c
}

// Sign seals a certificate.
func Sign(c *wire.Certificate, network string, key crypto.PrivKey) ([]byte, error) {
	return seal.Seal(network, seal.TypeMatch, c, key)
}

// Verify checks a sealed certificate as far as it can be checked without the other
// candidates: the signer is the indexer it names; the request is valid; and each
// choice is an ad that its container sealed, that was alive when the certificate was
// made, that passes every filter, that has exactly the score that follows from it,
// that is in its place in the order, and that is under the candidate root. It does
// not know what the time is: whoever uses a certificate checks made_ms. Nor does it know a
// ledger: that figures, where a choice has them, are the ledger's is for CheckFigures.
//
// The error is ErrCertificate, or what seal.Open returned, with what is wrong.
func Verify(sealed []byte, network string) (*wire.Certificate, error) {
	var c wire.Certificate
	signer, err := seal.Open(network, seal.TypeMatch, sealed, MaxCertificateBytes, &c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if err := verify(&c, signer, network); err != nil {
		return nil, err
	}
	return &c, nil
}

// Request returns the request that a certificate answers.
func Request(c *wire.Certificate) (*wire.MatchRequest, error) {
	var req wire.MatchRequest
	if err := proto.Unmarshal(c.GetRequest(), &req); err != nil {
		return nil, fmt.Errorf("%w: its request does not decode: %v", ErrCertificate, err)
	}
	if err := CheckRequest(&req); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return &req, nil
}

// Answers says whether a certificate answers exactly this request; whoever asked
// checks it, so that an indexer cannot answer one request with the match of another.
func Answers(c *wire.Certificate, req *wire.MatchRequest) error {
	got, err := Request(c)
	if err != nil {
		return err
	}
	if !proto.Equal(got, req) {
		return fmt.Errorf("%w: it answers another request", ErrCertificate)
	}
	return nil
}

func verify(c *wire.Certificate, signer peer.ID, network string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrCertificate, fmt.Sprintf(format, args...))
	}
	req, err := Request(c)
	if err != nil {
		return err
	}
	switch {
	case string(c.GetIndexer()) != string(signer):
		return bad("signed by another than the indexer it names")
	case len(c.GetCandidateRoot()) != 32:
		return bad("candidate root of %d bytes, not 32", len(c.GetCandidateRoot()))
	case len(c.GetBeacon()) != 32:
		return bad("beacon of %d bytes, not 32", len(c.GetBeacon()))
	case len(c.GetTop()) == 0 || len(c.GetTop()) > MaxTop:
		return bad("%d choices, not 1 to %d", len(c.GetTop()), MaxTop)
	case uint64(c.GetCandidates()) < uint64(len(c.GetTop())):
		return bad("%d choices of %d candidates", len(c.GetTop()), c.GetCandidates())
	}
	if err := verifyDraw(c, req); err != nil {
		return err
	}
	q := newQuery(req)
	var last rank
	for i, choice := range c.GetTop() {
		r, err := verifyChoice(c, choice, q, network)
		if err != nil {
			return fmt.Errorf("%w: choice %d: %w", ErrCertificate, i+1, err)
		}
		if i > 0 && !last.before(r) {
			return bad("choice %d ranks below choice %d", i, i+1)
		}
		last = r
	}
	return nil
}

// verifyChoice recomputes one choice from the ad in it and returns its rank.
func verifyChoice(c *wire.Certificate, choice *wire.Choice, q *query, network string) (rank, error) {
	var ad wire.Ad
	id, err := seal.Open(network, seal.TypeAd, choice.GetAd(), MaxAdBytes, &ad)
	if err != nil {
		return rank{}, err
	}
	if err := CheckAd(id, &ad); err != nil {
		return rank{}, err
	}
	if string(choice.GetContainer()) != string(id) {
		return rank{}, errors.New("the ad is of another container")
	}
	f := factsOf(&ad)
	measured := measuredOf(choice.GetMeasured())
	if measured != nil {
		if err := measured.check(); err != nil {
			return rank{}, err
		}
		f.measure(measured)
	}
	apps := appsOf(&ad)
	has := false
	for _, app := range apps {
		has = has || app == q.app
	}
	d2 := q.distance2(&f)
	if why := q.judge(c.GetMadeMs(), id, &f, has, d2); why != passes {
		return rank{}, fmt.Errorf("it fails the filter %q: %s", why, q.reason(why, c.GetMadeMs(), &f, len(apps), d2))
	}
	parts := f.parts(c.GetMadeMs(), d2)
	if points := f.points(c.GetMadeMs(), d2); choice.GetScore() != points || !proto.Equal(choice.GetParts(), parts) {
		return rank{}, fmt.Errorf("its score is %d, not %d", points, choice.GetScore())
	}
	if !holdsLeaf(hash(c.GetCandidateRoot()), leafOf(choice.GetAd(), measured), choice.GetLeaf(), c.GetCandidates(), choice.GetPath()) {
		return rank{}, errors.New("its ad and figures are not under the candidate root")
	}
	return rank{readiness(&f, has), choice.GetScore(), id}, nil
}

// verifyDraw checks that the drawn indexers are in the order of their ranks. Who else
// could have been drawn is known only to those who know all indexers.
func verifyDraw(c *wire.Certificate, req *wire.MatchRequest) error {
	if len(c.GetDrawn()) > MaxDrawn {
		return fmt.Errorf("%w: %d indexers drawn, at most %d", ErrCertificate, len(c.GetDrawn()), MaxDrawn)
	}
	var last [32]byte
	for i, raw := range c.GetDrawn() {
		if len(raw) > maxPeerID {
			return fmt.Errorf("%w: drawn indexer's id of %d bytes", ErrCertificate, len(raw))
		}
		r := drawRank([32]byte(c.GetBeacon()), req.GetRequestId(), peer.ID(raw))
		if i > 0 && bytes.Compare(last[:], r[:]) >= 0 {
			return fmt.Errorf("%w: drawn indexers are not in the order of their ranks", ErrCertificate)
		}
		last = r
	}
	return nil
}
