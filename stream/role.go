package stream

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// Role is what a peer connection may do in a session.
type Role string

// The roles of a peer connection.
const (
	RoleOwner Role = "owner" // started the session, holds a seat, pauses and ends it
	RolePlay  Role = "play"  // holds a seat
	RoleWatch Role = "watch" // only looks
)

// Valid reports whether r is one of the three roles.
func (r Role) Valid() bool { return r == RoleOwner || r == RolePlay || r == RoleWatch }

// Plays reports whether the role holds a seat.
func (r Role) Plays() bool { return r == RoleOwner || r == RolePlay }

// Token is the capability to join a session in a role:
// HMAC-SHA256(session secret, role name). It can be handed on without the secret,
// and one token says nothing about the others.
func Token(secret []byte, r Role) [sha256.Size]byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(r))
	return [sha256.Size]byte(m.Sum(nil))
}

// RoleOf returns the role that a token grants. Each comparison takes the same time
// whatever the token holds. It returns [ErrToken] for a token of no role.
func RoleOf(secret, token []byte) (Role, error) {
	var found Role
	for _, r := range []Role{RoleOwner, RolePlay, RoleWatch} {
		want := Token(secret, r)
		if hmac.Equal(want[:], token) {
			found = r
		}
	}
	if found == "" {
		return "", fmt.Errorf("%w: open the link again, or ask the player for a new one", ErrToken)
	}
	return found, nil
}
