package gateway

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Deadlines of everything after the launch.
const (
	stepTimeout   = 3 * time.Second
	statusTimeout = 1500 * time.Millisecond // the page waits for this to say that a machine is gone
	queueEvery    = 500 * time.Millisecond
)

func unmarshal(b []byte, m proto.Message) error { return proto.Unmarshal(b, m) }

// find returns the session's container and the binary form of its ids.
func (g *Gateway) find(ctx context.Context, id string) (*session, []byte, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 16 {
		return nil, nil, &Refused{Code: "no-session", Text: "This link names no session.", Try: "copy it again, whole"}
	}
	s, err := ask[*session](ctx, g, getSession{id})
	if err != nil {
		return nil, nil, err
	}
	if s == nil {
		return nil, nil, &Refused{Code: "no-session", Text: "This session is over, or it was started at another gateway.", Try: "ask for a new link, or start your own game"}
	}
	return s, raw, nil
}

// token picks the caller's token, or the one this gateway remembers for the peer
// connection: a plain WHEP player has only its resource URL.
func (s *session) token(peer, token string) ([]byte, error) {
	if token == "" {
		for _, c := range s.conns {
			if peer != "" && c.peer == peer {
				return c.token, nil
			}
		}
	} else if b, err := hex.DecodeString(token); err == nil && len(b) == 32 {
		return b, nil
	}
	return nil, &Refused{Code: "unauthorised", Text: "This link's token is not valid.", Try: "copy the link again, whole"}
}

// Join adds a peer connection to a running session.
func (g *Gateway) Join(ctx context.Context, r JoinRequest) (*Launched, error) {
	s, id, err := g.find(ctx, r.Session)
	if err != nil {
		return nil, err
	}
	token, err := s.token("", r.Token)
	if err != nil {
		return nil, err
	}
	began := g.o.Now()
	c, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	var resp wire.SignalResponse
	err = g.o.Calls.Call(c, s.container, "signal", &wire.SignalRequest{SessionId: id, Token: token,
		Step: &wire.SignalRequest_Offer{Offer: &wire.Offer{Sdp: r.Offer}}}, &resp)
	if err != nil {
		return nil, refusedBy(s.container, err)
	}
	if err := checkPeer(s.container, resp.Peer); err != nil {
		return nil, err
	}
	conn := hex.EncodeToString(resp.Peer)
	if _, err := ask[bool](ctx, g, addPeer{r.Session, conn, token}); err != nil {
		return nil, err
	}
	out := &Launched{Session: r.Session, Peer: conn, Container: s.container.String(), Role: Role(resp.Role),
		Answer: resp.Answer, Proof: resp.Proof, Certificate: s.certificate, Timing: Timing{Signal: g.o.Now().Sub(began)}}
	switch out.Role {
	case RoleOwner:
		out.OwnerToken = r.Token
	case RolePlay:
		out.PlayToken = r.Token
	default:
		out.WatchToken = r.Token
	}
	return out, nil
}

// step sends one signalling step of a peer connection.
func (g *Gateway) step(ctx context.Context, id, conn, token string, fill func(*wire.SignalRequest)) (*wire.SignalResponse, error) {
	s, raw, err := g.find(ctx, id)
	if err != nil {
		return nil, err
	}
	t, err := s.token(conn, token)
	if err != nil {
		return nil, err
	}
	p, err := hex.DecodeString(conn)
	if err != nil || len(p) == 0 || len(p) > maxPeerBytes {
		return nil, &Refused{Code: "no-session", Text: "This names no connection of the session.", Try: "reload the page"}
	}
	req := &wire.SignalRequest{SessionId: raw, Token: t, Peer: p}
	fill(req)
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	var resp wire.SignalResponse
	if err := g.o.Calls.Call(ctx, s.container, "signal", req, &resp); err != nil {
		return nil, refusedBy(s.container, err)
	}
	return &resp, nil
}

// Trickle adds the page's later candidates.
func (g *Gateway) Trickle(ctx context.Context, id, conn, token, fragment string) error {
	_, err := g.step(ctx, id, conn, token, func(r *wire.SignalRequest) {
		r.Step = &wire.SignalRequest_Candidates{Candidates: &wire.Candidates{Fragment: fragment}}
	})
	return err
}

// Restart restarts ICE and returns the container's fragment.
func (g *Gateway) Restart(ctx context.Context, id, conn, token, fragment string) (string, error) {
	resp, err := g.step(ctx, id, conn, token, func(r *wire.SignalRequest) {
		r.Step = &wire.SignalRequest_Restart{Restart: &wire.Restart{Fragment: fragment}}
	})
	if err != nil {
		return "", err
	}
	return resp.Answer, nil
}

// Leave ends one peer connection, or the session when the owner says so.
func (g *Gateway) Leave(ctx context.Context, id, conn, token string, end bool) error {
	_, err := g.step(ctx, id, conn, token, func(r *wire.SignalRequest) {
		r.Step = &wire.SignalRequest_Leave{Leave: &wire.Leave{EndSession: end}}
	})
	if err != nil {
		return err
	}
	_, _ = ask[bool](ctx, g, dropPeer{id, conn}) // if that fails, the next connections push it out
	return nil
}

