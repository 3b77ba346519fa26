package round

import (
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// asks is how often one container is asked for the same tiles, spread over the time that
// there is: one that crashed and comes back can still show what it rendered.
const asks = 4

// check asks for tiles of a commitment when there is reason to and time has come.
func (r *Round) check(now uint64, d *duty, s *subject) []Action {
	if s.stage != stamped || now < d.windows.ask || now < s.again || now >= d.windows.vote || r.late(s) || s.tries >= asks {
		return nil
	}
	if !r.drawn(s) {
		s.stage = settled
		return nil
	}
	s.checked = true
	if s.picks == nil {
		s.picks = r.picks(s)
	}
	s.stage = asked
	s.tries++
	return []Action{Ask{s.node, s.commit.Digest, s.picks}}
}

// picks are this checker's tiles of a commitment.
func (r *Round) picks(s *subject) []proof.Pick {
	c := s.commit.Statement.GetCommit()
	tiles, _, _ := r.s.Kernel.Shape(c.GetSize())
	return r.s.Kernel.Picks(r.nonce, s.commit.Digest, c.GetFrames(), tiles, r.s.Params.K)
}

// drawn says whether a commitment is checked: by the lot of the epoch, which all members
// share, or because what it claims is more than it has ever shown. The second looks at this
// checker's own clock, so members may differ about a container on the edge; that they
// differ changes no verdict.
func (r *Round) drawn(s *subject) bool {
	score := judge.Score(r.s.Params, s.samples, s.arrival, uint64(s.rtt))
	return judge.Checked(r.seed, r.epoch, s.node, r.s.Params, s.standing) || judge.Outlier(score, s.standing, r.s.Params)
}

// Failed says that a question did not arrive, or that no answer did.
func (r *Round) Failed(now uint64, container key.Node) []Action {
	d, place, ok := r.subject(container)
	if !ok || d.subjects[place].stage != asked {
		return nil
	}
	s := d.subjects[place]
	s.stage = stamped
	if s.tries >= asks || now >= d.windows.vote {
		return nil
	}
	s.again = now + (d.windows.vote-now)/uint64(2*(asks-s.tries))
	return []Action{Wake{s.again}}
}

// Opened takes a container's openings, which came from it directly. Those that answer
// another question, or are malformed, are refused and the question stands; what fits is
// recomputed. It returns ErrForeign, ErrMember, ErrDuplicate or ErrMalformed.
func (r *Round) Opened(now uint64, container key.Node, o *proof.Opened) ([]Action, error) {
	d, place, ok := r.subject(container)
	if !ok || o.Signer != container {
		return nil, r.refuse(fmt.Errorf("%w: openings by %s", ErrMember, o.Signer))
	}
	s := d.subjects[place]
	if s.stage != asked && s.stage != stamped || s.picks == nil {
		return nil, r.refuse(fmt.Errorf("%w: nothing is asked of %s", ErrDuplicate, container))
	}
	a := o.Statement.GetOpenings()
	if a == nil || a.GetEpoch() != r.epoch || string(a.GetChecker()) != string(r.me[:]) || string(a.GetCommit()) != string(s.commit.Digest[:]) {
		return nil, r.refuse(fmt.Errorf("%w: openings for another question", ErrForeign))
	}
	roots, err := r.fits(s, a)
	if err != nil {
		return nil, r.refuse(err)
	}
	if root := r.s.Kernel.RootsRoot(roots); string(root[:]) != string(s.commit.Statement.GetCommit().GetRoots()) {
		s.stage = settled
		return r.convict(s, proof.ReasonRoots)(proof.PathFraud(o, s.commit, 0)), nil
	}
	s.roots, s.stage = roots, verifying
	c := s.commit.Statement.GetCommit()
	return []Action{Verify{&Job{
		Container: container, Checker: r.me, kernel: r.s.Kernel, task: r.s.Assignment.Task, size: c.GetSize(),
		roots: roots, picks: s.picks, items: a.GetItems(), answer: o,
	}}}, nil
}

// fits says whether openings are of the shape that the question asked for. That their
// paths lead to the roots is for the job to find out: it hashes.
func (r *Round) fits(s *subject, a *proof.Openings) ([][32]byte, error) {
	c := s.commit.Statement.GetCommit()
	if len(a.GetRoots()) != int(c.GetFrames()) {
		return nil, fmt.Errorf("%w: %d roots of %d frames", ErrMalformed, len(a.GetRoots()), c.GetFrames())
	}
	if len(a.GetItems()) != len(s.picks) {
		return nil, fmt.Errorf("%w: %d openings for %d tiles", ErrMalformed, len(a.GetItems()), len(s.picks))
	}
	roots := make([][32]byte, len(a.GetRoots()))
	for i, root := range a.GetRoots() {
		roots[i] = [32]byte(root)
	}
	tiles, _, _ := r.s.Kernel.Shape(c.GetSize())
	for i, item := range a.GetItems() {
		if item.GetFrame() != s.picks[i].Frame || item.GetTile() != s.picks[i].Tile {
			return nil, fmt.Errorf("%w: opening %d is of frame %d, tile %d; asked were %d, %d", ErrMalformed, i,
				item.GetFrame(), item.GetTile(), s.picks[i].Frame, s.picks[i].Tile)
		}
		if n := len(item.GetSiblings()); n > height(tiles) || tiles&(tiles-1) == 0 && n != height(tiles) {
			return nil, fmt.Errorf("%w: opening %d has %d siblings, %d belong there", ErrMalformed, i, n, height(tiles))
		}
	}
	return roots, nil
}

// height is that of the tree over so many tiles.
func height(tiles uint32) (n int) {
	for ; tiles > 1; tiles = (tiles + 1) / 2 {
		n++
	}
	return n
}

// Job is work for a processor: tiles to recompute. Run may be called from any goroutine.
type Job struct {
	Container key.Node // who rendered
	Checker   key.Node // whose tiles they are: this checker's, or another's whose word is checked

	kernel  proof.Kernel
	task    [32]byte
	size    uint32
	roots   [][32]byte
	picks   []proof.Pick
	items   []*proof.Opening // of the container; nil when another's word is checked
	answer  *proof.Opened    // the openings
	vote    *proof.Opened    // the word of another
	finding *proof.Finding   // in it
}

// Checked is what a job found out.
type Checked struct {
	Job   *Job
	Work  [32]byte // the digest over the true pixels
	Wrong int      // the first opening that is wrong, −1 for none
	Path  bool     // what is wrong is its path, not its tile
	Err   error    // of the machinery: nothing was found out
}

// Picks are the tiles of the job.
func (j *Job) Picks() []proof.Pick { return j.picks }

// Own says whether the job checks a container, not another checker.
func (j *Job) Own() bool { return j.vote == nil }

// auditor is a kernel that answers both questions of a checker, whether leaves are right and
// what the work is, with one rendering of each tile.
type auditor interface {
	CheckPath(size uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error
	Audit(task, container, checker [32]byte, size uint32, roots [][32]byte, picks []proof.Pick, leaves [][32]byte) (work [32]byte, wrong int, err error)
}

// Run recomputes the tiles. Paths come first: they cost next to nothing.
func (j *Job) Run() Checked {
	audit, once := j.kernel.(auditor)
	leaves := make([][32]byte, len(j.items))
	for i, item := range j.items {
		leaves[i] = [32]byte(item.GetLeaf())
		siblings := make([][32]byte, len(item.GetSiblings()))
		for n, b := range item.GetSiblings() {
			siblings[n] = [32]byte(b)
		}
		var err error
		if once {
			err = audit.CheckPath(j.size, j.roots, j.picks[i], leaves[i], siblings)
		} else {
			err = j.kernel.CheckTile(j.task, j.Container, j.size, j.roots, j.picks[i], leaves[i], siblings)
		}
		switch {
		case err == nil:
		case errors.Is(err, proof.ErrPath):
			return Checked{Job: j, Wrong: i, Path: true}
		case errors.Is(err, proof.ErrTile):
			return Checked{Job: j, Wrong: i}
		default:
			return Checked{Job: j, Wrong: -1, Err: fmt.Errorf("round: recompute a tile of %s: %w", j.Container, err)}
		}
	}
	found := Checked{Job: j, Wrong: -1}
	if once {
		found.Work, found.Wrong, found.Err = audit.Audit(j.task, j.Container, j.Checker, j.size, j.roots, j.picks, leaves)
		return found
	}
	found.Work, found.Err = j.Work()
	return found
}

// Work is the digest over the true pixels of the job's tiles, whatever was opened.
func (j *Job) Work() ([32]byte, error) {
	return j.kernel.Work(j.task, j.Container, j.Checker, j.size, j.roots, j.picks)
}

// Verified takes what a job of this round found out.
func (r *Round) Verified(now uint64, found Checked) []Action {
	j := found.Job
	if j == nil {
		return nil
	}
	if !j.Own() {
		return r.crossed(found)
	}
	d, place, ok := r.subject(j.Container)
	if !ok || d.subjects[place].stage != verifying {
		return nil
	}
	s := d.subjects[place]
	s.stage = settled
	switch {
	case found.Err != nil:
		// This machine failed, not the container: it is taken at its word, unchecked.
		s.checked = false
	case found.Wrong >= 0 && found.Path:
		return r.convict(s, proof.ReasonPath)(proof.PathFraud(j.answer, s.commit, found.Wrong))
	case found.Wrong >= 0:
		return r.convict(s, proof.ReasonTile)(proof.TileFraud(s.commit, s.roots, j.items[found.Wrong]))
	default:
		s.work = append([]byte(nil), found.Work[:]...)
	}
	return nil
}
