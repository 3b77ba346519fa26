// Package gateway is a node's work on behalf of browsers: it asks the drawn
// indexers for a match, reserves a slot at the best container, carries the
// signalling there, and remembers which container serves which session. It never
// sees a frame: media goes directly from the container to the player.
package gateway

import (
	"context"
	"fmt"
	"time"
)

// Role is what a peer connection may do in a session.
type Role string

// The roles of a peer connection. The owner started the session and may end it;
// play takes the next free seat; watch only looks.
const (
	RoleOwner Role = "owner"
	RolePlay  Role = "play"
	RoleWatch Role = "watch"
)

// App is one entry of the catalogue, gathered from the ads of live containers.
type App struct {
	ID          string   `json:"id"`    // SHA-256 of the module, 64 hex digits
	Name        string   `json:"name"`  // short name, unique within a container
	Title       string   `json:"title"` // for people
	Description string   `json:"description"`
	Author      string   `json:"author"`
	License     string   `json:"license"`
	Controls    []string `json:"controls"` // sentences for people
	Category    string   `json:"category"` // game or test
	Seats       int      `json:"seats"`
	Width       int      `json:"width"`  // px
	Height      int      `json:"height"` // px
	FPS         int      `json:"fps"`
	Pointer     bool     `json:"pointer"`      // the app reads the pointer
	PointerLock bool     `json:"pointer_lock"` // the app wants relative motion
	Containers  int      `json:"containers"`   // that offer it now
	SlotsFree   int      `json:"slots_free"`
	MinPrice    uint64   `json:"min_price_micro_usd_per_hour"` // of the containers that offer it
	MaxPrice    uint64   `json:"max_price_micro_usd_per_hour"`
}

// Node says what this gateway is and sees.
type Node struct {
	Network    string `json:"network"`
	PeerID     string `json:"peer_id"`
	Version    string `json:"version"`
	Region     string `json:"region"`
	Peers      int    `json:"peers"`
	Containers int    `json:"containers"`
	Indexers   int    `json:"indexers"`
	UptimeMS   int64  `json:"uptime_ms"`
}

// LaunchRequest asks for a new session.
type LaunchRequest struct {
	App      string   // SHA-256 in hex, or a short name
	Offer    string   // SDP
	MaxPrice uint64   // µUSD per hour; 0 = no ceiling
	Exclude  []string // peer ids of containers that just failed this player
	Ticket   string   // hex; of the queue, when the player waited
	Player   []byte   // Ed25519 public key of the page, or nil
}

// JoinRequest adds a peer connection to a session: the owner after a reload, a
// second player, a viewer.
type JoinRequest struct {
	Session string // hex
	Token   string // hex; decides the role
	Offer   string // SDP
}

// Timing is how long each step took.
type Timing struct{ Match, Reserve, Signal time.Duration }

// Launched is a session as its page needs it.
type Launched struct {
	Session     string // hex
	Peer        string // hex; this peer connection within the session
	Container   string // peer id
	Role        Role
	Answer      string // SDP
	Proof       []byte // sealed AnswerProof
	Certificate []byte // sealed Certificate; nil for a join through another gateway
	OwnerToken  string // hex; empty unless the role may hand it on
	PlayToken   string
	WatchToken  string
	Timing      Timing
}

// SessionStatus is what the container says of a session.
type SessionStatus struct {
	Session   string `json:"session"`
	Container string `json:"container"`
	Phase     string `json:"phase"` // starting, playing, paused, ending
	App       string `json:"app"`
	Viewers   int    `json:"viewers"`
	StartedMS int64  `json:"started_ms"` // unix ms
	Encoder   string `json:"encoder"`
}

// QueueEvent is one step of waiting for a slot.
type QueueEvent struct {
	State    string `json:"state"`    // waiting, ready, gone
	Position int    `json:"position"` // 1 = next; 0 unless waiting
	Text     string `json:"text"`     // for people
}

// Reason is why one container did not match.
type Reason struct {
	Container string `json:"container"`
	Filter    string `json:"filter"`
	Reason    string `json:"reason"`
}

// Refused is the error of a request that the mesh answered with no.
type Refused struct {
	Code       string   // no-app, no-match, no-slot, no-indexer, no-session, unauthorised, invalid, container-gone, busy, payment
	Text       string   // one sentence for people
	Try        string   // what to try next
	Reasons    []Reason // per rejected candidate
	Ticket     string   // hex; set when the player is in a queue
	Position   int      // in the queue, 1 = next
	RetryAfter time.Duration
}

func (r *Refused) Error() string { return fmt.Sprintf("gateway: %s: %s", r.Code, r.Text) }

// Mesh is what the HTTP side of a gateway needs; *Gateway is the real one.
type Mesh interface {
	Node() Node
	Apps(ctx context.Context) ([]App, error)
	// Picture returns a PNG of the app for the catalogue.
	Picture(ctx context.Context, app string) ([]byte, error)
	Launch(ctx context.Context, r LaunchRequest) (*Launched, error)
	Join(ctx context.Context, r JoinRequest) (*Launched, error)
	// Trickle adds the page's later candidates (an SDP fragment).
	Trickle(ctx context.Context, session, peer, token, fragment string) error
	// Restart restarts ICE and returns the container's SDP fragment.
	Restart(ctx context.Context, session, peer, token, fragment string) (string, error)
	// Leave ends the session for all when the token is the owner's and end is set.
	Leave(ctx context.Context, session, peer, token string, end bool) error
	Status(ctx context.Context, session, token string) (SessionStatus, error)
	// Queue reports until the ticket is ready or gone; the channel closes after that or with ctx.
	Queue(ctx context.Context, ticket string) (<-chan QueueEvent, error)
}
