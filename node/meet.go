package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// How long a command goes on with peers that do not answer.
const (
	tellAfter = time.Second             // of nobody, until whoever waits is told
	tryAgain  = 2500 * time.Millisecond // for those that refuse at once: a node may just be starting
	tryEvery  = 500 * time.Millisecond  // between two attempts with one peer
	meetMost  = 20 * time.Second        // for one attempt; the host's own limits are below it
	meetMore  = 200 * time.Millisecond  // for further peers, once one is there
)

// Unreached means that none of the peers that were to be asked answered.
type Unreached struct {
	Peers []Silent
}

// Silent is a peer that did not answer.
type Silent struct {
	Peer peer.AddrInfo
	Why  string // in a few words
	// Foreign: it is there, and of another network.
	Foreign bool
}

func (s Silent) String() string { return fmt.Sprintf("%s does not answer: %s", located(s.Peer), s.Why) }

// Foreign says whether all of them are there, and of another network.
func (u Unreached) Foreign() bool {
	return !slices.ContainsFunc(u.Peers, func(s Silent) bool { return !s.Foreign })
}

// Error implements error.
func (u Unreached) Error() string {
	if len(u.Peers) == 1 {
		return "node: " + u.Peers[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "node: none of %d peers answers", len(u.Peers))
	for _, s := range u.Peers {
		fmt.Fprintf(&b, "\n  %s: %s", located(s.Peer), s.Why)
	}
	return b.String()
}

// meeting is the attempt to reach one of some peers.
type meeting struct {
	host              host.Host
	network           string
	tell              func(string)
	try, every, quiet time.Duration // tryAgain, tryEvery and tellAfter, but in tests
}

// attempt is what became of one peer.
type attempt struct {
	peer peer.AddrInfo
	err  error
}

// run connects to peers, all at once, and returns nil a moment after the first is there; the
// attempts with the others go on. With nobody there it tells who is silent and why, and returns
// an Unreached once all have failed.
func (m *meeting) run(ctx context.Context, peers []peer.AddrInfo) error {
	life, cancel := context.WithTimeout(context.WithoutCancel(ctx), meetMost)
	time.AfterFunc(meetMost, cancel) // nobody else does, once a peer is there: the other attempts go on
	until := time.Now().Add(m.try)
	done := make(chan attempt, len(peers))
	lately := newReasons()
	for _, p := range peers {
		go func() {
			done <- attempt{p, m.reach(life, p, until, func(err error) { lately.put(p.ID, reason(err)) })}
		}()
	}
	quiet := time.NewTimer(m.quiet)
	defer quiet.Stop()
	var failed []Silent
	open, told := slices.Clone(peers), false
	for len(open) > 0 {
		select {
		case <-ctx.Done():
			cancel()
			return fmt.Errorf("node: waiting for %s: %w", who(ids(open)), ctx.Err())
		case <-quiet.C:
			told = true
			for _, s := range failed {
				m.tell(s.String())
			}
			for _, p := range open {
				m.tell(lately.of(p))
			}
		case a := <-done:
			open = slices.DeleteFunc(open, func(p peer.AddrInfo) bool { return p.ID == a.peer.ID })
			if a.err == nil {
				m.linger(done, len(open))
				return nil
			}
			s := Silent{a.peer, reason(a.err), errors.Is(a.err, errOtherNetwork)}
			failed = append(failed, s)
			if told && len(open) > 0 {
				m.tell(s.String() + "; going on with " + who(ids(open)))
			}
		}
	}
	cancel()
	return Unreached{failed}
}

// reasons are why peers that are tried again did not answer the last time.
type reasons struct {
	mu  sync.Mutex
	why map[peer.ID]string
}

func newReasons() *reasons { return &reasons{why: map[peer.ID]string{}} }

func (r *reasons) put(p peer.ID, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why[p] = why
}

// of says that a peer does not answer, and why as far as it is known.
func (r *reasons) of(p peer.AddrInfo) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why, ok := r.why[p.ID]; ok {
		return Silent{Peer: p, Why: why}.String() + "; trying again"
	}
	return located(p) + " does not answer yet"
}

// linger gives more peers a moment: two tell more than one.
func (m *meeting) linger(done <-chan attempt, open int) {
	more := time.NewTimer(meetMore)
	defer more.Stop()
	for range open {
		select {
		case <-done:
		case <-more.C:
			return
		}
	}
}

