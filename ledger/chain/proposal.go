package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// Errors of a proposal, for the log.
var (
	errNoBeacon  = errors.New("chain: the block does not start with its proposer's VRF proof")
	errNoVRFKey  = errors.New("chain: the proposer has no VRF key on the ledger")
	errTwoProofs = errors.New("chain: a second VRF proof")
)

// entryOverhead is what a block spends on an entry beside its bytes: a tag and a length.
const entryOverhead = 1 + 4

// PrepareProposal builds a block: this validator's VRF proof, then what waits, in the order
// it came. All of it has been applied to the newest state once, when it entered the pool or
// after the last block; what fails all the same costs its sender the fee. A validator
// without a working key proposes an empty list, which the others refuse; the next round has
// another proposer.
func (a *application) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	m, err := a.fork()
	if err != nil {
		return nil, err
	}
	height := uint64(req.Height)
	entry, err := a.prove(m, height, req.ProposerAddress)
	if err != nil {
		a.log.Warn("this validator cannot propose a block; others will", "height", height, "err", err)
		return &abci.ResponsePrepareProposal{}, nil
	}
	txs, built := [][]byte{entry}, []*tx.Tx{nil}
	room := req.MaxTxBytes - int64(len(entry)+entryOverhead)
	turn := make(map[key.Address]uint64) // whose nonce is next; looked up only
	for _, raw := range req.Txs {
		if room < int64(len(raw)+entryOverhead) {
			break
		}
		t, no := a.examine(raw)
		if no != nil || !inTurn(m, turn, t, uint64(req.Time.UnixMilli())) {
			continue
		}
		txs, built = append(txs, raw), append(built, t)
		room -= int64(len(raw) + entryOverhead)
	}
	a.known = built
	return &abci.ResponsePrepareProposal{Txs: txs}, nil
}

// recall is decode and verify for entry i of a block, for nothing when the last block that
// this node built or judged has the same there: a block is looked at up to three times.
// Only the consensus line calls it.
func (a *application) recall(i int, raw []byte) *tx.Tx {
	if i < len(a.known) && a.known[i] != nil && bytes.Equal(a.known[i].Raw, raw) {
		return a.known[i]
	}
	return nil
}

// inTurn says whether a transaction is its signer's next and still valid at block time now,
// and counts it. Others would fill blocks without paying for it.
func inTurn(m *state.Machine, turn map[key.Address]uint64, t *tx.Tx, now uint64) bool {
	if until := t.Body.GetValidUntilMs(); until != 0 && now > until {
		return false
	}
	next, ok := turn[t.Signer]
	if !ok {
		account, err := state.ReadAccount(m.Reader(), t.Signer)
		if err != nil {
			return false
		}
		next = account.Nonce
	}
	if t.Body.GetNonce() != next {
		return false
	}
	turn[t.Signer] = next + 1
	return true
}

// ProcessProposal judges another's block, before this validator votes for it: exactly one
// VRF proof, first, made with the key that the ledger knows for this proposer; everything
// else a well-formed and signed transaction. Whether a transaction applies is not asked:
// one that does not costs its sender the fee.
func (a *application) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	err := a.judge(req)
	verdict, status := "accepted", abci.ResponseProcessProposal_ACCEPT
	if err != nil {
		verdict, status = "rejected", abci.ResponseProcessProposal_REJECT
		a.log.Warn("refused a proposed block", "height", req.Height, "proposer", fmt.Sprintf("%X", req.ProposerAddress), "err", err)
	}
	a.metrics.proposals.WithLabelValues(verdict).Inc()
	return &abci.ResponseProcessProposal{Status: status}, nil
}

func (a *application) judge(req *abci.RequestProcessProposal) error {
	m, err := a.fork()
	if err != nil {
		return err
	}
	if _, err := a.checkBeacon(m, req.Txs, uint64(req.Height), req.ProposerAddress); err != nil {
		return err
	}
	txs, unknown, places := make([]*tx.Tx, len(req.Txs)), []*tx.Tx(nil), []int(nil)
	for i, raw := range req.Txs {
		if i == 0 {
			continue
		}
		if isBeacon(raw) {
			return errTwoProofs
		}
		if txs[i] = a.recall(i, raw); txs[i] != nil {
			continue
		}
		if txs[i], _, err = a.decoder.decode(raw); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		unknown, places = append(unknown, txs[i]), append(places, i)
	}
	for n, err := range a.verifier.VerifyAll(unknown) {
		if err != nil {
			return fmt.Errorf("entry %d: %w", places[n], err)
		}
	}
	a.known = txs
	return nil
}

// fork is an overlay on the newest committed state, or on that of the genesis file.
func (a *application) fork() (*state.Machine, error) {
	if last := a.last.Load(); last != nil {
		m, err := state.Open(last.reader, a.options()...)
		if err != nil {
			return nil, fmt.Errorf("chain: opening the committed state: %w", err)
		}
		return m.Fork(), nil
	}
	if a.machine == nil {
		return nil, errors.New("chain: no state yet")
	}
	return a.machine.Fork(), nil // before the first block nothing else uses it
}

// prove makes the first entry of a block of this validator.
func (a *application) prove(m *state.Machine, height uint64, proposer []byte) ([]byte, error) {
	if a.vrf == nil {
		return nil, errNoVRFKey
	}
	registered, ok := proposerKey(m, proposer)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w; register it, it counts one epoch later", errNoVRFKey)
	case registered != a.vrf.Public():
		return nil, fmt.Errorf("%w that is in this directory; bring the key file back, or register the new key", errNoVRFKey)
	}
	return encodeBeacon(vrf.Prove(*a.vrf, vrf.Alpha(a.c.Genesis.ChainID, height, m.Head().Seed))), nil
}

// checkBeacon verifies the first entry of a block and returns the VRF's output.
func (a *application) checkBeacon(m *state.Machine, txs [][]byte, height uint64, proposer []byte) (out [32]byte, err error) {
	if len(txs) == 0 {
		return out, errNoBeacon
	}
	proof, err := decodeBeacon(txs[0])
	if err != nil {
		return out, errNoBeacon
	}
	pub, ok := proposerKey(m, proposer)
	if !ok {
		return out, errNoVRFKey
	}
	beta, err := vrf.Verify(pub, vrf.Alpha(a.c.Genesis.ChainID, height, m.Head().Seed), proof[:])
	if err != nil {
		return out, fmt.Errorf("%w: %w", errNoBeacon, err)
	}
	return shorten(beta), nil
}

// proposerKey is the VRF key that the ledger has for a validator's consensus address.
func proposerKey(m *state.Machine, proposer []byte) (vrf.PublicKey, bool) {
	if len(proposer) != 20 {
		return vrf.PublicKey{}, false
	}
	raw, err := m.Reader().Get(state.ValidatorKey([20]byte(proposer)))
	if err != nil || raw == nil {
		return vrf.PublicKey{}, false
	}
	v, err := state.DecodeValidator(raw)
	return vrf.PublicKey(v.Keys.VRF), err == nil
}

func shorten(beta [vrf.OutputSize]byte) [32]byte { return [32]byte(beta[:32]) }
