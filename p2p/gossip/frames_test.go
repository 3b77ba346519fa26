package gossip

import (
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// line is a stream that gives data until it is reset.
type line struct {
	network.Stream
	over bool
}

func (l *line) Read(b []byte) (int, error) {
	if l.over {
		return 0, errors.New("reset")
	}
	return len(b), nil
}

func (l *line) Reset() error { l.over = true; return nil }

func (l *line) Conn() network.Conn { return remote{} }

type remote struct{ network.Conn }

func (remote) RemotePeer() peer.ID { return "the peer" }

// A newer stream may replace one at any moment, also while the reader looks at what it has
// read: whoever opened it is not to blame.
func TestWhoIsToBlameForAReset(t *testing.T) {
	for name, tc := range map[string]struct {
		handle func(s network.Stream)
		blamed bool
	}{
		"what was read is bad": {func(s network.Stream) { _, _ = s.Read(make([]byte, 1)); _ = s.Reset() }, true},
		"replaced in between": {func(s network.Stream) {
			_, _ = s.Read(make([]byte, 1))
			_ = s.Reset() // by the newer one
			_, _ = s.Read(make([]byte, 1))
			_ = s.Reset()
		}, false},
		"it broke": {func(s network.Stream) {
			s.(*watchedStream).Stream.(*line).over = true
			_, _ = s.Read(make([]byte, 1))
			_ = s.Reset()
		}, false},
		"nothing was read":   {func(s network.Stream) { _ = s.Reset() }, false},
		"it is read no more": {func(s network.Stream) { _, _ = s.Read(make([]byte, 1)) }, false},
	} {
		var blamed []peer.ID
		h := &watchedHost{bad: func(id peer.ID) { blamed = append(blamed, id) }}
		h.watch(tc.handle)(&line{})
		if tc.blamed != (len(blamed) == 1 && blamed[0] == "the peer") || !tc.blamed && len(blamed) != 0 {
			t.Errorf("%s: blamed %v", name, blamed)
		}
	}
}
