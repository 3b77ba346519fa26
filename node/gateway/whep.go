package gateway

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/stream/whep"
)

const (
	maxOffer    = 64 << 10 // bytes
	maxFragment = 16 << 10 // bytes
	maxExclude  = 16

	bodyTimeout   = 5 * time.Second
	launchTimeout = 20 * time.Second
	stepTimeout   = 5 * time.Second
)

var (
	appRule  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) // a short name or 64 hex digits
	hexRule  = regexp.MustCompile(`^[0-9a-f]{2,128}$`)
	peerRule = regexp.MustCompile(`^[A-Za-z0-9]{8,128}$`)
)

// postOffer starts a session, or joins one when the query names it.
func (s *Server) postOffer(w http.ResponseWriter, r *http.Request) {
	app := r.PathValue("app")
	if !appRule.MatchString(app) {
		invalid(w, http.StatusNotFound, "no-app", "There is no app of that name.", "Choose one of /api/apps.")
		return
	}
	if whep.CheckAccept(strings.Join(r.Header.Values("Accept"), ","), whep.TypeSDP) != nil {
		invalid(w, http.StatusNotAcceptable, "accept", "The answer is "+whep.TypeSDP+", which the request does not accept.", "Send Accept: "+whep.TypeSDP+".")
		return
	}
	offer, ok := s.body(w, r, whep.TypeSDP, maxOffer)
	if !ok {
		return
	}
	if err := checkOffer(offer); err != nil {
		invalid(w, http.StatusBadRequest, "invalid", "The offer cannot be used: "+err.Error()+".", "Send an SDP offer that receives video.")
		return
	}
	q, bad := parseQuery(r)
	if bad != "" {
		invalid(w, http.StatusBadRequest, "invalid", "The query cannot be used: "+bad+".", "See docs for the parameters of POST /whep.")
		return
	}
	ctx, cancel := deadline(r, launchTimeout)
	defer cancel()
	var l *mesh.Launched
	var err error
	if q.session != "" {
		l, err = s.opt.Mesh.Join(ctx, mesh.JoinRequest{Session: q.session, Token: q.token, Offer: offer})
	} else {
		s.fund(q.player)
		l, err = s.opt.Mesh.Launch(ctx, mesh.LaunchRequest{App: app, Offer: offer, MaxPrice: q.price, Exclude: q.exclude, Ticket: q.ticket, Player: q.player})
	}
	if err != nil {
		s.fail(w, r, "offer", err)
		return
	}
	s.answer(w, app, q.token, offer, l)
}

// answer writes 201 with everything the player needs to go on.
func (s *Server) answer(w http.ResponseWriter, app, token, offer string, l *mesh.Launched) {
	if token == "" {
		token = l.OwnerToken
	}
	res := resource{token: token, role: l.Role, etag: newETag(), ufrag: iceUfrag(offer)}
	s.made.cache.Add(resourceKey(l.Session, l.Peer), res)
	s.met.launches.WithLabelValues(string(l.Role)).Inc()

	h := w.Header()
	set := func(k, v string) {
		if v != "" {
			h.Set(k, v)
		}
	}
	h.Set("Content-Type", whep.TypeSDP)
	h.Set("Location", whep.Location{App: app, Session: l.Session, Peer: l.Peer}.Path())
	h.Set("ETag", res.etag)
	h.Set("Accept-Patch", whep.TypeFrag)
	s.linkHeaders(h)
	h.Set("Server-Timing", whep.ServerTiming(whep.Stage{Name: "match", Took: l.Timing.Match},
		whep.Stage{Name: "reserve", Took: l.Timing.Reserve}, whep.Stage{Name: "signal", Took: l.Timing.Signal}))
	set(whep.HeaderSession, l.Session)
	set(whep.HeaderContainer, l.Container)
	set(whep.HeaderRole, string(l.Role))
	set(whep.HeaderCertificate, base64.StdEncoding.EncodeToString(l.Certificate))
	set(whep.HeaderProof, base64.StdEncoding.EncodeToString(l.Proof))
	set(whep.HeaderOwnerToken, l.OwnerToken)
	set(whep.HeaderPlayToken, l.PlayToken)
	set(whep.HeaderWatchToken, l.WatchToken)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, l.Answer)
}

