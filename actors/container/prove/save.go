package prove

import (
	"encoding/json"
	"fmt"

	"github.com/framemesh/framemesh/ledger/proof"
)

// maxSaved bounds a saved state: the roots of a chain and one commitment.
const maxSaved = 64 << 10

// saved is what outlives a restart.
type saved struct {
	Epoch  uint64   `json:"epoch"`
	Task   []byte   `json:"task"`
	Commit []byte   `json:"commit,omitempty"` // Signed, marshalled
	Roots  [][]byte `json:"roots,omitempty"`
}

// Save is what Restore needs: after every call that returned a Send, it must be on the
// disk before the Send goes out.
func (p *Prover) Save() ([]byte, error) {
	s := saved{Epoch: p.s.Epoch, Task: p.s.Task[:]}
	if p.commit != nil {
		s.Commit = p.commit.Raw
	}
	for i := range p.roots {
		s.Roots = append(s.Roots, p.roots[i][:])
	}
	return json.Marshal(s)
}

// Restore goes on with what Save wrote in the same epoch: the commitment stands, is sent
// again and can be opened. It returns ErrSaved for anything else, and the caller stays out
// of the rest of the epoch then: it may have committed.
func Restore(s Setup, r Renderer, data []byte) (*Prover, error) {
	p, err := New(s)
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
	if was.Epoch != s.Epoch || string(was.Task) != string(s.Task[:]) {
		return nil, fmt.Errorf("%w: of epoch %d, it is %d", ErrSaved, was.Epoch, s.Epoch)
	}
	if len(was.Commit) == 0 {
		return p, nil
	}
	o, err := proof.Open(s.Chain, was.Commit)
	if err == nil {
		err = o.Of(proof.KindCapCommit, s.Epoch)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	c := o.Statement.GetCommit()
	if o.Signer != p.me || int(c.GetFrames()) != len(was.Roots) {
		return nil, fmt.Errorf("%w: the commitment and the roots do not fit", ErrSaved)
	}
	for _, root := range was.Roots {
		if len(root) != 32 {
			return nil, fmt.Errorf("%w: a root of %d bytes", ErrSaved, len(root))
		}
		p.roots = append(p.roots, [32]byte(root))
	}
	if root := s.Kernel.RootsRoot(p.roots); c.GetBusy() == nil && string(root[:]) != string(c.GetRoots()) {
		return nil, fmt.Errorf("%w: the roots are not those of the commitment", ErrSaved)
	}
	p.commit, p.size, p.stage = o, c.GetSize(), committed
	if c.GetBusy() == nil {
		p.work = r.Reopen(Render{s.Task, p.me, p.size, s.Until, proof.MaxFrames}, p.roots)
	}
	return p, nil
}
