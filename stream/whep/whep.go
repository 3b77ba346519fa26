// Package whep is the part of the WebRTC-HTTP Egress Protocol that can be decided
// without a connection: media types, entity tags, links, timings, locations and the
// body of an error. A gateway answers with it, a player reads with it.
package whep

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Media types of the protocol.
const (
	TypeSDP     = "application/sdp"
	TypeFrag    = "application/trickle-ice-sdpfrag"
	TypeProblem = "application/problem+json"
)

// Headers of framemesh besides those of the protocol.
const (
	HeaderSession     = "Framemesh-Session"
	HeaderContainer   = "Framemesh-Container"
	HeaderRole        = "Framemesh-Role"
	HeaderCertificate = "Framemesh-Certificate"
	HeaderProof       = "Framemesh-Proof"
	HeaderOwnerToken  = "Framemesh-Owner-Token"
	HeaderPlayToken   = "Framemesh-Play-Token"
	HeaderWatchToken  = "Framemesh-Watch-Token"
)

// Errors of a request; [Status] has their status codes.
var (
	ErrMediaType     = errors.New("whep: wrong Content-Type")
	ErrNotAcceptable = errors.New("whep: no acceptable media type")
	ErrNoMatch       = errors.New("whep: If-Match is not this ICE session's ETag")
	ErrNeedMatch     = errors.New("whep: If-Match is missing")
	ErrLocation      = errors.New("whep: not a session's location")
	ErrHeader        = errors.New("whep: malformed header")
)

// Status is the HTTP status of a request that failed with one of this package's
// errors, and 400 for others.
func Status(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrMediaType):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, ErrNotAcceptable):
		return http.StatusNotAcceptable
	case errors.Is(err, ErrNoMatch):
		return http.StatusPreconditionFailed
	case errors.Is(err, ErrNeedMatch):
		return http.StatusPreconditionRequired
	case errors.Is(err, ErrLocation):
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

// CheckContentType accepts want with any parameters.
func CheckContentType(header, want string) error {
	got, _, err := mime.ParseMediaType(header)
	if err != nil || got != want {
		return fmt.Errorf("%w: %q; send %s", ErrMediaType, header, want)
	}
	return nil
}

// CheckAccept reports whether a request that accepts header can be answered with want.
// An empty header accepts everything; a weight of 0 refuses.
func CheckAccept(header, want string) error {
	if strings.TrimSpace(header) == "" {
		return nil
	}
	major, _, _ := strings.Cut(want, "/")
	best, weight := -1, 0.0 // the most specific range decides
	for part := range strings.SplitSeq(header, ",") {
		t, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		rank := map[string]int{"*/*": 0, major + "/*": 1, want: 2}
		r, ok := rank[t]
		if !ok || r < best {
			continue
		}
		q := 1.0
		if v, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(v, 64); err != nil || math.IsNaN(q) {
				q = 0
			}
		}
		best, weight = r, q
	}
	if best < 0 || weight <= 0 {
		return fmt.Errorf("%w: only %q; accept %s", ErrNotAcceptable, header, want)
	}
	return nil
}

// ETag names the ICE session of an answer or of a fragment that answered a restart: it
// is made of its user fragment and password and changes when they do. It is empty for a
// text without them.
func ETag(sdp string) string {
	var ufrag, pwd string
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok && ufrag == "" {
			ufrag = v
		}
		if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok && pwd == "" {
			pwd = v
		}
	}
	if ufrag == "" || pwd == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(ufrag + "\x00" + pwd))
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// CheckIfMatch compares an If-Match header with the ETag in force. "*" matches any.
// Weak tags never match, as RFC 9110 has it.
func CheckIfMatch(header, etag string) error {
	if strings.TrimSpace(header) == "" {
		return fmt.Errorf("%w: send the ETag of the answer", ErrNeedMatch)
	}
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimSpace(part); part == "*" || part == etag && etag != "" {
			return nil
		}
	}
	return fmt.Errorf("%w: %s; it was restarted since", ErrNoMatch, header)
}

// Server is a STUN or TURN server as a Link header names it.
type Server struct {
	URL                  string
	Username, Credential string
}

