package light

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmted "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/comet"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/store"
)

var testStart = time.UnixMilli(1_780_000_000_000).UTC()

// seeded is a key that is the same in every run.
func seeded(what string, i int) ed25519.PrivateKey {
	s := sha256.Sum256(fmt.Appendf(nil, "light test %s %d", what, i))
	return ed25519.NewKeyFromSeed(s[:])
}

// network is a chain of the test's own making: real headers, signatures, trees and proofs,
// without consensus. Blocks are a second apart.
type network struct {
	t     testing.TB
	doc   *genesis.Doc
	gen   *types.GenesisDoc
	keys  map[string]ed25519.PrivateKey // by consensus address
	sets  func(height int64) *types.ValidatorSet
	tree  *store.Tree
	every time.Duration

	mu      sync.Mutex
	blocks  []*types.LightBlock // height h at h-1
	txs     [][][]byte
	results [][]*abci.ExecTxResult
}

func newNetwork(t testing.TB, validators int) *network {
	t.Helper()
	n := &network{t: t, keys: map[string]ed25519.PrivateKey{}, every: time.Second}
	var nodes []genesis.Node
	for i := range validators {
		cons := seeded("consensus", i)
		n.know(cons)
		nodes = append(nodes, genesis.Node{
			Node: key.Node(seeded("node", i).Public().(ed25519.PublicKey)), Owner: key.Address(seeded("owner", i).Public().(ed25519.PublicKey)),
			Roles: genesis.Roles(economics.RoleChecker), Region: "eu", Stake: 20_000 * uint64(amount.FRM),
			ConsensusKey: genesis.Key(cons.Public().(ed25519.PublicKey)), VRFKey: genesis.Key(seeded("vrf", i).Public().(ed25519.PublicKey)),
		})
	}
	doc, err := genesis.Build(genesis.Plan{Chain: "light-test", Time: testStart, Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	n.doc = doc
	if n.gen, err = comet.GenesisDoc(doc); err != nil {
		t.Fatal(err)
	}
	first := make([]*types.Validator, len(n.gen.Validators))
	for i, v := range n.gen.Validators {
		first[i] = types.NewValidator(v.PubKey, v.Power)
	}
	set := types.NewValidatorSet(first)
	n.sets = func(int64) *types.ValidatorSet { return set }
	db, err := store.Open(t.TempDir(), store.Options{Chain: doc.ChainID, Genesis: doc.Hash()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if n.tree, err = db.Tree(); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *network) know(k ed25519.PrivateKey) *types.Validator {
	pub := cmted.PubKey(k.Public().(ed25519.PublicKey))
	n.keys[string(pub.Address())] = k
	return types.NewValidator(pub, 100)
}

// header is the next header over what stands in the tree; it is not signed yet.
func (n *network) header(height int64, last *types.LightBlock, txs [][]byte, appHash, results []byte) *types.Header {
	h := &types.Header{
		Version: n.version(), ChainID: n.doc.ChainID, Height: height,
		Time: testStart.Add(time.Duration(height-1) * n.every), LastCommitHash: hashOf("commit", height), DataHash: types.ToTxs(txs).Hash(),
		ValidatorsHash: n.sets(height).Hash(), NextValidatorsHash: n.sets(height + 1).Hash(), ConsensusHash: n.gen.ConsensusParams.Hash(),
		AppHash: appHash, LastResultsHash: results, EvidenceHash: hashOf("evidence", 0), ProposerAddress: n.sets(height).Validators[0].Address,
	}
	if last != nil {
		h.LastBlockID = last.Commit.BlockID
	}
	return h
}

func (n *network) version() cmtversion.Consensus {
	return cmtversion.Consensus{Block: version.BlockProtocol, App: comet.AppVersion}
}

func hashOf(what string, i int64) []byte {
	s := sha256.Sum256(fmt.Appendf(nil, "%s %d", what, i))
	return s[:]
}

// sign makes a light block of a header, signed by those of the set whose keys are given.
func (n *network) sign(h *types.Header, set *types.ValidatorSet, keys map[string]ed25519.PrivateKey) *types.LightBlock {
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: hashOf("parts", h.Height)}}
	c := &types.Commit{Height: h.Height, BlockID: id}
	for i, v := range set.Validators {
		k, ok := keys[string(v.Address)]
		if !ok {
			c.Signatures = append(c.Signatures, types.NewCommitSigAbsent())
			continue
		}
		vote := &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: h.Height, BlockID: id.ToProto(), Timestamp: h.Time,
			ValidatorAddress: v.Address, ValidatorIndex: int32(i)}
		c.Signatures = append(c.Signatures, types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address,
			Timestamp: h.Time, Signature: ed25519.Sign(k, types.VoteSignBytes(h.ChainID, vote))})
	}
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: h, Commit: c}, ValidatorSet: set}
}

// grow makes blocks up to height. write, which may be nil, changes the state in each.
func (n *network) grow(height int, write func(height int64, set func(k, v string)) (txs [][]byte)) *network {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for h := int64(len(n.blocks)) + 1; h <= int64(height); h++ {
		var last *types.LightBlock
		appHash, results := n.tree.Root(), []byte(nil)
		if h > 1 {
			last = n.blocks[h-2]
			results = types.NewResults(n.results[h-2]).Hash()
		} else {
			results = types.NewResults(nil).Hash()
		}
		var txs [][]byte
		if write != nil {
			txs = write(h, func(k, v string) {
				if err := n.tree.Set([]byte(k), []byte(v)); err != nil {
					n.t.Fatal(err)
				}
			})
		}
		if err := n.tree.Set([]byte("height"), fmt.Appendf(nil, "%d", h)); err != nil {
			n.t.Fatal(err)
		}
		if _, _, err := n.tree.Save(); err != nil {
			n.t.Fatal(err)
		}
		var rs []*abci.ExecTxResult
		for i := range txs {
			rs = append(rs, &abci.ExecTxResult{Code: uint32(i % 2), Log: "said"})
		}
		n.blocks = append(n.blocks, n.sign(n.header(h, last, txs, appHash, results), n.sets(h), n.keys))
		n.txs, n.results = append(n.txs, txs), append(n.results, rs)
	}
	return n
}

