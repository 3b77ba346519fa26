package testnet

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/p2p/wire"
)

// An indexer that lies about its matches is caught by the first gateway that it lies to, which
// has no account: a checker reports it, the ledger takes the indexer's stake and rewards who
// reported it, and the honest indexer goes on.
func TestWrongMatchesAreReported(t *testing.T) {
	for name, offence := range map[string]economics.Offence{"mismatch": economics.OffenceMatch, "figures": economics.OffenceCandidates} {
		t.Run(name, func(t *testing.T) {
			lie, err := cheat.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			n := start(t, Options{Indexers: 2, Containers: 2, Checkers: 2, Slots: 1, Cheats: map[string]cheat.Cheat{"indexer-2": lie},
				Money: &Money{Proofs: true, EpochSeconds: 30, BlockMS: 200}})
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			app := anyApp(t, n)
			apps, err := n.Find("gateway-1").Gateway().Apps(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var slashed, proven *Happening
			led := false // a launch to a container, for all that the liar says
			for slashed == nil || !led {
				var no *gateway.Refused
				_, err := n.Find("gateway-1").Gateway().Launch(ctx, gateway.LaunchRequest{App: apps[0].Name})
				if !errors.As(err, &no) || !slices.Contains([]string{"payment", "no-indexer", "busy"}, no.Code) { // the last two: who was asked was too slow to answer
					t.Fatalf("the honest indexer's match leads to no container: %v", err)
				}
				led = led || no.Code == "payment"
				judged(t, n, app, "indexer-1") // while the other one is judged
				happened, _, err := n.Happened()
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range happened {
					switch {
					case h.Kind == "fraud_proven":
						proven = &h
					case h.Kind == "slash":
						slashed = &h
					}
					if (h.Kind == "fraud_proven" || h.Kind == "slash") && h.Name != "indexer-2" {
						t.Fatalf("an honest node is punished: %+v", h)
					}
				}
				select {
				case <-n.Find("checker-1").Ledger().NextBlock():
				case <-ctx.Done():
					t.Fatalf("nobody reported it, or the honest indexer's match leads to no container (%t)", led)
				}
			}
			stake := n.Genesis().Params.IndexerStake
			if offence == economics.OffenceMatch {
				stake /= 3
			}
			if slashed.Amount != stake || slashed.Code != offence.String() {
				t.Errorf("lost %d of %d for %s", slashed.Amount, stake, slashed.Code)
			}
			if proven == nil || proven.Reporter != "checker-1" && proven.Reporter != "checker-2" {
				t.Errorf("reported by %+v", proven)
			}
		})
	}
}

// judged has an indexer match an app and judges what it signed as the ledger would: by the
// chain's own state, and by what a light client can prove. It returns what both say.
func judged(t *testing.T, n *Net, app [32]byte, indexer string) {
	t.Helper()
	req := &wire.MatchRequest{RequestId: random(match.RequestIDBytes), AppSha256: app[:], Region: "local", MadeMs: uint64(time.Now().UnixMilli())}
	resp, err := n.Find(indexer).Indexer().Match(t.Context(), "", req)
	if err != nil {
		t.Fatal(err)
	}
	sealed := resp.GetCertificate()
	if err := n.Chain().View(func(r state.Reader) error {
		_, v, err := state.JudgeMatch(r, n.Network(), match.Rules{}, sealed)
		if !errors.Is(err, proof.ErrInnocent) {
			t.Errorf("the chain convicts an honest indexer: %+v, %v", v, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// A light client may be behind the indexer; once it has the blocks, it says the same.
	l := n.Find("gateway-1").Ledger()
	for tries := 0; ; tries++ {
		next := l.NextBlock()
		_, v, err := state.JudgeMatch(l.Records(t.Context()), n.Network(), match.Rules{}, sealed)
		if errors.Is(err, proof.ErrInnocent) {
			return
		}
		if tries == 64 {
			t.Fatalf("a light client would accuse an honest indexer: %+v, %v", v, err)
		}
		select {
		case <-next:
		case <-t.Context().Done():
			t.Fatalf("%+v, %v", v, err)
		}
	}
}
