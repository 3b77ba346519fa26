package checker

import (
	"context"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
)

// inSession is what the ledger says of the session that a busy container named.
type inSession struct {
	epoch     uint64
	container key.Node
	session   [16]byte
	open      bool
}

const (
	sessionAgain = 2 * time.Second // between two looks: play begins before its escrow is locked
	sessionTime  = 10 * time.Second
)

// lookAtSession looks for a session on the ledger until it is found or votes are made.
func (s *rounds) lookAtSession(c *supervise.Ctx, container key.Node, name []byte) {
	if len(name) != 16 {
		return
	}
	m := inSession{epoch: s.epoch, container: container, session: [16]byte(name)}
	r, until := s.r, s.roll.Times.OpeningsBy // votes are made from then on
	c.Go(func(ctx context.Context) any {
		for {
			look, cancel := context.WithTimeout(ctx, sessionTime)
			open, err := r.o.Book.InSession(look, m.container, m.session)
			cancel()
			switch {
			case err == nil && open:
				m.open = true
				return m
			case ctx.Err() != nil:
				return nil
			case uint64(max(r.o.Now().Add(sessionAgain).UnixMilli(), 0)) >= until:
				if err != nil {
					m.open = true // the ledger is out of reach, which is not the container's fault
				}
				return m
			}
			select {
			case <-time.After(sessionAgain):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// inSession says whether the session that a container named is open. What the ledger has
// not said yet is believed: others may know.
func (s *rounds) inSession(container key.Node, name []byte) bool {
	m, known := s.sessions[container]
	return !known || m.open || string(m.session[:]) != string(name)
}
