package gateway

import (
	"crypto/rand"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	mesh "github.com/framemesh/framemesh/actors/gateway"
)

// maxResources bounds the WHEP resources remembered; the least recent goes first.
const maxResources = 8192

// resource is one peer connection that this gateway made. Its address is all that a
// standard WHEP player has, so the token that the mesh asks for is kept here.
// Values never change; a restart stores a new one.
type resource struct {
	token string
	role  mesh.Role
	etag  string // of the ICE session, quoted
	ufrag string // of the player's ICE session
}

type resources struct {
	cache *lru.Cache[string, resource]
}

func newResources() *resources {
	c, err := lru.New[string, resource](maxResources)
	if err != nil {
		panic(err) // only a size of zero fails
	}
	return &resources{c}
}

func resourceKey(session, peer string) string { return session + "/" + peer }

// newETag names an ICE session.
func newETag() string { return `"` + rand.Text()[:16] + `"` }

// iceUfrag returns the first ice-ufrag of an SDP or SDP fragment, or "". It reads
// lines only, so that it cannot fail on the rest.
func iceUfrag(sdp string) string {
	for line := range strings.Lines(sdp) {
		if v, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "a=ice-ufrag:"); ok && len(v) <= 256 {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
