package gossip

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/seal"
)

// A statement of these tests: public key (32) ‖ signature (64) ‖ epoch (8) ‖ batch (4) ‖ text.
func state(key crypto.PrivKey, epoch uint64, batch uint32, text string) []byte {
	body := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, epoch), batch)
	body = append(body, text...)
	raw, err := key.Raw()
	if err != nil {
		panic(err)
	}
	k := ed25519.PrivateKey(raw)
	return append(append(bytes.Clone(k[32:]), ed25519.Sign(k, body)...), body...)
}

func openState(data []byte) (Voice, error) {
	if len(data) < 108 {
		return Voice{}, errors.New("short")
	}
	if !ed25519.Verify(data[:32], data[96:], data[32:96]) {
		return Voice{}, seal.ErrSignature
	}
	pub, err := crypto.UnmarshalEd25519PublicKey(data[:32])
	if err != nil {
		return Voice{}, seal.ErrKey
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return Voice{}, seal.ErrKey
	}
	text := string(data[108:])
	if text == "nonsense" {
		return Voice{}, ErrContent
	}
	return Voice{id, binary.BigEndian.Uint64(data[96:]), binary.BigEndian.Uint32(data[104:]), text}, nil
}

// votesOf takes part in epochs 4 and 5; everybody but the strangers may speak.
func votesOf(t testing.TB, p *peerOn, strangers ...peer.ID) *Votes {
	t.Helper()
	v, err := p.Votes(VotesSpec{Open: openState,
		Member: func(id peer.ID, _ uint64) bool {
			for _, s := range strangers {
				if id == s {
					return false
				}
			}
			return true
		},
		Epochs: func(time.Time) (uint64, uint64) { return 4, 5 }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func withVotes(c *Config) { c.Topics = VotesTopics("test") }

func TestVotesReachOthersInAnyOrder(t *testing.T) {
	a, b := newPeer(t, withVotes), newPeer(t, withVotes)
	from, to := votesOf(t, a), votesOf(t, b)
	got := make(chan string, 64)
	if err := to.Subscribe(t.Context(), func(id peer.ID, body any) { got <- fmt.Sprintf("%t %v", id == a.host.ID(), body) }); err != nil {
		t.Fatal(err)
	}
	connect(t, a.host, b.host)
	eventually(t, "all shards have a peer", func() bool { return from.Peers() == 1 && to.Peers() == 1 })
	want := map[string]bool{}
	for i, s := range []struct {
		epoch uint64
		batch uint32
	}{{5, 0}, {4, 0}, {5, 9}, {5, 1}, {4, 7}, {5, 1}} { // an older epoch after a newer one
		text := fmt.Sprint("vote ", i)
		want["true "+text] = true
		if err := from.Publish(t.Context(), state(a.key, s.epoch, s.batch, text)); err != nil {
			t.Fatal(err)
		}
	}
	for len(want) > 0 {
		text := next(t, got)
		if !want[text] {
			t.Fatalf("got %q", text)
		}
		delete(want, text)
	}
	again := state(a.key, 5, 1, "vote 5")
	if err := from.Publish(t.Context(), again); !errors.Is(err, ErrRefused) {
		t.Errorf("the same again: %v", err)
	}
	if err := from.Publish(t.Context(), []byte("junk")); !errors.Is(err, ErrRefused) {
		t.Errorf("junk: %v", err)
	}
	if _, err := a.Votes(VotesSpec{}); err == nil {
		t.Error("votes without judgement")
	}
	if _, err := newPeer(t, nil).Votes(from.shards[0].election.spec); !errors.Is(err, ErrTopic) {
		t.Errorf("topics that are not on the list: %v", err)
	}
}

func TestWhatVotesAreRefused(t *testing.T) {
	key, id := testKey(t, 1)
	other, otherID := testKey(t, 2)
	forged := state(key, 5, 2, "x")
	forged[40] ^= 1
	spec := VotesSpec{Open: openState, Member: func(p peer.ID, epoch uint64) bool { return p == id || epoch == 4 && p == otherID },
		Epochs: func(time.Time) (uint64, uint64) { return 4, 5 }}
	for name, c := range map[string]struct {
		data []byte
		want Reason
	}{
		"good":             {state(key, 5, 2, "x"), ""},
		"of the shard":     {state(key, 5, 2+3*VoteShards, "x"), ""},
		"other shard":      {state(key, 5, 3, "x"), Content},
		"nonsense":         {state(key, 5, 2, "nonsense"), Content},
		"short":            {[]byte("x"), Decode},
		"long":             {make([]byte, MaxVote+1), Oversize},
		"forged":           {forged, Signature},
		"long past":        {state(key, 3, 2, "x"), Expired},
		"to come":          {state(key, 6, 2, "x"), Future},
		"a stranger":       {state(other, 5, 2, "x"), Unregistered},
		"not yet stranger": {state(other, 4, 2, "x"), ""},
	} {
		e := newElection(2, spec)
		if _, r := e.judge(c.data, t0, true); r != c.want {
			t.Errorf("%s, asked before: %q, want %q", name, r, c.want)
		}
		st, r := e.judge(c.data, t0, false)
		if r != c.want || (r == "") != (st.Body == "x") {
			t.Errorf("%s: %q %v, want %q", name, r, st, c.want)
		}
		if _, r := e.judge(c.data, t0, false); c.want == "" && r != Replay {
			t.Errorf("%s again: %q", name, r)
		}
	}
}

// Only a signer uses up what it may say; what is forgotten with its epoch leaves nothing.
func TestVotesAreBounded(t *testing.T) {
	key, id := testKey(t, 1)
	other, _ := testKey(t, 2)
	first := uint64(4)
	e := newElection(0, VotesSpec{Open: openState, Member: func(peer.ID, uint64) bool { return true },
		Epochs: func(time.Time) (uint64, uint64) { return first, first + 1 }})
	for i := range votesEach {
		if _, r := e.judge(state(key, 4, 0, fmt.Sprint(i)), t0, false); r != "" {
			t.Fatal(i, r)
		}
		if _, r := e.judge(state(key, 4, 0, fmt.Sprint(0)), t0, false); r != Replay { // somebody repeats what it said
			t.Fatal(i, r)
		}
	}
	if _, r := e.judge(state(key, 4, 0, "one more"), t0, false); r != TooOften {
		t.Errorf("beyond its part: %q", r)
	}
	if _, r := e.judge(state(other, 4, 0, "one more"), t0, false); r != "" {
		t.Errorf("another signer: %q", r)
	}
	if _, r := e.judge(state(key, 5, 0, "one more"), t0, false); r != "" {
		t.Errorf("another epoch: %q", r)
	}
	first = 6
	if _, r := e.judge(state(key, 6, 0, "x"), t0, false); r != "" || e.kept != 1 || len(e.said) != 1 || len(e.said[6][id]) != 1 {
		t.Errorf("%q, %d statements of %d epochs are kept", r, e.kept, len(e.said))
	}
	e.kept = votesKept
	if _, r := e.judge(state(key, 6, 0, "y"), t0, false); r != TableFull {
		t.Errorf("a full table: %q", r)
	}
}

// Who spams a shard with what no honest peer passes on ends graylisted; who repeats or
// brings what strangers say is not blamed.
func TestSpammerOfVotesIsScoredOut(t *testing.T) {
	victim := newPeer(t, withVotes)
	strangerKey, stranger := testKey(t, 8)
	heard := make(chan any, 256)
	votes := votesOf(t, victim, stranger)
	if err := votes.Subscribe(t.Context(), func(_ peer.ID, body any) { heard <- body }); err != nil {
		t.Fatal(err)
	}
	topic := VotesTopic("test", 0)
	key, _ := testKey(t, 7)
	for name, c := range map[string]struct {
		make func(i int) []byte
		out  bool
	}{
		"forged":        {func(i int) []byte { b := state(key, 5, 0, fmt.Sprint(i)); b[33] ^= 1; return b }, true},
		"another shard": {func(i int) []byte { return state(key, 5, uint32(i)*VoteShards+1, "x") }, true},
		"strangers":     {func(i int) []byte { return state(strangerKey, 5, 0, fmt.Sprint(i)) }, false},
		"old epochs":    {func(i int) []byte { return state(key, 1, 0, fmt.Sprint(i)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			bad := newHostileOn(t, victim, pubsub.StrictSign, topic)
			defer bad.stop()
			before := victim.count(t, "framemesh_gossip_received_total", topic)
			for i := range 60 {
				bad.send(t, c.make(i))
			}
			eventually(t, "all of it has arrived", func() bool { return victim.count(t, "framemesh_gossip_received_total", topic) >= before+60 })
			if c.out {
				eventually(t, "the spammer is graylisted", func() bool { return victim.Score(bad.host.ID()) < GraylistThreshold })
				return
			}
			bad.rounds(t, victim, 2)
			if s := victim.Score(bad.host.ID()); s < 0 {
				t.Errorf("blamed for what may be honest: %v", s)
			}
		})
	}
	if len(heard) != 0 {
		t.Errorf("heard %v", <-heard)
	}
}
