package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
)

// Deadlines of the launch. They are long against what they bound (a match takes
// about a millisecond), short against a player's patience.
const (
	matchTimeout   = 1500 * time.Millisecond
	drawTimeout    = 2 * time.Second // a beacon may be one block ahead of this node
	reserveTimeout = 1500 * time.Millisecond
	signalTimeout  = 8 * time.Second // a cold worker may have to compile
	drawn          = 3               // indexers per request
)

// Launch matches, reserves and signals. Its errors are *Refused when the mesh said no.
func (g *Gateway) Launch(ctx context.Context, r LaunchRequest) (*Launched, error) {
	if r.Ticket != "" {
		return g.launchTicket(ctx, r)
	}
	t, err := ask[target](ctx, g, resolveApp{r.App})
	if err != nil {
		return nil, err
	}
	if !t.found {
		return nil, &Refused{Code: "no-app", Text: fmt.Sprintf("No container offers an app named %q.", r.App), Try: "choose one from the catalogue; new containers appear within 30 s"}
	}
	began := g.o.Now()
	cert, sealed, err := g.match(ctx, r, t.app, false)
	wait := false
	if refused := (*Refused)(nil); errors.As(err, &refused) && onlySlotsMissing(refused.Reasons) {
		wait = true
		cert, sealed, err = g.match(ctx, r, t.app, true)
	}
	if err != nil {
		return nil, err
	}
	matched := g.o.Now()
	l, err := g.reserve(ctx, r, t.app, cert, sealed, wait)
	if err != nil {
		return nil, err
	}
	reserved := g.o.Now()
	out, err := g.firstOffer(ctx, r.Offer, l, sealed)
	if err != nil {
		return nil, err
	}
	out.Timing = Timing{Match: matched.Sub(began), Reserve: reserved.Sub(matched), Signal: g.o.Now().Sub(reserved)}
	return out, nil
}

// onlySlotsMissing says whether every candidate failed for want of a free slot or
// for a reason that waiting does not change, and at least one for a slot.
func onlySlotsMissing(rs []Reason) bool {
	for _, r := range rs {
		if r.Filter == "slot" {
			return true
		}
	}
	return false
}

// match asks the indexers that the beacon draws for this request, best rank first,
// until one proves a match or two say that there is none.
func (g *Gateway) match(ctx context.Context, r LaunchRequest, app sha, wait bool) (*wire.Certificate, []byte, error) {
	indexers, err := ask[[]peer.ID](ctx, g, getIndexers{})
	if err != nil {
		return nil, nil, err
	}
	if len(indexers) == 0 {
		return nil, nil, &Refused{Code: "no-indexer", Text: "No indexer of this region can be found.", Try: "again in a few seconds; if it stays so, check p2p.bootstrap, or add \"indexer\" to the roles of this node"}
	}
	found := len(indexers)
	if indexers, err = match.Eligible(ctx, g.o.Beacon, indexers); err != nil {
		g.o.Log.Debug("who may be drawn is not known", "err", err)
		return nil, nil, &Refused{Code: "no-indexer", Text: "This gateway does not know yet which indexers may be drawn.", Try: "again in a few seconds: it is still getting to the ledger's head", RetryAfter: 2 * time.Second}
	}
	if len(indexers) == 0 {
		return nil, nil, &Refused{Code: "no-indexer", Text: fmt.Sprintf("%d indexers were found, and the ledger lists none of them for this epoch.", found), Try: "again in a few minutes: an indexer with stake counts from the second epoch on"}
	}
	beacon, err := g.o.Beacon.Beacon(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: beacon: %w", err)
	}
	req := &wire.MatchRequest{RequestId: randomBytes(16), Player: r.Player, AppSha256: app[:], Region: g.o.Region,
		MaxPriceMicroUsdPerHour: r.MaxPrice, MadeMs: uint64(g.o.Now().UnixMilli()), Wait: wait}
	for _, e := range r.Exclude {
		if id, err := peer.Decode(e); err == nil && len(id) <= maxPeerBytes && len(req.Exclude) < match.MaxExclude {
			req.Exclude = append(req.Exclude, []byte(id))
		}
	}
	var last error
	var no *Refused
	for _, id := range match.Draw(beacon, req.RequestId, indexers, drawn) {
		c, cancel := context.WithTimeout(ctx, matchTimeout)
		var resp wire.MatchResponse
		err := g.o.Calls.Call(c, id, "match", req, &resp)
		cancel()
		if err == nil {
			cert, err := match.Verify(resp.Certificate, g.o.Network)
			if err == nil {
				err = match.Answers(cert, req)
			}
			if err == nil {
				err = timely(cert, g.o.Now())
			}
			if err == nil {
				err = g.drawnWell(ctx, cert)
			}
			switch {
			case err != nil:
				if g.o.Accuse != nil {
					g.o.Accuse(resp.Certificate)
				}
				last = fmt.Errorf("gateway: the certificate of indexer %s does not verify: %w", id, err)
			case peer.ID(cert.Indexer) != id:
				last = fmt.Errorf("gateway: indexer %s sent the certificate of another", id)
			default:
				return cert, resp.Certificate, nil
			}
			g.o.Log.Warn("indexer dropped for this request", "indexer", id, "err", last)
			continue
		}
		if refusal := refusalOf(err); refusal != nil {
			// A certificate proves itself; a no does not. It takes a second indexer to say it.
			if no != nil {
				return nil, nil, fuller(no, refusal)
			}
			no = refusal
			continue
		}
		last = err
	}
	if no != nil {
		return nil, nil, no
	}
	if last == nil {
		last = errors.New("no indexer drawn")
	}
	return nil, nil, &Refused{Code: "no-indexer", Text: fmt.Sprintf("No indexer answered (%v).", last), Try: "again in a few seconds"}
}

