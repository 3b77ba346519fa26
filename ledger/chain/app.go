package chain

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmted "github.com/cometbft/cometbft/crypto/ed25519"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/framemesh/framemesh/ledger/comet"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/store"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// application is the state machine as the engine calls it. The engine has four lines into
// it: consensus, pool, questions and snapshots. Each is one call at a time, but they run
// beside each other, so consensus alone touches the machine and the working tree, and the
// others read the last committed state.
type application struct {
	abci.BaseApplication

	c        Config
	log      *slog.Logger
	metrics  *metrics
	tree     *store.Tree
	index    *index
	snaps    *snapshots
	verifier *tx.Verifier
	line     *line
	decoder  *decoder
	vrf      *vrf.PrivateKey // nil for nodes that only follow

	// of the consensus line only
	machine *state.Machine // nil before InitChain
	known   []*tx.Tx       // good entries of the block built or judged last, nil where it has others
	block   *executed      // executed and not yet committed

	draws state.Draws // who checks whom, drawn once for all machines
	pool  pool
	last  atomic.Pointer[committed] // nil before the first block

	onBlock func(Head) // called after each commit; must not wait
}

// executed is a block between FinalizeBlock and Commit.
type executed struct {
	head   Head
	hashes [][32]byte
}

// committed is the newest state on disk.
type committed struct {
	head   Head
	reader *frozen
}

// frozen is a committed state as the machine wants it: it can be read, and an overlay on
// it thrown away.
type frozen struct{ *store.Reader }

var errFrozen = fmt.Errorf("chain: a committed state cannot be written")

func (frozen) Set(_, _ []byte) error { return errFrozen }
func (frozen) Delete([]byte) error   { return errFrozen }

var _ state.Store = frozen{}

// Info tells the engine where the state stands, so that it replays what is missing.
func (a *application) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	res := &abci.ResponseInfo{Data: "framemesh", AppVersion: comet.AppVersion, LastBlockHeight: a.tree.Version()}
	if res.LastBlockHeight > 0 {
		res.LastBlockAppHash = a.tree.Root()
	}
	return res, nil
}

// InitChain writes the state of the genesis file. The engine calls it once per network,
// and again after a crash before the first block.
func (a *application) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	want, err := comet.GenesisDoc(a.c.Genesis)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(req.AppStateBytes, want.AppState) || req.ChainId != want.ChainID {
		return nil, fmt.Errorf("%w: it was started from %s of %s; use that file, or another directory", ErrGenesis, req.AppStateBytes, req.ChainId)
	}
	m, updates, err := state.Init(a.tree, a.c.Genesis, a.options()...)
	if err != nil {
		return nil, err
	}
	vals, err := validatorUpdates(updates)
	if err != nil {
		return nil, err
	}
	if err := sameValidators(vals, req.Validators); err != nil {
		return nil, err
	}
	a.machine = m
	return &abci.ResponseInitChain{AppHash: a.tree.WorkingHash(), Validators: vals}, nil
}

// FinalizeBlock executes a decided block. Every node must get the same from the same
// block, so even what ProcessProposal refuses has a result here: it is what two thirds of
// the power want.
func (a *application) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	begin := time.Now()
	block := a.stateBlock(uint64(req.Height), req.Time, req.ProposerAddress, req.Misbehavior)
	block.Missed = missed(req.DecidedLastCommit.Votes)
	if out, err := a.checkBeacon(a.machine, req.Txs, uint64(req.Height), req.ProposerAddress); err == nil {
		block.VRF = out
	}
	events, err := a.machine.BeginBlock(block)
	if err != nil {
		return nil, fmt.Errorf("chain: block %d: %w", req.Height, err)
	}
	res := &abci.ResponseFinalizeBlock{TxResults: make([]*abci.ExecTxResult, len(req.Txs))}
	hashes := make([][32]byte, len(req.Txs))
	for i, raw := range req.Txs {
		if res.TxResults[i], err = a.execute(raw, i, &hashes[i]); err != nil {
			return nil, fmt.Errorf("chain: block %d, entry %d: %w", req.Height, i, err)
		}
	}
	end, err := a.machine.EndBlock()
	if err != nil {
		return nil, fmt.Errorf("chain: block %d: %w", req.Height, err)
	}
	if err := a.machine.Flush(); err != nil {
		return nil, fmt.Errorf("chain: block %d: %w", req.Height, err)
	}
	if res.ValidatorUpdates, err = validatorUpdates(end.Validators); err != nil {
		return nil, err
	}
	res.AppHash = a.tree.WorkingHash()
	events = append(events, end.Events...)
	a.metrics.note(events)
	res.Events = abciEvents(events)
	n := len(req.DecidedLastCommit.Votes)
	if n == 0 {
		n = len(a.c.Genesis.Validators())
	}
	a.known = nil
	a.block = &executed{hashes: hashes, head: Head{
		Height: uint64(req.Height), Hash: [32]byte(req.Hash), TimeMS: uint64(req.Time.UnixMilli()),
		AppHash: [32]byte(res.AppHash), Validators: n,
		Epoch: a.c.Genesis.Epoch(uint64(req.Time.UnixMilli())),
	}}
	a.metrics.blockTxs.Add(float64(max(len(req.Txs)-1, 0)))
	a.metrics.execute.Observe(time.Since(begin).Seconds())
	return res, nil
}