// Link writes a server as the value of a Link header.
func (s Server) Link() string {
	l := "<" + s.URL + `>; rel="ice-server"`
	if s.Username != "" {
		l += "; username=" + quote(s.Username) + "; credential=" + quote(s.Credential) + `; credential-type="password"`
	}
	return l
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// ParseLinks reads the ice-servers of Link headers and leaves out all other links.
func ParseLinks(values []string) ([]Server, error) {
	var out []Server
	for _, v := range values {
		for v = strings.TrimSpace(v); v != ""; {
			if v[0] != '<' {
				return nil, fmt.Errorf("%w: Link %q", ErrHeader, v)
			}
			target, rest, ok := strings.Cut(v[1:], ">")
			if !ok {
				return nil, fmt.Errorf("%w: Link %q", ErrHeader, v)
			}
			params, rest, err := linkParams(rest)
			if err != nil {
				return nil, err
			}
			if params["rel"] == "ice-server" {
				out = append(out, Server{URL: target, Username: params["username"], Credential: params["credential"]})
			}
			v = rest
		}
	}
	return out, nil
}

// linkParams reads `; name="value"` until the next link.
func linkParams(s string) (params map[string]string, rest string, err error) {
	params = map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t")
		switch {
		case s == "":
			return params, "", nil
		case s[0] == ',':
			return params, strings.TrimLeft(s[1:], " \t"), nil
		case s[0] != ';':
			return nil, "", fmt.Errorf("%w: Link parameter %q", ErrHeader, s)
		}
		s = strings.TrimLeft(s[1:], " \t")
		end := strings.IndexAny(s, "=;,")
		if end < 0 || s[end] != '=' {
			return nil, "", fmt.Errorf("%w: Link parameter %q", ErrHeader, s)
		}
		name := strings.ToLower(strings.TrimSpace(s[:end]))
		s = s[end+1:]
		if s == "" || s[0] != '"' {
			end := strings.IndexAny(s, ";,")
			if end < 0 {
				end = len(s)
			}
			params[name], s = strings.TrimSpace(s[:end]), s[end:]
			continue
		}
		var b strings.Builder
		i := 1
		for ; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\\' && i+1 < len(s) {
				i++
			}
			b.WriteByte(s[i])
		}
		if i >= len(s) {
			return nil, "", fmt.Errorf("%w: Link parameter without its closing quote", ErrHeader)
		}
		params[name], s = b.String(), s[i+1:]
	}
}

// Stage is one entry of a Server-Timing header.
type Stage struct {
	Name string
	Took time.Duration
}

// ServerTiming writes stages in ms.
func ServerTiming(stages ...Stage) string {
	parts := make([]string, len(stages))
	for i, s := range stages {
		parts[i] = s.Name + ";dur=" + strconv.FormatFloat(float64(s.Took.Microseconds())/1000, 'f', -1, 64)
	}
	return strings.Join(parts, ", ")
}

// ParseServerTiming reads the durations of a Server-Timing header; entries without a
// sensible one are left out.
func ParseServerTiming(header string) map[string]time.Duration {
	out := map[string]time.Duration{}
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		for p := range strings.SplitSeq(params, ";") {
			v, ok := strings.CutPrefix(strings.TrimSpace(p), "dur=")
			if !ok || name == "" {
				continue
			}
			if ms, err := strconv.ParseFloat(strings.Trim(v, `"`), 64); err == nil && ms >= 0 && ms < 1e9 {
				out[strings.TrimSpace(name)] = time.Duration(ms * float64(time.Millisecond))
			}
		}
	}
	return out
}

// Location is where a peer connection of a session is addressed.
type Location struct {
	App     string // SHA-256 in hex, or a short name
	Session string // hex
	Peer    string // hex
}

// Path is /whep/{app}/{session}/{peer}.
func (l Location) Path() string {
	return "/whep/" + url.PathEscape(l.App) + "/" + url.PathEscape(l.Session) + "/" + url.PathEscape(l.Peer)
}

// ParseLocation reads a path.
func ParseLocation(path string) (Location, error) {
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "whep" {
		return Location{}, fmt.Errorf("%w: %q", ErrLocation, path)
	}
	var l Location
	for i, dst := range []*string{&l.App, &l.Session, &l.Peer} {
		s, err := url.PathUnescape(parts[i+2])
		if err != nil || s == "" || len(s) > 128 || strings.ContainsAny(s, "/\\") {
			return Location{}, fmt.Errorf("%w: %q", ErrLocation, path)
		}
		*dst = s
	}
	if !isHex(l.Session) || !isHex(l.Peer) {
		return Location{}, fmt.Errorf("%w: %q", ErrLocation, path)
	}
	return l, nil
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// Problem is the body of an error, application/problem+json of RFC 9457 with what a
// player needs to go on.
type Problem struct {
	Type    string   `json:"type,omitempty"`
	Title   string   `json:"title"`
	Status  int      `json:"status"`
	Detail  string   `json:"detail,omitempty"`
	Try     string   `json:"try,omitempty"`
	Code    string   `json:"code,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
	Queue   *Queue   `json:"queue,omitempty"`
}

// Reason is why one container did not match.
type Reason struct {
	Container string `json:"container"`
	Filter    string `json:"filter"`
	Reason    string `json:"reason"`
}

// Queue is a player's place when all slots are taken.
type Queue struct {
	Ticket   string `json:"ticket"`
	Position int    `json:"position"` // 1 = next
}

// Error says what happened and what to try.
func (p *Problem) Error() string {
	s := fmt.Sprintf("whep: %d %s", p.Status, p.Title)
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Try != "" {
		s += "; " + p.Try
	}
	return s
}
