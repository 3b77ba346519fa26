package node

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/gpu/kernel/apart"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/gossip"
	"github.com/framemesh/framemesh/p2p/seal"
)

func signed(t testing.TB, chain string, st *proof.Statement) *proof.Opened {
	t.Helper()
	seed := sha256.Sum256([]byte("a checker"))
	o, err := proof.Sign(chain, ed25519.NewKeyFromSeed(seed[:]), st)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestWhatMayBeGossipedAboutRounds(t *testing.T) {
	hash := make([]byte, 32)
	nonce := signed(t, "test", &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: 7, Nonce: hash}}})
	vote := signed(t, "test", &proof.Statement{Says: &proof.Statement_VoteCommit{VoteCommit: &proof.VoteCommit{Epoch: 7, Batch: 12, Digest: hash}}})
	pong := signed(t, "test", &proof.Statement{Says: &proof.Statement_Pong{Pong: &proof.Pong{Epoch: 7, Nonce: hash, Checker: hash}}})
	for o, batch := range map[*proof.Opened]uint32{nonce: 0, vote: 12} {
		v, err := openVote("test", o.Raw)
		if err != nil {
			t.Fatal(err)
		}
		body, ok := v.Body.(*proof.Opened)
		if n, err := key.NodeOf(v.Signer); err != nil || n != o.Signer || v.Epoch != 7 || v.Batch != batch || !ok || body.Digest != o.Digest {
			t.Errorf("%s: %+v %v", o.Kind(), v, err)
		}
	}
	forged := append([]byte(nil), vote.Raw...)
	forged[len(forged)-1] ^= 1
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"a pong":          {pong.Raw, gossip.ErrContent},
		"forged":          {forged, seal.ErrSignature},
		"another network": {signed(t, "other", vote.Statement).Raw, seal.ErrSignature},
		"junk":            {[]byte("junk"), proof.ErrMalformed},
	} {
		if _, err := openVote("test", c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzOpenVote(f *testing.F) {
	hash := make([]byte, 32)
	f.Add(signed(f, "test", &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: 7, Nonce: hash}}}).Raw)
	f.Add(signed(f, "test", &proof.Statement{Says: &proof.Statement_VoteCommit{VoteCommit: &proof.VoteCommit{Epoch: 7, Batch: 12, Digest: hash}}}).Raw)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := openVote("test", data)
		if err != nil {
			return
		}
		if o, ok := v.Body.(*proof.Opened); !ok || o.Verify("test") != nil {
			t.Fatal("accepted what nobody signed")
		}
	})
}

// The device that renders for rounds has passed the kernel's known answers, and its rate is
// measured; one that must be a graphics device is never replaced in silence.
func TestBackendsOfRounds(t *testing.T) {
	b, err := OpenBackend(t.Context(), BackendCPU, 1)
	if err != nil {
		t.Fatal(err)
	}
	rate := uint64(0)
	for range 40 { // threads of the lowest priority may wait for long on a machine that is busy
		if rate = kernelRate(t.Context(), b); rate > 0 {
			break
		}
	}
	if b.Name() != "go" || rate == 0 {
		t.Errorf("%s renders %d samples a second", b.Name(), rate)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if threads := (&ProofConfig{Threads: 3}).threads(2); threads != 3 {
		t.Errorf("%d threads, 3 were asked for", threads)
	}
	if threads := (&ProofConfig{}).threads(1 << 20); threads != 1 {
		t.Errorf("%d threads where many share the machine", threads)
	}
}

// A renderer that dies is replaced when the next frame is asked for, and a closed one says so.
func TestARendererThatDiesIsReplaced(t *testing.T) {
	b, err := OpenBackend(t.Context(), BackendCPU, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := b.(*renderer)
	size := kernel.Sizes()[0]
	out, again := make([]uint32, size.Words()), make([]uint32, size.Words())
	if err := r.Render(t.Context(), size, kernel.Seed{1}, out); err != nil {
		t.Fatal(err)
	}
	if err := r.process.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Render(t.Context(), size, kernel.Seed{1}, again); err != nil || !slices.Equal(out, again) {
		t.Errorf("after its process died: %v, the same frame: %v", err, slices.Equal(out, again))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Render(t.Context(), size, kernel.Seed{1}, out); !errors.Is(err, apart.ErrEnded) {
		t.Errorf("closed, it says %v", err)
	}
}