// execute runs entry i of a block. The first is the proposer's proof and was used before.
// An error is no refusal: the state cannot be trusted and the node must stop.
func (a *application) execute(raw []byte, i int, hash *[32]byte) (*abci.ExecTxResult, error) {
	if i == 0 && isBeacon(raw) { // nobody looks for it by its hash
		return &abci.ExecTxResult{}, nil
	}
	t := a.recall(i, raw)
	if t == nil {
		var err error
		if t, *hash, err = a.decoder.decode(raw); err != nil {
			return &abci.ExecTxResult{Code: codeMalformed, Log: err.Error()}, nil
		}
		if err := a.verifier.Verify(t); err != nil {
			return &abci.ExecTxResult{Code: codeSignature, Log: err.Error()}, nil
		}
	}
	*hash = t.Hash
	a.decoder.forget(t)
	if t.Body.GetTransfer() == nil && a.machine.Admits(t) == nil {
		_ = a.verifier.VerifyEvidence(t) // Apply says what is wrong; this only spares it the work
	}
	events, err := a.machine.Apply(t)
	if err == nil {
		a.metrics.note(events)
		return &abci.ExecTxResult{Events: abciEvents(events)}, nil
	}
	var no *state.Error
	if !errors.As(err, &no) {
		return nil, err
	}
	return &abci.ExecTxResult{Code: no.Code, Log: no.Error()}, nil
}

// Commit makes the block durable: first what is found again by anyway (the index), then
// the state with its height in one step. After a crash in between the block is executed
// again.
func (a *application) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	b := a.block
	if b == nil {
		return nil, fmt.Errorf("chain: nothing was executed that could be committed")
	}
	if err := a.index.add(b.head.Height, b.hashes); err != nil {
		return nil, err
	}
	version, root, err := a.tree.Save()
	if err != nil {
		return nil, fmt.Errorf("chain: saving block %d: %w", b.head.Height, err)
	}
	if uint64(version) != b.head.Height || !bytes.Equal(root, b.head.AppHash[:]) {
		return nil, fmt.Errorf("chain: the state after block %d was saved as version %d with root %x instead of %x", b.head.Height, version, root, b.head.AppHash)
	}
	a.block = nil
	if err := a.publish(b.head); err != nil {
		return nil, err
	}
	a.snaps.after(b.head.Height)
	if _, err := a.tree.Prune(int64(a.c.KeepVersions)); err != nil {
		a.log.Warn("old states could not be deleted; the disk fills up if this goes on", "err", err)
	}
	retain := a.retain(b.head.Height)
	if err := a.index.prune(retain); err != nil {
		return nil, err
	}
	return &abci.ResponseCommit{RetainHeight: int64(retain)}, nil
}

// options are what every machine of this node is opened with.
func (a *application) options() []state.Option {
	return []state.Option{state.WithKernel(a.c.Kernel), state.WithMatcher(a.c.Matcher), state.WithDraws(&a.draws), state.WithAttests(a.verifier)}
}