// reach connects to one peer and, until a moment, tries again one that refuses. failed takes why
// each attempt came to nothing.
func (m *meeting) reach(ctx context.Context, p peer.AddrInfo, until time.Time, failed func(error)) error {
	var last error
	for {
		if s, ok := m.host.Network().(*swarm.Swarm); ok {
			s.Backoff().Clear(p.ID) // it is asked for again on purpose
		}
		err := m.host.Connect(ctx, p)
		if err == nil {
			return m.ours(p.ID)
		}
		if last == nil || !errors.Is(err, swarm.ErrDialBackoff) { // which says nothing of the peer
			last = err
		}
		var other sec.ErrPeerIDMismatch
		if errors.As(err, &other) || ctx.Err() != nil || !time.Now().Add(m.every).Before(until) {
			return last
		}
		failed(last)
		select {
		case <-time.After(m.every):
		case <-ctx.Done():
			return last
		}
	}
}

// errOtherNetwork: a peer is there, and none of this network.
var errOtherNetwork = errors.New("it is a node of another network")

// ours says whether a peer that is connected speaks of this network: protocols carry its name.
// One that tells of no protocol yet has the benefit of the doubt.
func (m *meeting) ours(p peer.ID) error {
	spoken, err := m.host.Peerstore().GetProtocols(p)
	if err != nil {
		return nil
	}
	var foreign []string
	for _, s := range spoken {
		name, ok := strings.CutPrefix(string(s), "/framemesh/")
		if !ok {
			continue
		}
		if name, _, _ = strings.Cut(name, "/"); name == m.network {
			return nil
		}
		if !slices.Contains(foreign, name) {
			foreign = append(foreign, name)
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	slices.Sort(foreign)
	return fmt.Errorf("%w, %s", errOtherNetwork, strings.Join(foreign, " or "))
}

// reason says in a few words why a peer could not be reached: of all its addresses the
// telling one.
func reason(err error) string {
	var other sec.ErrPeerIDMismatch
	var name *net.DNSError
	var dial *swarm.DialError
	switch {
	case errors.Is(err, errOtherNetwork):
		return err.Error()
	case errors.As(err, &other):
		return fmt.Sprintf("another peer lives there, %s", other.Actual)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there (connection refused)"
	case errors.As(err, &name):
		return fmt.Sprintf("the name %s is not known (DNS)", name.Name)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to it from here (no route)"
	case errors.Is(err, syscall.ECONNRESET):
		return "it closed the connection"
	case silent(err):
		return "nothing came back: it is gone, hangs, or a firewall is in between"
	case errors.Is(err, swarm.ErrNoGoodAddresses):
		return "none of its addresses can be used from here"
	case errors.As(err, &dial) && len(dial.DialErrors) > 0:
		return firstLine(dial.DialErrors[0].Cause.Error())
	}
	return firstLine(err.Error())
}

// silent says whether an attempt ended with its time.
func silent(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, swarm.ErrDialTimeout) || errors.As(err, &t) && t.Timeout()
}

func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// located is a peer with the first of its addresses.
func located(p peer.AddrInfo) string {
	if len(p.Addrs) == 0 {
		return p.ID.String()
	}
	return fmt.Sprintf("%s at %s", p.ID, p.Addrs[0])
}

// gathered puts the addresses of a peer that is named more than once together.
func gathered(peers []peer.AddrInfo) (out []peer.AddrInfo) {
	for _, p := range peers {
		i := slices.IndexFunc(out, func(x peer.AddrInfo) bool { return x.ID == p.ID })
		if i < 0 {
			out = append(out, peer.AddrInfo{ID: p.ID, Addrs: slices.Clone(p.Addrs)})
			continue
		}
		for _, a := range p.Addrs {
			if !slices.ContainsFunc(out[i].Addrs, a.Equal) {
				out[i].Addrs = append(out[i].Addrs, a)
			}
		}
	}
	return out
}

func ids(peers []peer.AddrInfo) (out []peer.ID) {
	for _, p := range peers {
		out = append(out, p.ID)
	}
	return out
}

// who names one peer, or counts several.
func who(peers []peer.ID) string {
	switch len(peers) {
	case 0:
		return "nobody"
	case 1:
		return peers[0].String()
	}
	return fmt.Sprintf("%d peers", len(peers))
}