// drawnWell says whether a certificate's draw counts, which containers ask too, and whether
// its figures are the ledger's.
func (g *Gateway) drawnWell(ctx context.Context, c *wire.Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, drawTimeout)
	defer cancel()
	if err := match.CheckDraw(ctx, g.o.Beacon, c); err != nil {
		return err
	}
	return match.CheckFigures(ctx, g.o.Figures, c)
}

// Bounds on when a certificate says that it was made, beside this gateway's clock. A
// container refuses what is outside of them, so such a match would be for nothing.
const (
	certificateAge = 60 * time.Second
	clockSkew      = 10 * time.Second
)

// timely says whether containers will take a certificate now.
func timely(c *wire.Certificate, now time.Time) error {
	switch made := time.UnixMilli(int64(c.MadeMs)); {
	case now.Sub(made) > certificateAge:
		return fmt.Errorf("it says that it is %s old; one of the clocks is wrong", now.Sub(made).Round(time.Second))
	case made.Sub(now) > clockSkew:
		return fmt.Errorf("it says that it was made in %s; one of the clocks is wrong", made.Sub(now).Round(time.Second))
	}
	return nil
}

// fuller is the refusal that says more.
func fuller(a, b *Refused) *Refused {
	if len(b.Reasons) > len(a.Reasons) {
		return b
	}
	return a
}

// reserve takes the first of the certificate's containers that has a slot, or a
// place in the best one's queue.
func (g *Gateway) reserve(ctx context.Context, r LaunchRequest, app sha, cert *wire.Certificate, sealed []byte, wait bool) (*lease, error) {
	nonce := randomBytes(16)
	var last error
	if !wait {
		for _, ch := range cert.Top {
			id := peer.ID(ch.Container)
			resp, err := g.reserveAt(ctx, id, &wire.ReserveRequest{Certificate: sealed, Nonce: nonce, Player: r.Player})
			if err == nil {
				var l *lease
				if l, err = leaseOf(id, resp); err == nil {
					return l, nil
				}
			}
			last = err
			g.o.Log.Debug("container refused", "container", id, "err", err)
		}
	}
	// every candidate is taken: wait at the best that answers
	for _, ch := range cert.Top {
		id := peer.ID(ch.Container)
		resp, err := g.reserveAt(ctx, id, &wire.ReserveRequest{Certificate: sealed, Nonce: nonce, Player: r.Player, Queue: true})
		if err != nil {
			last = err
			continue
		}
		if len(resp.Ticket) != ticketBytes {
			l, err := leaseOf(id, resp)
			if err != nil {
				last = err
				continue
			}
			return l, nil
		}
		key := hex.EncodeToString(resp.Ticket)
		if _, err := ask[bool](ctx, g, putTicket{key, ticket{container: id, certificate: sealed, nonce: nonce, app: app, player: r.Player}}); err != nil {
			return nil, err
		}
		return nil, &Refused{Code: "no-slot", Text: "Every machine that could run this is busy.", Try: "wait for your turn; the page starts by itself",
			Ticket: key, Position: int(resp.QueuePosition), RetryAfter: 2 * time.Second}
	}
	if no := (*rpc.Error)(nil); errors.As(last, &no) && no.Code == wire.Code_UNAUTHORISED && len(r.Player) == 0 {
		return nil, &Refused{Code: "payment", Text: "The machines that could run this are paid by the second, and this player has no key to pay with.",
			Try: "use a browser with Ed25519 keys (a current Chrome, Edge, Firefox or Safari), or a game that is free"}
	}
	return nil, &Refused{Code: "busy", Text: fmt.Sprintf("The matched containers did not answer (%v).", last), Try: "again in a few seconds", RetryAfter: 2 * time.Second}
}

func (g *Gateway) reserveAt(ctx context.Context, id peer.ID, req *wire.ReserveRequest) (*wire.ReserveResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	var resp wire.ReserveResponse
	if err := g.o.Calls.Call(ctx, id, "reserve", req, &resp); err != nil {
		return nil, err
	}
	return &resp, nil
}