// openMachine opens the machine on the newest state after a start.
func (a *application) openMachine() (err error) {
	if a.machine, err = state.Open(a.tree, a.options()...); err != nil {
		return fmt.Errorf("chain: opening the state: %w", err)
	}
	return nil
}

// publish makes a committed state the one that everybody reads.
func (a *application) publish(head Head) error {
	r, err := a.tree.At(int64(head.Height))
	if err != nil {
		return fmt.Errorf("chain: reading block %d back: %w", head.Height, err)
	}
	f := &frozen{r}
	if err := a.pool.reset(f, a.options()...); err != nil {
		return err
	}
	a.last.Store(&committed{head, f})
	a.metrics.height.Set(float64(head.Height))
	a.metrics.validators.Set(float64(head.Validators))
	if a.onBlock != nil {
		a.onBlock(head)
	}
	return nil
}

// retain is the lowest block to keep; 0 keeps all.
func (a *application) retain(height uint64) uint64 {
	if a.c.KeepBlocks == 0 || height <= a.c.KeepBlocks {
		return 0
	}
	low := height - a.c.KeepBlocks
	if oldest := a.snaps.oldest(); oldest > 0 {
		low = min(low, oldest) // whoever starts from it needs what follows
	}
	return low
}

// stateBlock is what the machine is told about a block, without the VRF output.
func (a *application) stateBlock(height uint64, at time.Time, proposer []byte, bad []abci.Misbehavior) state.Block {
	b := state.Block{Height: height, TimeMS: uint64(at.UnixMilli())}
	copy(b.Proposer[:], proposer)
	for _, m := range bad {
		s := state.Misbehavior{Height: uint64(m.Height), TimeMS: uint64(m.Time.UnixMilli()), Kind: "duplicate_vote"}
		copy(s.Address[:], m.Validator.Address)
		if m.Type == abci.MisbehaviorType_LIGHT_CLIENT_ATTACK {
			s.Kind = "light_client_attack"
		}
		b.Misbehavior = append(b.Misbehavior, s)
	}
	return b
}

// missed are the validators whose signature for the last block the block does not hold: they
// sent none in time, or voted for no block.
func missed(votes []abci.VoteInfo) (out [][20]byte) {
	for _, v := range votes {
		if v.BlockIdFlag == cmtproto.BlockIDFlagCommit {
			continue
		}
		var address [20]byte
		copy(address[:], v.Validator.Address)
		out = append(out, address)
	}
	return out
}

func validatorUpdates(in []state.ValidatorUpdate) ([]abci.ValidatorUpdate, error) {
	out := make([]abci.ValidatorUpdate, len(in))
	for i, v := range in {
		pub, err := cryptoenc.PubKeyToProto(cmted.PubKey(bytes.Clone(v.Key[:])))
		if err != nil {
			return nil, fmt.Errorf("chain: validator %x: %w", v.Key, err)
		}
		out[i] = abci.ValidatorUpdate{PubKey: pub, Power: int64(v.Power)}
	}
	return out, nil
}

// sameValidators makes sure that the machine and the engine's genesis agree on who starts:
// light clients know only the latter.
func sameValidators(ours, theirs []abci.ValidatorUpdate) error {
	powers := map[string]int64{}
	for _, v := range theirs {
		powers[keyOf(v.PubKey)] = v.Power
	}
	for _, v := range ours {
		if powers[keyOf(v.PubKey)] != v.Power {
			return fmt.Errorf("%w: the first validators differ: %s has power %d, not %d", ErrGenesis, keyOf(v.PubKey), v.Power, powers[keyOf(v.PubKey)])
		}
	}
	if len(ours) != len(theirs) {
		return fmt.Errorf("%w: %d first validators instead of %d", ErrGenesis, len(ours), len(theirs))
	}
	return nil
}

func keyOf(k cmtcrypto.PublicKey) string { return hex.EncodeToString(k.GetEd25519()) }

func abciEvents(in []state.Event) []abci.Event {
	out := make([]abci.Event, len(in))
	for i, e := range in {
		out[i] = abci.Event{Type: e.Kind, Attributes: make([]abci.EventAttribute, len(e.Attrs))}
		for j, at := range e.Attrs {
			out[i].Attributes[j] = abci.EventAttribute{Key: at.Key, Value: at.Value}
		}
	}
	return out
}
