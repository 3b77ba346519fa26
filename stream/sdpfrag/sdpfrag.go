// Package sdpfrag reads and writes application/trickle-ice-sdpfrag bodies (RFC 8840):
// the few lines of SDP in which a WHEP player hands in candidates that it found
// after its offer, or restarts ICE with a new user fragment and password.
//
// It is a codec only: whether a candidate is of use is for the ICE agent to say.
package sdpfrag

import (
	"errors"
	"fmt"
	"strings"
)

// ContentType is the media type of a fragment.
const ContentType = "application/trickle-ice-sdpfrag"

// Limits of a fragment.
const (
	MaxSize       = 16 << 10 // bytes
	MaxCandidates = 64
	maxMedia      = 16
	maxLine       = 512 // bytes
	maxCredential = 256 // characters, RFC 8839 §5.4
)

// Errors of Parse.
var (
	ErrTooLarge = errors.New("sdpfrag: fragment over its limits")
	ErrSyntax   = errors.New("sdpfrag: not a fragment of SDP")
)

// Fragment is a parsed body.
type Fragment struct {
	Ufrag, Pwd string   // both empty or both set
	Options    []string // of a=ice-options, such as "trickle"
	Media      []Media
}

// Media is one m= section with its candidates.
type Media struct {
	Line       string   // all after "m=", e.g. "audio 9 UDP/TLS/RTP/SAVPF 0"
	Mid        string   // of a=mid
	Candidates []string // all after "a=", so each begins with "candidate:"
	End        bool     // a=end-of-candidates
}

// Candidates returns the candidates of all sections in order.
func (f *Fragment) Candidates() []string {
	var all []string
	for _, m := range f.Media {
		all = append(all, m.Candidates...)
	}
	return all
}

// Parse reads a body. Lines it does not know are skipped, as SDP asks. Candidates
// and credentials may stand before the first m= section (session level) or within
// one; credentials must not contradict each other. Candidates at session level
// become a section without Line.
func Parse(body string) (*Fragment, error) {
	if len(body) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(body), MaxSize)
	}
	f, n, known := &Fragment{}, 0, false
	var cur *Media
	section := func() *Media {
		if cur == nil {
			f.Media = append(f.Media, Media{})
			cur = &f.Media[len(f.Media)-1]
		}
		return cur
	}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(line) > maxLine {
			return nil, fmt.Errorf("%w: a line of %d bytes, at most %d", ErrTooLarge, len(line), maxLine)
		}
		if len(line) < 2 || line[1] != '=' || !printable(line) {
			return nil, fmt.Errorf("%w: line %q", ErrSyntax, line)
		}
		if line[0] == 'm' {
			if len(f.Media) == maxMedia {
				return nil, fmt.Errorf("%w: more than %d m= sections", ErrTooLarge, maxMedia)
			}
			if len(strings.Fields(line[2:])) < 4 {
				return nil, fmt.Errorf("%w: line %q", ErrSyntax, line)
			}
			f.Media = append(f.Media, Media{Line: line[2:]})
			cur, known = &f.Media[len(f.Media)-1], true
			continue
		}
		if line[0] != 'a' {
			continue
		}
		name, value, _ := strings.Cut(line[2:], ":")
		switch name {
		case "ice-ufrag", "ice-pwd":
			have, least := &f.Ufrag, 4
			if name == "ice-pwd" {
				have, least = &f.Pwd, 22
			}
			if len(value) < least || len(value) > maxCredential || !iceChars(value) {
				return nil, fmt.Errorf("%w: a=%s has %d characters or wrong ones", ErrSyntax, name, len(value))
			}
			if *have != "" && *have != value {
				return nil, fmt.Errorf("%w: two different a=%s; bundle all media", ErrSyntax, name)
			}
			*have, known = value, true
		case "ice-options":
			f.Options = strings.Fields(value)
			known = known || len(f.Options) > 0
		case "mid":
			if value == "" || strings.ContainsAny(value, " ") {
				return nil, fmt.Errorf("%w: line %q", ErrSyntax, line)
			}
			section().Mid, known = value, true
		case "candidate":
			if n++; n > MaxCandidates {
				return nil, fmt.Errorf("%w: more than %d candidates", ErrTooLarge, MaxCandidates)
			}
			if len(strings.Fields(value)) < 8 {
				return nil, fmt.Errorf("%w: line %q", ErrSyntax, line)
			}
			m := section()
			m.Candidates, known = append(m.Candidates, line[2:]), true
		case "end-of-candidates":
			section().End, known = true, true
		}
	}
	if (f.Ufrag == "") != (f.Pwd == "") {
		return nil, fmt.Errorf("%w: a=ice-ufrag and a=ice-pwd belong together", ErrSyntax)
	}
	if !known {
		return nil, fmt.Errorf("%w: nothing in it that a fragment holds", ErrSyntax)
	}
	return f, nil
}

