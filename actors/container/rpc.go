package container

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/blob"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
)

const (
	certificateAge = 60 * time.Second // that a reservation may come after its match
	clockSkew      = 10 * time.Second // that an indexer's clock may be ahead
	drawTimeout    = 2 * time.Second  // for the ledger to say whether a draw counts
)

var (
	errNoSession = rpc.Errorf(wire.Code_NOT_FOUND, "this session is over; start the game again")
	errNoApp     = errors.New("container: the app is not installed here; match again")
)

// Limits of the RPCs. Gateways ask on behalf of many players.
var (
	reserveLimits = rpc.Limits{MaxRequest: match.MaxCertificateBytes + 512, MaxResponse: 512, Timeout: 3 * time.Second,
		PerPeerRate: 200, Burst: 400, MaxConcurrent: 64, MaxPerPeer: 32}
	signalLimits = rpc.Limits{MaxRequest: stream.MaxOffer + 1024, MaxResponse: 128 << 10, Timeout: 10 * time.Second,
		PerPeerRate: 200, Burst: 400, MaxConcurrent: 64, MaxPerPeer: 32}
	smallLimits = rpc.Limits{MaxRequest: 64, MaxResponse: 16 << 10, Timeout: 3 * time.Second,
		PerPeerRate: 20, Burst: 40, MaxConcurrent: 32}
)

// serve registers the protocols.
func (c *Container) serve(s *rpc.Server) {
	rpc.Handle(s, "reserve", reserveLimits, c.onReserve)
	rpc.Handle(s, "signal", signalLimits, c.onSignal)
	if c.o.Segments != nil {
		rpc.Handle(s, AuditProtocol, auditLimits, newAudits(c).answer)
	}
	rpc.Handle(s, "ad", smallLimits, func(ctx context.Context, _ peer.ID, _ *wire.AdRequest) (*wire.AdResponse, error) {
		ad, err := c.Ad(ctx)
		if err != nil {
			return nil, wireError(err)
		}
		return &wire.AdResponse{Ad: ad}, nil
	})
	blob.Serve(s, c.o.Apps)
}

