package checker

import (
	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Double stands between a round and what carries out its actions: a checker that cheats, for
// tests and demonstrations. No configuration file can name one.
type Double interface {
	// Run does a job, or says that it did.
	Run(j *round.Job) round.Checked
	// Out is what it does instead of what its round wants.
	Out(todo []round.Action) []round.Action
	// Heard lets it listen to what others gossip, beside its round.
	Heard(o *proof.Opened) []round.Action
	// Takes says whether it admits that it got a commitment.
	Takes(container key.Node) bool
	// Measured is what it says it measured.
	Measured(container key.Node, pings, pongs uint32) (uint32, uint32)
}

// honest changes nothing.
type honest struct{}

func (honest) Run(j *round.Job) round.Checked                            { return j.Run() }
func (honest) Out(todo []round.Action) []round.Action                    { return todo }
func (honest) Heard(*proof.Opened) []round.Action                        { return nil }
func (honest) Takes(key.Node) bool                                       { return true }
func (honest) Measured(_ key.Node, pings, pongs uint32) (uint32, uint32) { return pings, pongs }