// String writes the fragment with CRLF line ends.
func (f *Fragment) String() string {
	var b strings.Builder
	attr := func(s string) { b.WriteString("a=" + s + "\r\n") }
	if f.Ufrag != "" {
		attr("ice-ufrag:" + f.Ufrag)
		attr("ice-pwd:" + f.Pwd)
	}
	if len(f.Options) > 0 {
		attr("ice-options:" + strings.Join(f.Options, " "))
	}
	for _, m := range f.Media {
		if m.Line != "" {
			b.WriteString("m=" + m.Line + "\r\n")
		}
		if m.Mid != "" {
			attr("mid:" + m.Mid)
		}
		for _, c := range m.Candidates {
			attr(c)
		}
		if m.End {
			attr("end-of-candidates")
		}
	}
	return b.String()
}

// FromSDP gathers the credentials and candidates of a whole description, as the
// fragment that answers an ICE restart. Only the first section is taken: all media
// are bundled on its transport.
func FromSDP(sdp string) (*Fragment, error) {
	f, sections := &Fragment{}, 0
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "m=") {
			if sections++; sections > 1 {
				break
			}
			f.Media = []Media{{Line: line[2:]}}
			continue
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "a="), ":")
		switch {
		case !strings.HasPrefix(line, "a="):
		case name == "ice-ufrag":
			f.Ufrag = value
		case name == "ice-pwd":
			f.Pwd = value
		case name == "ice-options":
			f.Options = strings.Fields(value)
		case sections == 0:
		case name == "mid":
			f.Media[0].Mid = value
		case name == "candidate":
			f.Media[0].Candidates = append(f.Media[0].Candidates, line[2:])
		case name == "end-of-candidates":
			f.Media[0].End = true
		}
	}
	if f.Ufrag == "" || f.Pwd == "" || sections == 0 {
		return nil, fmt.Errorf("%w: a description without ICE credentials or media", ErrSyntax)
	}
	return f, nil
}

// Apply returns the description sdp with the credentials of f in every section, its
// old candidates dropped and those of f in the first section: the offer that a
// restarting player would have sent in full.
func (f *Fragment) Apply(sdp string) (string, error) {
	if f.Ufrag == "" {
		return "", fmt.Errorf("%w: no credentials to restart with", ErrSyntax)
	}
	var b strings.Builder
	sections := 0
	candidates := func() {
		if sections == 1 {
			for _, c := range f.Candidates() {
				b.WriteString("a=" + c + "\r\n")
			}
		}
	}
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + f.Ufrag
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + f.Pwd
		case strings.HasPrefix(line, "a=candidate:"), line == "a=end-of-candidates":
			continue
		case strings.HasPrefix(line, "m="):
			candidates()
			sections++
		}
		b.WriteString(line + "\r\n")
	}
	candidates()
	if sections == 0 {
		return "", fmt.Errorf("%w: a description without media", ErrSyntax)
	}
	return b.String(), nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7F {
			return false
		}
	}
	return true
}

// iceChars: ALPHA / DIGIT / "+" / "/" (RFC 8839), and "-" "_", which Firefox's and
// some servers' base64 brings along.
func iceChars(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