func (n *network) at(height int64) *types.LightBlock {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.blocks[height-1]
}

// full is an honest full node of the network, knowing blocks up to its head.
type full struct {
	n *network

	mu   sync.Mutex
	head int64
	took [][]byte
	code uint32
}

var _ Backend = (*full)(nil)

func (f *full) height() int64 { f.mu.Lock(); defer f.mu.Unlock(); return f.head }

func (f *full) reach(height int64) *full {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head = height
	return f
}

func (f *full) Head() Summary {
	s := summary(f.n.at(f.height()))
	s.Full = true
	return s
}

func (f *full) LightBlock(_ context.Context, height uint64) ([]byte, error) {
	if height == 0 {
		height = uint64(f.height())
	}
	if height > uint64(f.height()) {
		return nil, ErrNotFound
	}
	return EncodeLightBlock(f.n.at(int64(height)))
}

func (f *full) Value(_ context.Context, k []byte, height uint64) (*Value, error) {
	v, p, err := f.n.tree.Prove(k, int64(height))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return &Value{Height: height, Value: v, Exists: v != nil, Proof: p}, nil
}

func (f *full) Submit(_ context.Context, raw []byte) ([32]byte, uint32, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, raw)
	return sha256.Sum256(raw), f.code, "because", nil
}

func (f *full) Tx(_ context.Context, hash [32]byte) (*TxFound, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	for h, txs := range f.n.txs {
		for i, raw := range txs {
			if sha256.Sum256(raw) != hash {
				continue
			}
			rs := types.NewResults(f.n.results[h])
			out := &TxFound{Height: uint64(h) + 1, Index: uint32(i), Tx: raw, Log: "said"}
			in, res := types.ToTxs(txs).Proof(i), rs.ProveResult(i)
			out.Proof, _ = in.Proof.ToProto().Marshal()
			out.Result, _ = rs[i].Marshal()
			out.ResultProof, _ = res.ToProto().Marshal()
			return out, nil
		}
	}
	return nil, ErrNotFound
}

func (f *full) Block(_ context.Context, height uint64) (*Block, error) {
	if height > uint64(f.height()) {
		return nil, ErrNotFound
	}
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &Block{Height: height, Txs: f.n.txs[height-1]}, nil
}

var errGone = errors.New("the peer is gone")

// answerer is a peer of the wire: an honest server, or what a test makes of one.
type answerer func(ctx context.Context, req *Request) (*Response, error)

// wire carries questions within the process, as the bytes that would go over a network.
type wire struct {
	mu    sync.Mutex
	peers map[string]answerer
	calls int
	bytes int
}

func (w *wire) Peers(context.Context) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.peers))
}

func (w *wire) Call(ctx context.Context, peer string, req *Request) (*Response, error) {
	w.mu.Lock()
	a := w.peers[peer]
	w.calls++
	w.mu.Unlock()
	if a == nil {
		return nil, errGone
	}
	resp, err := a(ctx, req)
	if err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(resp)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.bytes += len(raw)
	w.mu.Unlock()
	out := new(Response)
	return out, proto.Unmarshal(raw, out)
}

func (w *wire) set(peer string, a answerer) *wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.peers == nil {
		w.peers = map[string]answerer{}
	}
	if a == nil {
		delete(w.peers, peer)
	} else {
		w.peers[peer] = a
	}
	return w
}

// honest answers from b as the node does.
func honest(b Backend) answerer {
	s := NewServer(b)
	return func(ctx context.Context, req *Request) (*Response, error) { return s.Handle(ctx, "client", req) }
}

// twist is an honest server whose answers a test changes; nil leaves one alone.
func twist(b Backend, change func(req *Request, resp *Response) *Response) answerer {
	h := honest(b)
	return func(ctx context.Context, req *Request) (*Response, error) {
		resp, err := h(ctx, req)
		if err != nil {
			return nil, err
		}
		if other := change(req, resp); other != nil {
			return other, nil
		}
		return resp, nil
	}
}

// faults collects who was reported.
type faults struct {
	mu  sync.Mutex
	all map[string]error
}

func (f *faults) add(peer string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[string]error{}
	}
	f.all[peer] = err
}

func (f *faults) of(peer string) error { f.mu.Lock(); defer f.mu.Unlock(); return f.all[peer] }

func (f *faults) count() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.all) }

// patience bounds every wait of a test; it is no measure of speed.
const patience = 2 * time.Minute

// client makes a client at rest: tests move it with look, so that nothing depends on time: all
// peers are heard before it goes on, however late they are.
func (n *network) client(w *wire, change ...func(*Config)) (*Client, *faults) {
	n.t.Helper()
	f := new(faults)
	cfg := Config{Genesis: n.doc, Transport: w, Fault: f.add, Timeout: patience / 4, HeadGrace: patience / 4, WitnessWait: 8 * time.Millisecond,
		Now: func() time.Time { return n.at(int64(n.len())).Time.Add(time.Second) }}
	for _, ch := range change {
		ch(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	return c, f
}

func (n *network) len() int { n.mu.Lock(); defer n.mu.Unlock(); return len(n.blocks) }

// started is a client that runs, until the test ends.
func started(t testing.TB, c *Client) *Client {
	t.Helper()
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