// Lengths of what a container names, in bytes. It is a stranger: what it sends is kept
// only if it has the form that the protocol gives it.
const (
	sessionBytes = 16
	secretBytes  = 32
	ticketBytes  = 16
	maxPeerBytes = 64
)

// errRules: a container's answer is not one that the protocol has.
var errRules = errors.New("gateway: the container's answer breaks the protocol")

// leaseOf reads the lease in an answer to a reservation.
func leaseOf(id peer.ID, r *wire.ReserveResponse) (*lease, error) {
	if len(r.SessionId) != sessionBytes || len(r.Secret) != secretBytes {
		return nil, fmt.Errorf("%w: a session of %d and a secret of %d bytes", errRules, len(r.SessionId), len(r.Secret))
	}
	return &lease{container: id, session: r.SessionId, secret: r.Secret, expires: time.UnixMilli(int64(r.ExpiresMs))}, nil
}

// checkPeer refuses the name of a peer connection that could not be told from others.
func checkPeer(container peer.ID, p []byte) error {
	if len(p) == 0 || len(p) > maxPeerBytes {
		return refusedBy(container, fmt.Errorf("%w: a connection's name of %d bytes", errRules, len(p)))
	}
	return nil
}

// firstOffer signals the page's offer to the leased slot and remembers the session.
func (g *Gateway) firstOffer(ctx context.Context, offer string, l *lease, certificate []byte) (*Launched, error) {
	owner := token(l.secret, RoleOwner)
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	var resp wire.SignalResponse
	err := g.o.Calls.Call(ctx, l.container, "signal", &wire.SignalRequest{SessionId: l.session, Token: owner,
		Step: &wire.SignalRequest_Offer{Offer: &wire.Offer{Sdp: offer}}}, &resp)
	if err != nil {
		return nil, refusedBy(l.container, err)
	}
	if err := checkPeer(l.container, resp.Peer); err != nil {
		return nil, err
	}
	id := hex.EncodeToString(l.session)
	s := session{container: l.container, certificate: certificate}
	s.join(hex.EncodeToString(resp.Peer), owner)
	if _, err := ask[bool](ctx, g, putSession{id, s}); err != nil {
		return nil, err
	}
	return &Launched{Session: id, Peer: hex.EncodeToString(resp.Peer), Container: l.container.String(), Role: RoleOwner,
		Answer: resp.Answer, Proof: resp.Proof, Certificate: certificate,
		OwnerToken: hex.EncodeToString(owner), PlayToken: hex.EncodeToString(token(l.secret, RolePlay)), WatchToken: hex.EncodeToString(token(l.secret, RoleWatch))}, nil
}

// token derives the token of a role from a session's secret.
func token(secret []byte, r Role) []byte {
	t := stream.Token(secret, stream.Role(r))
	return t[:]
}

// refusalOf turns an indexer's NO_MATCH into words; nil for other errors.
func refusalOf(err error) *Refused {
	var e *rpc.Error
	if !errors.As(err, &e) || e.Code != wire.Code_NO_MATCH {
		return nil
	}
	r := &Refused{Code: "no-match", Text: "No machine fits this request.", Try: "the reasons below say what to change"}
	var m wire.MatchRefusal
	if unmarshal(e.Detail, &m) == nil {
		for _, x := range m.Rejections[:min(len(m.Rejections), match.MaxRejections)] {
			r.Reasons = append(r.Reasons, Reason{Container: peer.ID(clip(x.Container)).String(), Filter: string(clip(x.Filter)), Reason: string(clip(x.Reason))})
		}
		if m.Candidates == 0 {
			r.Text, r.Try = "No machine is online for this app.", "again in half a minute; a container announces itself every 30 s"
		}
	}
	return r
}

// clip bounds a text of a stranger.
func clip[T string | []byte](s T) T { return s[:min(len(s), 200)] }

// refusedBy turns a container's answer into words for a person.
func refusedBy(id peer.ID, err error) error {
	var e *rpc.Error
	if !errors.As(err, &e) {
		return &Refused{Code: "container-gone", Text: "The container stopped answering.", Try: "play again: another machine is matched", Reasons: []Reason{{id.String(), "signal", err.Error()}}}
	}
	r := &Refused{Code: "busy", Text: e.Message, Try: "again in a moment", RetryAfter: e.RetryAfter}
	switch e.Code {
	case wire.Code_NOT_FOUND, wire.Code_EXPIRED:
		r.Code, r.Try = "no-session", "start the game again"
	case wire.Code_UNAUTHORISED:
		r.Code, r.Try = "unauthorised", "ask the player for a new link"
	case wire.Code_INVALID, wire.Code_TOO_LARGE:
		r.Code, r.Try = "invalid", "reload the page; if it stays so, the browser's offer is not understood"
	case wire.Code_UNAVAILABLE, wire.Code_INTERNAL, wire.Code_DEADLINE:
		r.Code, r.Try = "container-gone", "play again: another machine is matched"
	}
	return r
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24: the process ends instead
	return b
}
