package cheat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrUnknown is a cheat that is none.
var ErrUnknown = errors.New("cheat: unknown")

// Who lies.
const (
	Container = "container"
	Checker   = "checker"
	Session   = "session" // a container, about what it renders for a player
	Indexer   = "indexer"
)

// Vanish is the name of the cheat that leaves: nothing that it signed is false.
const Vanish = "vanish"

// Info tells a cheat to people.
type Info struct {
	Name    string
	Who     string
	Text    string // what it does, with %d for its value where it has one
	Caught  string // by what
	Default int    // value, 0 = it has none
	Most    int
}

var all = []Info{
	{"overclaim", Container, "commits to %d times the frames it rendered, the rest invented", "a wrong tile is a fraud proof", 4, 100},
	{"skip", Container, "leaves %d %% of each frame's tiles out and invents their leaves", "a wrong tile is a fraud proof", 10, 99},
	{"replay", Container, "commits to the frames of its last round once more", "a wrong tile is a fraud proof", 0, 0},
	{"precompute", Container, "renders ahead of time, for a task that it guessed", "a wrong tile is a fraud proof", 0, 0},
	{"sybil", Container, "is one of %d names on one device", "all render at the same time, so they share its rate", 8, 64},
	{"late", Container, "renders for longer than the window and commits late", "every checker's own clock", 0, 0},
	{"path", Container, "invents its roots and renders only the tiles it is asked for", "a broken path is a fraud proof", 0, 0},
	{"copy", Checker, "repeats another's vote after it was revealed", "a vote counts only if it was bound before", 0, 0},
	{"lazy", Checker, "votes ok without rendering a tile", "its work does not recompute, which is a fraud proof", 0, 0},
	{"equivocate", Checker, "signs two votes on one question", "both together are a fraud proof", 0, 0},
	{"collude", Checker, "is one of %d checkers of a committee that lie together: up to N for a container that cheats, more against one that does not", "an honest checker's fraud proof outweighs votes; votes alone never slash", 2, 3},
	{"downtime", Checker, "says that containers were not there", "the median of the committee", 0, 0},
	{"module", Session, "runs another module than the one advertised", "the audit of a second", 0, 0},
	{"drop", Session, "leaves frames out under load", "receipts and the audit of a second", 0, 0},
	{"state", Session, "changes a byte of the game's memory", "the audit of a second", 0, 0},
	{"mismatch", Indexer, "puts the last of its choices first, because it is a friend's", "the certificate does not recompute, which is a fraud proof", 0, 0},
	{"figures", Indexer, "says that checkers measured its friend to be better than they did", "the ledger knows what it said after each block", 0, 0},
	{Vanish, Session, "goes in the middle of a paid game and does not come back", "its player's word, and the checkers who look for it then", 0, 0},
	{"inputs", Session, "invents inputs of the player", "inputs are signed by the player", 0, 0},
}

// All lists the cheats.
func All() []Info { return slices.Clone(all) }

// Cheat is one of them with its value.
type Cheat struct {
	Info
	Value int // 0 for those that have none
}

// Parse reads name or name=value. It wraps ErrUnknown.
func Parse(s string) (Cheat, error) {
	name, value, has := strings.Cut(s, "=")
	i := slices.IndexFunc(all, func(c Info) bool { return c.Name == name })
	if i < 0 {
		var names []string
		for _, c := range all {
			names = append(names, c.Name)
		}
		return Cheat{}, fmt.Errorf("%w: %.32q; one of %s", ErrUnknown, name, strings.Join(names, ", "))
	}
	c := Cheat{all[i], all[i].Default}
	if !has {
		return c, nil
	}
	v, err := strconv.Atoi(value)
	if err != nil || v < 1 || v > c.Most {
		if c.Most == 0 {
			return Cheat{}, fmt.Errorf("%w: %s takes no value", ErrUnknown, name)
		}
		return Cheat{}, fmt.Errorf("%w: %s=%.16q; a number from 1 to %d", ErrUnknown, name, value, c.Most)
	}
	c.Value = v
	return c, nil
}

// String is what Parse reads.
func (c Cheat) String() string {
	if c.Value == 0 {
		return c.Name
	}
	return fmt.Sprintf("%s=%d", c.Name, c.Value)
}

// Does says what the cheat does, with its value.
func (c Cheat) Does() string {
	if c.Value == 0 {
		return c.Text
	}
	return fmt.Sprintf(c.Text, c.Value)
}
