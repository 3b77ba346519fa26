package demo

import (
	"context"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/stream/player"
)

// vanishes says whether the machine that the game runs on goes in the middle of it.
func (t *Trial) vanishes() bool { return t != nil && t.Cheat.Name == cheat.Vanish }

// missed plays the part of a page whose machine goes: it complains and closes the session. It
// watches until watch ends; what it began then ends with ctx. nil comes where the machine stayed.
func missed(ctx, watch context.Context, p *player.Player, money *purse.Purse, g *purse.Gateway) <-chan *purse.Left {
	out := make(chan *purse.Left, 1)
	go func() {
		defer close(out)
		if money.Missed(watch, p, g) {
			left := money.Leave(ctx, g)
			out <- &left
		}
	}()
	return out
}

// left says what a player whose machine went did not get done. A machine that settles in spite of
// that leaves nothing to close.
func (t *Trial) left(left *purse.Left) (wrong []string) {
	switch {
	case !t.vanishes() || left == nil: // too late in the demo to be missed
	case !left.Told:
		wrong = append(wrong, "the machine went, and the gateway did not take its player's word to the checkers")
	case !left.Closing && !left.Settled:
		wrong = append(wrong, "the machine went, and its player could not close the session")
	}
	return wrong
}