// onReserve checks what can be checked without the actor and asks it.
func (c *Container) onReserve(ctx context.Context, from peer.ID, req *wire.ReserveRequest) (*wire.ReserveResponse, error) {
	m := reserve{from: from, queue: req.GetQueue()}
	if len(req.GetNonce()) != len(m.nonce) {
		return nil, rpc.Errorf(wire.Code_INVALID, "a nonce has %d bytes, not %d; make a random one", len(m.nonce), len(req.GetNonce()))
	}
	m.nonce = nonce(req.GetNonce())
	if n := len(req.GetPlayer()); n != 0 && n != 32 {
		return nil, rpc.Errorf(wire.Code_INVALID, "a player's key has 32 bytes, not %d; send none if there is none", n)
	}
	m.player = bytes.Clone(req.GetPlayer())
	if len(req.GetTicket()) > 0 {
		// Its certificate was checked when the ticket was given.
		if len(req.GetTicket()) != 16 {
			return nil, rpc.Errorf(wire.Code_INVALID, "a ticket has 16 bytes, not %d; reserve without one", len(req.GetTicket()))
		}
		t := ticket(req.GetTicket())
		m.ticket = &t
	} else {
		cert, err := c.checkCertificate(req.GetCertificate(), time.Now(), &m)
		if err == nil {
			err = c.checkDraw(ctx, cert)
		}
		if err != nil {
			return nil, err
		}
		var app App
		if app, m.here = c.o.Apps.Get(m.app); m.here {
			m.title = cmp.Or(app.Title, app.Name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if c.o.priced() {
		if len(m.player) == 0 {
			return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "this machine is paid by the second and the player has no key to pay with; play with a key, or on a machine that is free")
		}
		var err error
		if m.terms, err = c.terms(ctx); err != nil {
			c.o.Log.Warn("no session can be opened: what a second costs is not known", "err", err)
			return nil, rpc.Errorf(wire.Code_UNAVAILABLE, "this machine does not know what a second costs just now (no fresh price of the money); try again in a moment")
		}
	}
	resp, err := supervise.Ask[*wire.ReserveResponse](ctx, c.ref, m)
	if err != nil {
		return nil, wireError(err)
	}
	return resp, nil
}

// checkCertificate verifies that an indexer matched this container, lately, and takes
// the request from the certificate.
func (c *Container) checkCertificate(sealed []byte, now time.Time, m *reserve) (*wire.Certificate, error) {
	cert, err := c.o.Verify(sealed, c.o.Network)
	if err != nil {
		if c.o.Accuse != nil {
			c.o.Accuse(sealed)
		}
		return nil, rpc.Errorf(wire.Code_INVALID, "the match certificate does not verify (%v); match again", err)
	}
	made := time.UnixMilli(int64(cert.GetMadeMs()))
	switch {
	case now.Sub(made) > certificateAge:
		return nil, rpc.Errorf(wire.Code_EXPIRED, "the match is %s old, at most %s; match again", now.Sub(made).Round(time.Second), certificateAge)
	case made.Sub(now) > clockSkew:
		return nil, rpc.Errorf(wire.Code_INVALID, "the match was made %s in the future; check the indexer's clock", made.Sub(now).Round(time.Second))
	}
	named := false
	for _, ch := range cert.GetTop() {
		named = named || bytes.Equal(ch.GetContainer(), []byte(c.self))
	}
	if !named {
		return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "the match names other machines; ask one of those")
	}
	var req wire.MatchRequest
	if err := proto.Unmarshal(cert.GetRequest(), &req); err != nil || len(req.GetAppSha256()) != 32 || len(req.GetRequestId()) != 16 {
		return nil, rpc.Errorf(wire.Code_INVALID, "the match is of a malformed request; match again")
	}
	if p := req.GetPlayer(); len(p) > 0 && len(m.player) > 0 && !bytes.Equal(p, m.player) {
		return nil, rpc.Errorf(wire.Code_INVALID, "the match was made for another player; match again")
	}
	m.app, m.request = [32]byte(req.GetAppSha256()), [16]byte(req.GetRequestId())
	return cert, nil
}

// checkDraw refuses matches of indexers that could not be drawn, or with a randomness that
// is not in force: they were made by somebody who chose the indexer.
func (c *Container) checkDraw(ctx context.Context, cert *wire.Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, drawTimeout)
	defer cancel()
	switch err := match.CheckDraw(ctx, c.o.Draws, cert); {
	case err == nil:
		return nil
	case errors.Is(err, match.ErrIndexer):
		return rpc.Errorf(wire.Code_UNAUTHORISED, "the match is by an indexer that the ledger does not list for this epoch; match again")
	case errors.Is(err, match.ErrBeacon):
		return rpc.Errorf(wire.Code_EXPIRED, "the match was not drawn with the randomness of this epoch or the one before; match again")
	default:
		c.o.Log.Debug("a draw cannot be judged", "err", err)
		return rpc.Errorf(wire.Code_UNAVAILABLE, "this machine does not know who may be drawn yet (it is not at the ledger's head); try again in a moment")
	}
}

