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
	HeaderPlayer      = "Framemesh-Player" // of a request: the page's Ed25519 public key in hex
	HeaderSession     = "Framemesh-Session"
	HeaderContainer   = "Framemesh-Container"
	HeaderRole        = "Framemesh-Role"
	HeaderCertificate = "Framemesh-Certificate"
	HeaderProof       = "Framemesh-Proof"
	HeaderOwnerToken  = "Framemesh-Owner-Token"
	HeaderPlayToken   = "Framemesh-Play-Token"
	HeaderWatchToken  = "Framemesh-Watch-Token"
)

// Errors of a request.
var (
	ErrMediaType     = errors.New("whep: wrong Content-Type")
	ErrNotAcceptable = errors.New("whep: no acceptable media type")
	ErrLocation      = errors.New("whep: not a session's location")
)

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
