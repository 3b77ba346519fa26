package purse

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// Witness signs what a player of one session sent and saw, with the key that pays. Its
// methods may be called from any goroutine.
type Witness struct {
	network string
	key     ed25519.PrivateKey
	now     func() time.Time

	mu     sync.Mutex
	of     witness.Session
	first  uint32
	leaves []byte
	second uint32
	seen   string
	ready  []control.Message // records of more than a second holds
}

var _ player.Witness = (*Witness)(nil)

// NewWitness returns a witness of the player with this key in a network.
func NewWitness(network string, k ed25519.PrivateKey) (*Witness, error) {
	if network == "" || len(k) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: a witness needs a network and a key", ErrOptions)
	}
	return &Witness{network: network, key: k, now: time.Now}, nil
}

// Begin implements player.Witness: container and session are those of the answer's proof.
func (w *Witness) Begin(h http.Header) bool {
	sealed, err := base64.StdEncoding.DecodeString(h.Get(whep.HeaderProof))
	if err != nil {
		return false
	}
	var proof wire.AnswerProof
	from, err := seal.Open(w.network, seal.TypeAnswer, sealed, maxProof, &proof)
	if err != nil {
		return false
	}
	node, err := key.NodeOf(from)
	if err != nil || len(proof.GetSessionId()) != witness.SessionSize {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of = witness.Session{Chain: w.network, Container: node, ID: [16]byte(proof.GetSessionId()), Player: [32]byte(w.key[ed25519.SeedSize:])}
	return true
}

// Sent implements player.Witness.
func (w *Witness) Sent(message []byte) {
	if len(message) != witness.MessageSize {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := uint32(len(w.leaves) / witness.LeafSize)
	if n > 0 && (n == witness.MaxMessages || witness.Seq(message) != w.first+n) {
		w.record()
		n = 0
	}
	if n == 0 {
		w.first = witness.Seq(message)
	}
	leaf := w.of.Leaf(message)
	w.leaves = append(w.leaves, leaf[:]...)
}

// Told implements player.Witness.
func (w *Witness) Told(m control.Segment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = m.Frames
}

// tick is the number of the next word: the clock's, but always more than the last.
func (w *Witness) tick() uint32 {
	w.second = max(w.second+1, uint32(w.now().Unix()))
	return w.second
}

// record signs the messages since the last one.
func (w *Witness) record() {
	in, err := w.of.SignInputs(w.key, w.tick(), w.first, w.leaves)
	w.leaves = nil
	if err != nil || len(w.ready) >= maxRecords {
		return
	}
	w.ready = append(w.ready, control.Inputs{Second: in.Second, First: in.First, Leaves: base64.StdEncoding.EncodeToString(in.Leaves),
		Sig: hex.EncodeToString(in.Signature[:])})
}

// maxRecords bounds what is signed in a second.
const maxRecords = 8

// Second implements player.Witness.
func (w *Witness) Second(s player.Seen) []control.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.leaves) > 0 {
		w.record()
	}
	r := witness.Receipt{Second: w.tick(), Frames: s.Frames, Lost: s.Lost, Packets: s.Packets, Acked: s.Acked, Stalls: s.Stalls, P50MS: s.P50, P95MS: s.P95}
	if b, err := hex.DecodeString(w.seen); err == nil && len(b) == len(r.Seen) {
		copy(r.Seen[:], b)
	}
	w.of.SignReceipt(w.key, &r)
	out := append(w.ready, control.Receipt{Second: r.Second, Frames: r.Frames, Lost: r.Lost, Packets: r.Packets, Acked: r.Acked, Stalls: r.Stalls, P50: r.P50MS, P95: r.P95MS,
		Seen: w.seen, Sig: hex.EncodeToString(r.Signature[:])})
	w.ready = nil
	return out
}