// linkHeaders tells the ICE servers as WHEP does.
func (s *Server) linkHeaders(h http.Header) {
	for _, u := range s.opt.ICEServers {
		h.Add("Link", whep.Server{URL: u}.Link())
	}
}

// options answers what may be sent, and CORS preflights of configured origins.
func (s *Server) options(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if strings.Count(strings.Trim(r.URL.Path, "/"), "/") >= 3 {
		h.Set("Allow", "PATCH, DELETE, OPTIONS")
		h.Set("Accept-Patch", whep.TypeFrag)
	} else {
		h.Set("Allow", "POST, OPTIONS")
		h.Set("Accept-Post", whep.TypeSDP)
	}
	s.linkHeaders(h)
	w.WriteHeader(http.StatusNoContent)
}

// patchResource adds trickled candidates, or restarts ICE when the fragment carries
// credentials other than the ones in force.
func (s *Server) patchResource(w http.ResponseWriter, r *http.Request) {
	session, peer, res, ok := s.resource(w, r)
	if !ok {
		return
	}
	frag, ok := s.body(w, r, whep.TypeFrag, maxFragment)
	if !ok {
		return
	}
	ufrag := iceUfrag(frag)
	restart := ufrag != "" && ufrag != res.ufrag
	switch match := r.Header.Get("If-Match"); {
	case match == "":
		invalid(w, http.StatusPreconditionRequired, "if-match", "The fragment does not say which ICE session it belongs to.", "Send If-Match with the ETag of the answer, or * to restart ICE.")
		return
	case match == "*" && !restart, match != "*" && match != res.etag:
		invalid(w, http.StatusPreconditionFailed, "if-match", "The fragment belongs to an older ICE session.", "Restart ICE with If-Match: * and new credentials.")
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	if !restart {
		if err := s.opt.Mesh.Trickle(ctx, session, peer, res.token, frag); err != nil {
			s.fail(w, r, "trickle", err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out, err := s.opt.Mesh.Restart(ctx, session, peer, res.token, frag)
	if err != nil {
		s.fail(w, r, "restart", err)
		return
	}
	res.etag, res.ufrag = newETag(), ufrag
	s.made.cache.Add(resourceKey(session, peer), res)
	w.Header().Set("Content-Type", whep.TypeFrag)
	w.Header().Set("ETag", res.etag)
	_, _ = io.WriteString(w, out)
}

// deleteResource ends the session when the owner asks, and only this connection for
// everybody else.
func (s *Server) deleteResource(w http.ResponseWriter, r *http.Request) {
	session, peer, res, ok := s.resource(w, r)
	if !ok {
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	err := s.opt.Mesh.Leave(ctx, session, peer, res.token, res.role == mesh.RoleOwner)
	var no *mesh.Refused
	if err != nil && !(errors.As(err, &no) && (no.Code == "no-session" || no.Code == "container-gone")) {
		s.fail(w, r, "leave", err)
		return
	}
	s.made.cache.Remove(resourceKey(session, peer))
	w.WriteHeader(http.StatusOK)
}

// resource finds what the path names. A bearer token stands in for a resource made
// before this gateway started; a wrong one is refused even where none is needed.
func (s *Server) resource(w http.ResponseWriter, r *http.Request) (session, peer string, res resource, ok bool) {
	session, peer = r.PathValue("session"), r.PathValue("peer")
	bearer, hasBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	res, ok = s.made.cache.Get(resourceKey(session, peer))
	switch {
	case !hexRule.MatchString(session) || !hexRule.MatchString(peer):
		ok = false
	case ok && hasBearer && bearer != res.token:
		w.Header().Set("WWW-Authenticate", "Bearer")
		invalid(w, http.StatusUnauthorized, "unauthorised", "The token is not the one of this connection.", "Send the token that came with the answer, or none.")
		return session, peer, res, false
	case !ok && hasBearer && hexRule.MatchString(bearer) && r.Method == http.MethodDelete:
		res, ok = resource{token: bearer, role: mesh.RoleOwner}, true // the mesh checks whose token it is
	}
	if !ok {
		invalid(w, http.StatusNotFound, "no-session", "This gateway does not know that connection.", "Post a new offer.")
	}
	return session, peer, res, ok
}

type query struct {
	session, token, ticket string
	exclude                []string
	price                  uint64
	player                 []byte
}

// parseQuery reads the parameters of an offer; bad says what is wrong.
func parseQuery(r *http.Request) (q query, bad string) {
	v := r.URL.Query()
	q.session, q.token, q.ticket, q.exclude = v.Get("session"), v.Get("token"), v.Get("ticket"), v["exclude"]
	for name, s := range map[string]string{"session": q.session, "token": q.token, "ticket": q.ticket} {
		if s != "" && !hexRule.MatchString(s) {
			return q, name + " is not hexadecimal"
		}
	}
	if (q.session == "") != (q.token == "") {
		return q, "session and token belong together"
	}
	if len(q.exclude) > maxExclude {
		return q, "at most " + strconv.Itoa(maxExclude) + " containers can be excluded"
	}
	if slices.ContainsFunc(q.exclude, func(p string) bool { return !peerRule.MatchString(p) }) {
		return q, "exclude is not a peer id"
	}
	if p := v.Get("price"); p != "" {
		n, err := strconv.ParseUint(p, 10, 64)
		if err != nil {
			return q, "price is not a whole number of µUSD per hour"
		}
		q.price = n
	}
	if p := r.Header.Get(whep.HeaderPlayer); p != "" {
		key, err := hex.DecodeString(p)
		if err != nil || len(key) != 32 {
			return q, whep.HeaderPlayer + " is not a 32-byte key in hexadecimal"
		}
		q.player = key
	}
	return q, ""
}

// checkOffer refuses what no container could answer, so that no slot is taken for it.
func checkOffer(offer string) error {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return errors.New("it is not SDP")
	}
	if iceUfrag(offer) == "" {
		return errors.New("it has no ICE credentials")
	}
	for _, m := range d.MediaDescriptions {
		if m.MediaName.Media != "video" {
			continue
		}
		if _, sends := m.Attribute("sendonly"); !sends {
			return nil
		}
	}
	return errors.New("it does not receive video")
}

// body reads a request body of one media type and at most limit bytes.
func (s *Server) body(w http.ResponseWriter, r *http.Request, mediaType string, limit int64) (string, bool) {
	if whep.CheckContentType(r.Header.Get("Content-Type"), mediaType) != nil {
		invalid(w, http.StatusUnsupportedMediaType, "content-type", "The body is "+clip(r.Header.Get("Content-Type"), 60)+", not "+mediaType+".", "Send Content-Type: "+mediaType+".")
		return "", false
	}
	// The deadline is for the body alone: left in place it would end a slow answer.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer has deadlines
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	_ = rc.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		s.met.refused.WithLabelValues("size").Inc()
		invalid(w, http.StatusRequestEntityTooLarge, "size", fmt.Sprintf("The body is over %d bytes.", limit), "Send a smaller one.")
		return "", false
	case err != nil:
		invalid(w, http.StatusBadRequest, "invalid", "The body did not arrive.", "Send it again.")
		return "", false
	}
	return string(b), true
}

func invalid(w http.ResponseWriter, status int, code, detail, try string) {
	writeProblem(w, problem{Status: status, Code: code, Detail: detail, Try: try})
}