// onSignal hands a step of signalling to its session.
func (c *Container) onSignal(ctx context.Context, _ peer.ID, req *wire.SignalRequest) (*wire.SignalResponse, error) {
	if len(req.GetSessionId()) != 16 {
		return nil, rpc.Errorf(wire.Code_INVALID, "a session id has 16 bytes, not %d; start the game again", len(req.GetSessionId()))
	}
	look, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	id := [16]byte(req.GetSessionId())
	at, err := supervise.Ask[place](look, c.ref, lookup{id})
	if err != nil {
		return nil, wireError(err)
	}
	token, conn := req.GetToken(), string(req.GetPeer())
	switch step := req.GetStep().(type) {
	case *wire.SignalRequest_Offer:
		return c.offer(ctx, at, id, token, step.Offer.GetSdp())
	case *wire.SignalRequest_Candidates:
		_, err = supervise.Ask[session.Done](ctx, at.ref, session.Candidates{Token: token, Peer: conn, Fragment: step.Candidates.GetFragment()})
	case *wire.SignalRequest_Restart:
		fragment, err := supervise.Ask[string](ctx, at.ref, session.RestartICE{Token: token, Peer: conn, Fragment: step.Restart.GetFragment()})
		if err != nil {
			return nil, wireError(err)
		}
		return &wire.SignalResponse{Peer: req.GetPeer(), Answer: fragment}, nil
	case *wire.SignalRequest_Leave:
		_, err = supervise.Ask[session.Done](ctx, at.ref, session.Leave{Token: token, Peer: conn, End: step.Leave.GetEndSession()})
	case *wire.SignalRequest_Ping:
		sum, err := supervise.Ask[session.Summary](ctx, at.ref, session.GetStatus{Token: token})
		if err != nil {
			return nil, wireError(err)
		}
		return &wire.SignalResponse{State: stateOf(sum)}, nil
	default:
		return nil, rpc.Errorf(wire.Code_INVALID, "the request has no step that this version knows; update framemesh")
	}
	if err != nil {
		return nil, wireError(err)
	}
	return &wire.SignalResponse{Peer: req.GetPeer()}, nil
}

// offer gets the answer and signs that it is this container's.
func (c *Container) offer(ctx context.Context, at place, id [16]byte, token []byte, sdp string) (*wire.SignalResponse, error) {
	if len(sdp) > stream.MaxOffer {
		return nil, rpc.Errorf(wire.Code_TOO_LARGE, "the offer has %d bytes, at most %d; offer fewer codecs", len(sdp), stream.MaxOffer)
	}
	j, err := supervise.Ask[session.Joined](ctx, at.ref, session.Join{Token: token, Offer: sdp})
	if err != nil {
		return nil, wireError(err)
	}
	sum := sha256.Sum256([]byte(sdp))
	proof, err := seal.Seal(c.o.Network, seal.TypeAnswer, &wire.AnswerProof{
		Container: []byte(c.self), SessionId: id[:], OfferSha256: sum[:], Fingerprint: j.Fingerprint[:], MadeMs: uint64(time.Now().UnixMilli()), Terms: at.terms,
	}, c.o.Key)
	if err != nil {
		return nil, err
	}
	return &wire.SignalResponse{Peer: []byte(j.Peer), Answer: j.Answer, Proof: proof, Role: string(j.Role), State: stateOf(j.Summary)}, nil
}

func stateOf(s session.Summary) *wire.SessionState {
	return &wire.SessionState{Phase: string(s.Phase), App: s.App, Viewers: uint32(s.Viewers), StartedMs: uint64(s.Started.UnixMilli()), Encoder: s.Encoder}
}

// wireError gives an error of the actors its code. Texts of errors that are made for
// people go along; others stay here.
func wireError(err error) error {
	var ready *rpc.Error
	if errors.As(err, &ready) {
		return ready
	}
	for _, c := range []struct {
		is   error
		code wire.Code
	}{
		{session.ErrToken, wire.Code_UNAUTHORISED}, {session.ErrRole, wire.Code_UNAUTHORISED},
		{session.ErrNoPeer, wire.Code_NOT_FOUND}, {session.ErrEnding, wire.Code_NOT_FOUND},
		{session.ErrSeats, wire.Code_BUSY}, {gpu.ErrBusy, wire.Code_BUSY},
		{stream.ErrSeat, wire.Code_BUSY}, {stream.ErrFull, wire.Code_BUSY},
		{stream.ErrTooLarge, wire.Code_TOO_LARGE}, {stream.ErrOffer, wire.Code_INVALID}, {stream.ErrFragment, wire.Code_INVALID},
		{stream.ErrNoPeer, wire.Code_NOT_FOUND}, {stream.ErrClosed, wire.Code_NOT_FOUND},
	} {
		if errors.Is(err, c.is) {
			return rpc.Errorf(c.code, "%s", err)
		}
	}
	switch {
	case errors.Is(err, supervise.ErrStopped), errors.Is(err, supervise.ErrFailed):
		return errNoSession
	case errors.Is(err, supervise.ErrBusy):
		return busy("this machine has too many requests at once; try again in a moment")
	}
	return err // a deadline, or INTERNAL
}