// Status asks the container how the session is; it answers within 1.5 s or is gone.
func (g *Gateway) Status(ctx context.Context, id, token string) (SessionStatus, error) {
	s, raw, err := g.find(ctx, id)
	if err != nil {
		return SessionStatus{}, err
	}
	t, err := s.token("", token)
	if err != nil {
		return SessionStatus{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var resp wire.SignalResponse
	err = g.o.Calls.Call(ctx, s.container, "signal", &wire.SignalRequest{SessionId: raw, Token: t, Step: &wire.SignalRequest_Ping{Ping: &wire.Ping{}}}, &resp)
	if err != nil {
		return SessionStatus{}, refusedBy(s.container, err)
	}
	st := resp.GetState()
	return SessionStatus{Session: id, Container: s.container.String(), Phase: st.GetPhase(), App: st.GetApp(),
		Viewers: int(st.GetViewers()), StartedMS: int64(st.GetStartedMs()), Encoder: st.GetEncoder()}, nil
}

// appOf fills a catalogue entry from the app's manifest.
func appOf(id sha, m store.Manifest) App {
	return App{ID: id.String(), Name: m.Name, Title: m.Title, Description: m.Description, Author: m.Author, License: m.License, Controls: m.Controls, Category: cmp.Or(m.Category, store.CategoryGame)}
}

var errTicket = &Refused{Code: "no-session", Text: "This place in the queue is gone.", Try: "press play again"}

// Queue polls the container on the page's behalf until the slot came.
func (g *Gateway) Queue(ctx context.Context, id string) (<-chan QueueEvent, error) {
	t, err := ask[*ticket](ctx, g, getTicket{id})
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errTicket
	}
	out := make(chan QueueEvent, 1)
	go func() {
		defer close(out)
		every := time.NewTicker(queueEvery)
		defer every.Stop()
		last := QueueEvent{}
		for {
			ev := g.pollTicket(ctx, id, t)
			if ev == stillWaiting && last != (QueueEvent{}) {
				ev = last // the container was too busy to say more
			}
			if ev != last {
				select {
				case out <- ev:
				case <-ctx.Done():
					return
				}
				last = ev
			}
			if ev.State != "waiting" {
				return
			}
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// stillWaiting is the answer of a container that is too busy to look up the place.
var stillWaiting = QueueEvent{State: "waiting", Text: "Still waiting."}

// pollTicket asks once whether the slot came, and keeps the lease if it did.
func (g *Gateway) pollTicket(ctx context.Context, id string, t *ticket) QueueEvent {
	if t.lease != nil && g.o.Now().Before(t.lease.expires) {
		return QueueEvent{State: "ready", Text: "Your turn."} // it came to another reader of this ticket
	}
	raw, err := hex.DecodeString(id)
	if err != nil {
		return QueueEvent{State: "gone", Text: errTicket.Text}
	}
	c, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	var resp wire.ReserveResponse
	err = g.o.Calls.Call(c, t.container, "reserve", &wire.ReserveRequest{Certificate: t.certificate, Nonce: t.nonce, Player: t.player, Ticket: raw, Queue: true}, &resp)
	var e *rpc.Error
	switch {
	case errors.As(err, &e) && e.Code == wire.Code_BUSY:
		return stillWaiting
	case err != nil:
		return QueueEvent{State: "gone", Text: "The machine you waited for is gone. Press play again."}
	case len(resp.SessionId) == 0:
		_, _ = ask[*ticket](ctx, g, getTicket{id}) // keeps the ticket from being forgotten
		return QueueEvent{State: "waiting", Position: int(resp.QueuePosition)}
	}
	l, err := leaseOf(t.container, &resp)
	if err != nil {
		return QueueEvent{State: "gone", Text: "The machine you waited for does not keep the rules. Press play again."}
	}
	if _, err := ask[bool](ctx, g, leaseCame{id, *l}); err != nil {
		return QueueEvent{State: "gone", Text: "The gateway is too busy. Press play again."}
	}
	return QueueEvent{State: "ready", Text: "Your turn."}
}

// launchTicket starts the session whose slot came from the queue.
func (g *Gateway) launchTicket(ctx context.Context, r LaunchRequest) (*Launched, error) {
	t, err := ask[*ticket](ctx, g, getTicket{r.Ticket})
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errTicket
	}
	if t.lease == nil {
		switch ev := g.pollTicket(ctx, r.Ticket, t); ev.State {
		case "ready":
		case "gone":
			_, _ = ask[bool](ctx, g, dropTicket{r.Ticket})
			return nil, &Refused{Code: errTicket.Code, Text: ev.Text, Try: errTicket.Try}
		default:
			return nil, &Refused{Code: "no-slot", Text: "It is not your turn yet.", Try: "wait; the page starts by itself", Ticket: r.Ticket, Position: ev.Position, RetryAfter: time.Second}
		}
		if t, err = ask[*ticket](ctx, g, getTicket{r.Ticket}); err != nil {
			return nil, err
		}
		if t == nil || t.lease == nil {
			return nil, errTicket
		}
	}
	began := g.o.Now()
	out, err := g.firstOffer(ctx, r.Offer, t.lease, t.certificate)
	if err != nil {
		return nil, err
	}
	_, _ = ask[bool](ctx, g, dropTicket{r.Ticket})
	out.Timing.Signal = g.o.Now().Sub(began)
	return out, nil
}
