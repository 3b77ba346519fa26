package chain

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/crypto"
	cmted "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// Files in Config.Dir that make a validator. They are created with mode 0600.
const (
	ConsensusKeyFile = "consensus-key.json" // signs proposals and votes
	SignStateFile    = "sign-state.json"    // the last thing signed: keeps a restart from voting twice
	VRFKeyFile       = "vrf.key"            // proves the seed
)

// maxKeyFile bounds what is read of a key file, in bytes.
const maxKeyFile = 16 << 10

// ConsensusKey is the public key that votes for the validator whose data is in dir. It is
// created when dir has none and nothing of one: also where a chain runs that only followed
// until now, for whoever asks is about to register the key. ErrKey otherwise.
func ConsensusKey(dir string) ([32]byte, error) {
	pv, err := loadSigner(dir, true)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(pv.Key.PubKey.Bytes()), nil
}

// VRFKey is the public key whose proofs make the seed, of the validator in dir. It is
// created when absent.
func VRFKey(dir string) ([32]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return [32]byte{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k, err := vrf.Load(filepath.Join(dir, VRFKeyFile))
	if err != nil {
		return [32]byte{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return k.Public(), nil
}

// Possession proves that the validator whose data is in dir holds its keys, so that account
// may register node with them: the two proofs that tx.Register wants beside ConsensusKey and
// VRFKey of the same directory (consensus_signature, 64 bytes, and vrf_proof, 80 bytes). A
// Register that enters keys which the node has not had before is refused without them; one
// that changes other things may leave them out. chain is the chain id of the genesis file.
// Keys are made when dir has none; the error wraps ErrKey.
func Possession(dir, chain string, account key.Address, node key.Node) (consensusSignature, vrfProof []byte, err error) {
	pv, err := loadSigner(dir, true)
	if err != nil {
		return nil, nil, err
	}
	prover, err := vrf.Load(filepath.Join(dir, VRFKeyFile))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	r := tx.Register{Node: node[:]}
	r.Possess(chain, account, ed25519.PrivateKey(pv.Key.PrivKey.Bytes()), prover)
	return r.ConsensusSignature, r.VrfProof, nil
}

// loadSigner reads the consensus key. It makes one in a directory where no chain has run;
// where one has, only if anew is set: else the key was lost, and whoever starts with a new
// one is not the validator that the ledger knows, and would be silent without a word.
func loadSigner(dir string, anew bool) (*privval.FilePV, error) {
	keyPath, statePath := filepath.Join(dir, ConsensusKeyFile), filepath.Join(dir, SignStateFile)
	raw, err := readSmall(keyPath)
	haveKey := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	state, err := readSmall(statePath)
	haveState := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	ran := exists(filepath.Join(dir, storeDir))
	switch {
	case haveKey && haveState:
	case haveKey && !ran:
		// the first start after the key was brought here
		pv := privval.LoadFilePVEmptyState(keyPath, statePath)
		pv.LastSignState.Save()
		return pv, nil
	case haveKey:
		return nil, fmt.Errorf("%w: %s is missing, so it is unknown what this validator signed last, and signing it differently would cost its stake; bring the file back, or start with an empty directory and this key after the last block it could have signed is old", ErrKey, statePath)
	case haveState:
		return nil, fmt.Errorf("%w: %s is missing; bring it back from a backup, or move %s away, run as a full node and register a new key (framemesh register --validate)", ErrKey, keyPath, statePath)
	case ran && !anew:
		return nil, fmt.Errorf("%w: %s is missing; bring it back from a backup, or run as a full node and register a new key (framemesh register --validate)", ErrKey, keyPath)
	default:
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		pv := privval.GenFilePV(keyPath, statePath)
		pv.Save()
		return pv, nil
	}
	// privval ends the process for a file that it cannot read, so look first
	var k privval.FilePVKey
	if err := cmtjson.Unmarshal(raw, &k); err != nil || k.PrivKey == nil || k.PrivKey.Type() != cmted.KeyType {
		return nil, fmt.Errorf("%w: %s is damaged; bring it back from a backup", ErrKey, keyPath)
	}
	if err := cmtjson.Unmarshal(state, new(privval.FilePVLastSignState)); err != nil {
		return nil, fmt.Errorf("%w: %s is damaged; bring it back from a backup", ErrKey, statePath)
	}
	if info, err := os.Stat(keyPath); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: others can read %s; run chmod 600 on it", ErrKey, keyPath)
	}
	return privval.LoadFilePV(keyPath, statePath), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s has %d bytes; a key file has a few hundred", path, info.Size())
	}
	return os.ReadFile(path)
}

// silent is the key of a node that follows: the engine wants one, and it never signs.
type silent struct{ pub crypto.PubKey }

var _ cmttypes.PrivValidator = silent{}

func newSilent() (silent, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return silent{}, fmt.Errorf("chain: %w", err)
	}
	return silent{cmted.GenPrivKeyFromSecret(seed).PubKey()}, nil
}

var errSilent = errors.New("chain: a full node signs nothing")

func (s silent) GetPubKey() (crypto.PubKey, error)             { return s.pub, nil }
func (s silent) SignVote(string, *cmtproto.Vote) error         { return errSilent }
func (s silent) SignProposal(string, *cmtproto.Proposal) error { return errSilent }
func (s silent) String() string                                { return "full node" }
func (s silent) MarshalJSON() ([]byte, error)                  { return json.Marshal(hex.EncodeToString(s.pub.Bytes())) }
