package round

import (
	"encoding/json"
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// maxSaved bounds a saved state: for each of a few hundred containers a commitment, for
// each batch a vote and a draft.
const maxSaved = 8 << 20

// saved is what outlives a restart: everything that this checker signed, and what it
// stamped and found, for it cannot find it out again.
type saved struct {
	Epoch      uint64         `json:"epoch"`
	Task       []byte         `json:"task"`
	Bound      []byte         `json:"bound,omitempty"` // Signed, marshalled
	Containers []savedSubject `json:"containers,omitempty"`
	Duties     []savedDuty    `json:"duties,omitempty"`
}

type savedSubject struct {
	Node     []byte `json:"node"`
	Commit   []byte `json:"commit,omitempty"`
	Arrival  uint64 `json:"arrival_ms,omitempty"`
	RTT      uint32 `json:"rtt_ms,omitempty"`
	Settled  bool   `json:"settled,omitempty"`
	Checked  bool   `json:"checked,omitempty"`
	Verdict  uint32 `json:"verdict,omitempty"`
	Reason   uint32 `json:"reason,omitempty"`
	Work     []byte `json:"work,omitempty"`
	Evidence []byte `json:"evidence,omitempty"`
	Pings    uint32 `json:"pings,omitempty"`
	Pongs    uint32 `json:"pongs,omitempty"`
	Dropped  []byte `json:"dropped,omitempty"`
}

type savedDuty struct {
	Batch    uint32   `json:"batch"`
	Vote     []byte   `json:"vote,omitempty"`
	Attested []byte   `json:"attested,omitempty"`
	Heard    [][]byte `json:"heard,omitempty"` // others' votes
	Bound    [][]byte `json:"bound,omitempty"` // what they are bound to
}

// Save is what Restore needs. It must be on the disk before the actions that the same call
// returned are carried out.
func (r *Round) Save() ([]byte, error) {
	s := saved{Epoch: r.epoch, Task: r.s.Assignment.Task[:], Bound: rawOf(r.bound)}
	for _, d := range r.duties {
		sd := savedDuty{Batch: d.batch, Vote: rawOf(d.vote)}
		if d.attested != [32]byte{} {
			sd.Attested = d.attested[:]
		}
		for _, m := range d.members {
			b := d.ballots[m]
			if m != r.me && b.bound != nil {
				sd.Bound = append(sd.Bound, b.bound.Raw)
			}
			if m != r.me && b.vote != nil {
				sd.Heard = append(sd.Heard, b.vote.Raw)
			}
		}
		s.Duties = append(s.Duties, sd)
		for _, c := range d.subjects {
			if c.commit == nil && c.pings == 0 && c.dropped == nil {
				continue
			}
			s.Containers = append(s.Containers, savedSubject{Node: c.node[:], Commit: rawOf(c.commit), Arrival: c.arrival, RTT: c.rtt,
				Settled: c.stage == settled, Checked: c.checked, Verdict: c.verdict, Reason: uint32(c.reason),
				Work: c.work, Evidence: c.evidence, Pings: c.pings, Pongs: c.pongs, Dropped: c.dropped})
		}
	}
	return json.Marshal(s)
}

func rawOf(o *proof.Opened) []byte {
	if o == nil {
		return nil
	}
	return o.Raw
}

// Restore goes on with what Save wrote in the same epoch. It returns ErrSaved for anything
// else, and the caller takes no part in the epoch then: it may have voted.
func Restore(s Setup, data []byte) (*Round, error) {
	r, err := New(s)
	if err != nil {
		return nil, err
	}
	if len(data) > maxSaved {
		return nil, fmt.Errorf("%w: %d bytes, at most %d may be", ErrSaved, len(data), maxSaved)
	}
	var was saved
	if err := json.Unmarshal(data, &was); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	if was.Epoch != r.epoch || string(was.Task) != string(s.Assignment.Task[:]) {
		return nil, fmt.Errorf("%w: of epoch %d, it is %d", ErrSaved, was.Epoch, r.epoch)
	}
	if was.Bound != nil {
		if r.bound, err = r.reopen(was.Bound, proof.KindNonceCommit, r.me); err != nil {
			return nil, err
		}
		r.peers[r.me].bound = r.bound
	}
	for _, c := range was.Containers {
		if err := r.restoreSubject(c); err != nil {
			return nil, err
		}
	}
	for _, d := range was.Duties {
		if err := r.restoreDuty(d); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// reopen opens a statement of the saved state and says whether it is the one expected.
func (r *Round) reopen(raw []byte, kind proof.Kind, signer key.Node) (*proof.Opened, error) {
	o, err := proof.Open(r.s.Chain, raw)
	if err == nil {
		err = o.Of(kind, r.epoch)
	}
	if err == nil && o.Signer != signer {
		err = fmt.Errorf("by %s instead of %s", o.Signer, signer)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	return o, nil
}

func (r *Round) restoreSubject(c savedSubject) error {
	if len(c.Node) != key.Size {
		return fmt.Errorf("%w: a container's key of %d bytes", ErrSaved, len(c.Node))
	}
	_, place, ok := r.subject(key.Node(c.Node))
	if !ok {
		return fmt.Errorf("%w: container %x is in none of the batches", ErrSaved, c.Node)
	}
	s := r.where[key.Node(c.Node)].duty.subjects[place]
	s.pings, s.pongs = min(c.Pings, proof.MaxPings), min(c.Pongs, c.Pings, proof.MaxPings)
	if n := len(c.Dropped); n != 0 && n != proof.SessionSize {
		return fmt.Errorf("%w: a session of %d bytes on %s", ErrSaved, n, s.node)
	}
	s.dropped = c.Dropped
	if c.Commit == nil {
		return nil
	}
	o, err := r.reopen(c.Commit, proof.KindCapCommit, s.node)
	if err != nil {
		return err
	}
	if _, _, err := r.commits(r.s.Times.T0, s.node, o); err != nil {
		return fmt.Errorf("%w: %w", ErrSaved, err)
	}
	if len(c.Work) != 0 && len(c.Work) != 32 || len(c.Evidence) != 0 && len(c.Evidence) != 32 || c.Arrival > r.end-r.s.Times.T0 {
		return fmt.Errorf("%w: findings on %s", ErrSaved, s.node)
	}
	r.stamp(s, o, c.Arrival, c.RTT)
	if c.Settled {
		// What it opened is gone, what that showed is not.
		s.stage = settled
		s.checked, s.verdict, s.reason, s.evidence = c.Checked, c.Verdict, proof.Reason(c.Reason), c.Evidence
		if len(c.Work) != 0 {
			s.work, s.picks = c.Work, r.picks(s)
		}
	}
	return nil
}

func (r *Round) restoreDuty(was savedDuty) error {
	for _, d := range r.duties {
		if d.batch != was.Batch {
			continue
		}
		for _, raw := range append(was.Bound, was.Heard...) {
			o, err := proof.Open(r.s.Chain, raw)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrSaved, err)
			}
			if _, err := r.Heard(d.windows.voteBy, o); err != nil {
				return fmt.Errorf("%w: %w", ErrSaved, err)
			}
		}
		if was.Vote == nil {
			return nil
		}
		o, err := r.reopen(was.Vote, proof.KindVote, r.me)
		if err != nil {
			return err
		}
		v := o.Statement.GetVote()
		if v.GetBatch() != d.batch || v.GetAttempt() != d.attempt || len(was.Attested) != 0 && len(was.Attested) != 32 {
			return fmt.Errorf("%w: vote on batch %d", ErrSaved, d.batch)
		}
		d.vote, d.restored = o, true
		r.promise(d)
		if len(was.Attested) == 32 {
			d.attested = [32]byte(was.Attested)
		}
		return nil
	}
	return fmt.Errorf("%w: batch %d is none of this checker's", ErrSaved, was.Batch)
}
