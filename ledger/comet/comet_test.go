package comet

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
)

func pub(what string, i int) (k [32]byte) {
	s := sha256.Sum256(fmt.Appendf(nil, "comet %s %d", what, i))
	copy(k[:], ed25519.NewKeyFromSeed(s[:]).Public().(ed25519.PublicKey))
	return k
}

func file(t *testing.T, stakes ...uint64) *genesis.Doc {
	t.Helper()
	p := genesis.Plan{Chain: "comet-test", Time: time.UnixMilli(1_780_000_000_123)}
	for i, s := range stakes {
		p.Nodes = append(p.Nodes, genesis.Node{Node: pub("node", i), Owner: pub("owner", i), Roles: genesis.Roles(economics.RoleChecker),
			ConsensusKey: pub("consensus", i), VRFKey: pub("vrf", i), Stake: s * uint64(amount.FRM)})
	}
	d, err := genesis.Build(p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGenesisDoc(t *testing.T) {
	d := file(t, 20_000, 50_000, 20_000)
	g, err := GenesisDoc(d)
	if err != nil {
		t.Fatal(err)
	}
	if g.ChainID != "comet-test" || g.InitialHeight != 1 || g.GenesisTime.UnixMilli() != 1_780_000_000_123 || len(g.AppHash) != 0 {
		t.Fatalf("%+v", g)
	}
	if len(g.Validators) != 3 || g.Validators[0].Power != 50_000 || g.Validators[1].Power != 20_000 {
		t.Fatalf("%+v", g.Validators)
	}
	if !bytes.Equal(g.Validators[0].PubKey.Bytes(), d.Nodes[1].ConsensusKey[:]) {
		t.Fatal("the largest stake is another's")
	}
	again, err := GenesisDoc(d)
	if err != nil || !bytes.Equal(again.ValidatorHash(), g.ValidatorHash()) || !bytes.Equal(again.AppState, g.AppState) {
		t.Fatal("not the same twice", err)
	}
	other := file(t, 20_000, 50_000, 20_001)
	if o, err := GenesisDoc(other); err != nil || bytes.Equal(o.AppState, g.AppState) {
		t.Fatal("another file, the same start", err)
	}
	if err := g.ConsensusParams.ValidateBasic(); err != nil {
		t.Fatal(err)
	}
}

func TestNoValidators(t *testing.T) {
	d := file(t, 20_000)
	d.Nodes = nil
	if _, err := GenesisDoc(d); !errors.Is(err, ErrGenesis) {
		t.Fatal(err)
	}
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		epochs, seconds uint64
		unbond          time.Duration
	}{
		{17_280, 900, 180 * 24 * time.Hour}, // the main network
		{24, 5, 36 * time.Hour},             // a test network
		{175_200, 86_400, maxPeriod},        // the bounds of the parameters
		{1 << 63, 1 << 63, maxPeriod},
	} {
		p := economics.Params{UnbondEpochs: c.epochs, EpochSeconds: c.seconds}
		if got := UnbondingTime(p); got != c.unbond {
			t.Error(c, got)
		}
		if got := TrustingPeriod(p); got >= c.unbond || got < c.unbond/2 {
			t.Error(c, got)
		}
	}
}
