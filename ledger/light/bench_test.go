package light

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cometbft/cometbft/libs/log"
	cometlight "github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/types"
)

// lazy is a chain whose headers are made when they are asked for, so that a hundred
// thousand of them cost nothing that is measured. Every turn heights one of its validators
// is another.
type lazy struct {
	*network
	head int64
	turn int64
	mu   sync.Mutex
	made map[int64]*types.LightBlock
	vals map[int64]*types.ValidatorSet
}

func newLazy(b *testing.B, validators int, head, turn int64) *lazy {
	n := newNetwork(b, validators)
	l := &lazy{network: n, head: head, turn: turn, made: map[int64]*types.LightBlock{}, vals: map[int64]*types.ValidatorSet{}}
	first := n.sets(1)
	n.sets = func(h int64) *types.ValidatorSet {
		gen := h / turn
		if gen == 0 {
			return first
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if s := l.vals[gen]; s != nil {
			return s
		}
		var vs []*types.Validator
		for i := range int64(validators) {
			// Validator i was changed last in the newest generation that is i modulo their number.
			at := gen - (gen-i+int64(validators))%int64(validators)
			if at <= 0 {
				vs = append(vs, types.NewValidator(first.Validators[i].PubKey, first.Validators[i].VotingPower))
			} else {
				v := n.know(seeded("bench", int(at)))
				v.VotingPower = 20_000
				vs = append(vs, v)
			}
		}
		l.vals[gen] = types.NewValidatorSet(vs)
		return l.vals[gen]
	}
	return l
}

func (l *lazy) block(h int64) *types.LightBlock {
	set, next := l.sets(h), l.sets(h+1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.made[h]; b != nil {
		return b
	}
	head := &types.Header{Version: l.version(), ChainID: l.doc.ChainID, Height: h, Time: testStart.Add(time.Duration(h-1) * time.Second),
		LastCommitHash: hashOf("c", h), DataHash: hashOf("d", h), ValidatorsHash: set.Hash(), NextValidatorsHash: next.Hash(),
		ConsensusHash: l.gen.ConsensusParams.Hash(), AppHash: hashOf("a", h), LastResultsHash: hashOf("r", h), EvidenceHash: hashOf("e", h),
		ProposerAddress: set.Validators[0].Address}
	if h > 1 {
		head.LastBlockID = types.BlockID{Hash: hashOf("b", h-1), PartSetHeader: types.PartSetHeader{Total: 1, Hash: hashOf("p", h-1)}}
	}
	l.made[h] = l.sign(head, set, l.keys)
	return l.made[h]
}

func (l *lazy) Head() Summary {
	return Summary{Height: uint64(l.head), Full: true}
}

func (l *lazy) LightBlock(_ context.Context, h uint64) ([]byte, error) {
	if h == 0 {
		h = uint64(l.head)
	}
	return EncodeLightBlock(l.block(int64(h)))
}

func (l *lazy) Value(context.Context, []byte, uint64) (*Value, error) { return nil, ErrNotFound }
func (l *lazy) Tx(context.Context, [32]byte) (*TxFound, error)        { return nil, ErrNotFound }
func (l *lazy) Block(context.Context, uint64) (*Block, error)         { return nil, ErrNotFound }
func (l *lazy) Submit(context.Context, []byte) ([32]byte, uint32, string, error) {
	return [32]byte{}, 0, "", ErrBusy
}

func (l *lazy) config(w *wire) Config {
	return Config{Genesis: l.doc, Transport: w, Timeout: time.Minute, Now: func() time.Time { return testStart.Add(time.Duration(l.head) * time.Second) }}
}

// BenchmarkSkip joins with the genesis file and verifies the head of a chain of so many
// headers, with a witness. Of the seven validators one is another every 500 headers, so the
// whole set is new every 3500.
func BenchmarkSkip(b *testing.B) {
	for _, head := range []int64{2, 1000, 100_000} {
		b.Run(fmt.Sprint(head), func(b *testing.B) {
			l := newLazy(b, 7, head, 500)
			w := new(wire).set("a", honest(l)).set("b", honest(l))
			join := func() *Client {
				c, err := New(l.config(w))
				if err != nil {
					b.Fatal(err)
				}
				if !c.look(context.Background()) || c.Head().Height != uint64(head) || c.Status().Witnesses != 1 {
					b.Fatal(c.Status())
				}
				return c
			}
			join() // makes the headers
			w.calls, w.bytes = 0, 0
			var c *Client
			for b.Loop() {
				c = join()
			}
			b.ReportMetric(float64(w.bytes)/float64(b.N), "B-fetched/op")
			b.ReportMetric(float64(w.calls)/float64(b.N), "calls/op")
			b.ReportMetric(float64(c.headers.Size()), "headers-kept")
		})
	}
}

// BenchmarkSequential verifies 1000 headers one by one, as a client would that skips none.
func BenchmarkSequential(b *testing.B) {
	const head = 1000
	l := newLazy(b, 7, head, 500)
	w := new(wire).set("a", honest(l))
	cfg := l.config(w)
	for b.Loop() {
		c, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.headers.SaveLightBlock(l.block(1)); err != nil {
			b.Fatal(err)
		}
		p, wit := &source{c: c, peer: "a"}, &source{c: c, peer: "a"}
		cl, err := cometlight.NewClientFromTrustedStore(c.chain, c.cfg.Period, p, []provider.Provider{wit}, c.headers,
			cometlight.SequentialVerification(), cometlight.Logger(log.NewNopLogger()))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := cl.VerifyLightBlockAtHeight(context.Background(), head, cfg.Now()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.bytes)/float64(b.N), "B-fetched/op")
}

// BenchmarkMemory is the heap of a client that holds as many headers as it ever will.
func BenchmarkMemory(b *testing.B) {
	for _, validators := range []int{4, 100} {
		b.Run(fmt.Sprintf("%d validators", validators), func(b *testing.B) {
			l := newLazy(b, validators, 1500, 1<<40)
			raws := make([][]byte, l.head)
			for h := range raws {
				raw, err := EncodeLightBlock(l.block(int64(h) + 1))
				if err != nil {
					b.Fatal(err)
				}
				raws[h] = raw
				delete(l.made, int64(h)+1)
			}
			heap := func() uint64 {
				runtime.GC()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			var c *Client
			var grown float64
			for b.Loop() {
				before := heap()
				var err error
				if c, err = New(l.config(new(wire))); err != nil {
					b.Fatal(err)
				}
				for _, raw := range raws {
					x, err := DecodeLightBlock(c.chain, raw)
					if err != nil {
						b.Fatal(err)
					}
					if err := c.headers.SaveLightBlock(x); err != nil {
						b.Fatal(err)
					}
				}
				grown = float64(heap()) - float64(before)
			}
			b.ReportMetric(grown, "B-heap")
			b.ReportMetric(float64(c.headers.Size()), "headers-kept")
			runtime.KeepAlive(c)
		})
	}
}
