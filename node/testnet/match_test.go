package testnet

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// asked has the network's indexer match an app among all but some containers.
func asked(t *testing.T, n *Net, app [32]byte, not ...peer.ID) (c *wire.Certificate, refused *wire.MatchRefusal) {
	t.Helper()
	req := &wire.MatchRequest{RequestId: random(match.RequestIDBytes), AppSha256: app[:], Region: "local", MadeMs: uint64(time.Now().UnixMilli())}
	for _, id := range not {
		req.Exclude = append(req.Exclude, []byte(id))
	}
	resp, err := n.Find("indexer-1").Indexer().Match(t.Context(), "", req)
	var no *rpc.Error
	if errors.As(err, &no) && no.Code == wire.Code_NO_MATCH {
		refused = new(wire.MatchRefusal)
		if err := proto.Unmarshal(no.Detail, refused); err != nil {
			t.Fatal(err)
		}
		return nil, refused
	}
	if err != nil {
		t.Fatal(err)
	}
	if c, err = match.Verify(resp.GetCertificate(), n.Network()); err != nil {
		t.Fatal(err)
	}
	return c, nil
}

// anyApp is an app that the network's containers have.
func anyApp(t *testing.T, n *Net) (app [32]byte) {
	t.Helper()
	all, err := n.Find("gateway-1").Gateway().Apps(t.Context())
	if err != nil || len(all) == 0 {
		t.Fatalf("%d apps: %v", len(all), err)
	}
	if _, err := hex.Decode(app[:], []byte(all[0].ID)); err != nil {
		t.Fatal(err)
	}
	return app
}

func named(c *wire.Certificate, id peer.ID) *wire.Measured {
	i := slices.IndexFunc(c.GetTop(), func(ch *wire.Choice) bool { return string(ch.GetContainer()) == string(id) })
	if i < 0 {
		return nil
	}
	return c.GetTop()[i].GetMeasured()
}

// What a container claims in its ad counts nothing: an indexer matches by the ledger's figures,
// which every other node finds there, and finds to be missing where they are made up.
func TestMatchesGoByTheLedger(t *testing.T) {
	n := start(t, Options{Containers: 2, Checkers: 1, Slots: 1, Money: &Money{Newcomers: 1, EpochSeconds: 60}}) // it ends before the figures change
	app, known, newcomer := anyApp(t, n), n.Find("container-1").ID(), n.Find("container-2").ID()

	c, _ := asked(t, n, app)
	if c == nil || len(c.GetTop()) != 1 {
		t.Fatalf("matched %v, want the measured container alone", c)
	}
	m := named(c, known)
	if m == nil || m.GetRpMilli() != standingRP || m.GetQualityPpm() == 0 || m.GetPriorityPpm() != 1_000_000 {
		t.Fatalf("the known container's figures are %v", m)
	}
	if _, no := asked(t, n, app, known); no == nil || len(no.GetRejections()) != 2 || !slices.ContainsFunc(no.GetRejections(), func(r *wire.Rejection) bool {
		return string(r.GetContainer()) == string(newcomer) && r.GetFilter() == "unproven"
	}) {
		t.Errorf("the newcomer is refused with %v", no)
	}

	// A light client and the validator say the same of the certificate, now and from dialling in.
	for _, name := range []string{"gateway-1", "checker-1", "container-2"} {
		f := n.Find(name).Figures()
		if err := match.CheckFigures(t.Context(), f, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, change := range map[string]func(*wire.Choice){
			"one more":        func(x *wire.Choice) { x.Measured.RpMilli++ },
			"better quality":  func(x *wire.Choice) { x.Measured.QualityPpm++ },
			"longer proven":   func(x *wire.Choice) { x.Measured.ProvenUntil++ },
			"another block":   func(x *wire.Choice) { x.Measured.Height += 1 << 40 },
			"another epoch":   func(x *wire.Choice) { x.Measured.Epoch += 7 },
			"the newcomer's":  func(x *wire.Choice) { x.Container = []byte(newcomer) },
			"no figures":      func(x *wire.Choice) { x.Measured = nil },
			"of no container": func(x *wire.Choice) { x.Container = []byte("nobody") },
		} {
			lie := proto.Clone(c).(*wire.Certificate)
			change(lie.Top[0])
			if err := match.CheckFigures(t.Context(), f, lie); !errors.Is(err, match.ErrFigures) && !errors.Is(err, match.ErrNoFigures) || err == nil {
				t.Errorf("%s takes %s: %v", name, what, err)
			}
		}
	}

}

// A newcomer is matched to nobody until a round has measured it, and then with what the round
// has found.
func TestANewcomerIsMatchedOnceItIsMeasured(t *testing.T) {
	realEpochs(t)
	n := start(t, Options{Containers: 2, Checkers: 5, Slots: 1, Money: &Money{EpochSeconds: roundSeconds, Proofs: true, Newcomers: 1}})
	app, newcomer := anyApp(t, n), n.Find("container-2").ID()
	if c, _ := asked(t, n, app); c == nil || named(c, newcomer) != nil {
		t.Fatalf("matched before anything was measured: %v", c)
	}
	var m *wire.Measured
	until(t, "the newcomer is matched", 8*time.Minute, func() bool {
		c, _ := asked(t, n, app)
		m = named(c, newcomer)
		return m != nil
	})
	if m.GetRpMilli() == 0 || m.GetRpMilli() == standingRP || m.GetProvenUntil() < m.GetEpoch() {
		t.Errorf("its figures are %v", m)
	}
	got, err := n.Proofs(t.Context())
	if err != nil || !slices.ContainsFunc(got, func(p Proofs) bool { return p.Proven > 0 }) {
		t.Errorf("matched without a certificate: %+v, %v", got, err)
	}
	t.Log(m)
}
