package gateway

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Bounds of what one gateway remembers.
const (
	maxSessions = 4096
	maxTickets  = 4096
	maxConns    = 64              // per session; the oldest is forgotten first
	sessionKept = 6 * time.Hour   // a session nobody used for so long is forgotten
	ticketKept  = 2 * time.Minute // a ticket nobody asked about
)

// session is where a session runs and how its page may act on it.
type session struct {
	container   peer.ID
	certificate []byte
	conns       []conn // oldest first
	used        time.Time
}

// conn is one peer connection of a session and the token it came with.
type conn struct {
	peer  string // hex
	token []byte
}

// join remembers the token of a peer connection.
func (s *session) join(peer string, token []byte) {
	s.leave(peer)
	if len(s.conns) >= maxConns {
		s.conns = slices.Delete(s.conns, 0, 1)
	}
	s.conns = append(s.conns, conn{peer, token})
}

// leave forgets a peer connection.
func (s *session) leave(peer string) {
	s.conns = slices.DeleteFunc(s.conns, func(c conn) bool { return c.peer == peer })
}

// ticket is a player waiting at one container.
type ticket struct {
	container   peer.ID
	certificate []byte
	nonce       []byte
	app         sha
	player      []byte
	lease       *lease // set when the slot came
	used        time.Time
}

// lease is a slot reserved for a few seconds.
type lease struct {
	container peer.ID
	session   []byte
	secret    []byte
	expires   time.Time
}

// table remembers sessions and tickets, bounded in number and age.
type table[K comparable, V any] struct {
	max  int
	keep time.Duration
	used func(*V) *time.Time
	m    map[K]*V
}

func newTable[K comparable, V any](max int, keep time.Duration, used func(*V) *time.Time) *table[K, V] {
	return &table[K, V]{max: max, keep: keep, used: used, m: map[K]*V{}}
}

func (t *table[K, V]) get(k K, now time.Time) *V {
	v := t.m[k]
	if v != nil {
		*t.used(v) = now
	}
	return v
}

// put stores v; when the table is full the one unused for longest goes.
func (t *table[K, V]) put(k K, v *V, now time.Time) {
	if _, ok := t.m[k]; !ok && len(t.m) >= t.max {
		var oldest K
		var when time.Time
		for k, v := range t.m {
			if u := *t.used(v); when.IsZero() || u.Before(when) {
				oldest, when = k, u
			}
		}
		delete(t.m, oldest)
	}
	*t.used(v) = now
	t.m[k] = v
}

func (t *table[K, V]) expire(now time.Time) {
	for k, v := range t.m {
		if now.Sub(*t.used(v)) > t.keep {
			delete(t.m, k)
		}
	}
}
