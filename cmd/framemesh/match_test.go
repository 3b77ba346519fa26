package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/node/testnet"
	"github.com/framemesh/framemesh/p2p"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// A match of a network with a ledger: the file alone is enough to recompute it, and the ledger
// tells an honest indexer from one that makes up what was measured.
func TestMatchVerifyOnTheLedger(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	dir := t.TempDir()
	net, err := testnet.Start(ctx, testnet.Options{Network: "matches", Gateways: 1, Indexers: 1, Containers: 1, Checkers: 1, Slots: 1, Dir: dir,
		CacheDir: filepath.Join(os.TempDir(), "framemesh-test-cache"), Log: slog.New(slog.DiscardHandler), Money: &testnet.Money{BlockMS: 100}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := net.Stop(stop); err != nil {
			t.Error(err)
		}
	})
	config, err := net.WriteClient()
	if err != nil {
		t.Fatal(err)
	}
	apps, err := net.Find("gateway-1").Gateway().Apps(ctx)
	if err != nil || len(apps) == 0 {
		t.Fatal(apps, err)
	}
	app, err := hex.DecodeString(apps[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	req := &wire.MatchRequest{RequestId: make([]byte, match.RequestIDBytes), AppSha256: app, Region: "local", MadeMs: uint64(time.Now().UnixMilli())}
	resp, err := net.Find("indexer-1").Indexer().Match(ctx, "", req)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, sealed []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(sealed)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	honest := file("honest.b64", resp.GetCertificate())
	lying := file("lying.b64", inventFigures(t, net, dir, req, resp.GetCertificate()))

	run := func(want int, args ...string) (v verified, text string) {
		status, out, errOut := inProcess(append([]string{"match", "verify", "--network", "matches"}, args...)...)
		if status != want {
			t.Fatalf("%v: status %d, want %d: %s%s", args, status, want, out, errOut)
		}
		_ = json.Unmarshal([]byte(out), &v) // where it is JSON
		return v, out + errOut
	}
	for _, path := range []string{honest, lying} {
		v, _ := run(0, "--json", path)
		if !v.Valid || v.Figures != figuresUnchecked || v.Top[0].Measured == nil || v.Top[0].Measured.RPMilli == 0 {
			t.Errorf("%s by itself: %+v", path, v)
		}
	}
	if v, _ := run(0, "--json", "--ledger", "--config", config, honest); !v.Valid || v.Figures != figuresLedger {
		t.Errorf("the honest one on the ledger: %+v", v)
	}
	if _, text := run(0, "--ledger", "--config", config, honest); !strings.Contains(text, "is what the ledger says") || !strings.Contains(text, "RENDERPOINTS") {
		t.Error(text)
	}
	if v, _ := run(0, "--json", "--ledger", "--config", config, honest); v.Convicts != "" {
		t.Errorf("the honest one convicts of %s", v.Convicts)
	}
	if v, _ := run(1, "--json", "--ledger", "--config", config, lying); v.Valid || v.Convicts != "candidates" || v.Figures != figuresLedger || !strings.Contains(v.Why, "not what the ledger says") {
		t.Errorf("the lying one on the ledger: %+v", v)
	}
	if _, text := run(1, "--ledger", "--config", config, lying); !strings.Contains(text, "NOT VALID") || !strings.Contains(text, "match report") || !strings.Contains(text, "loses stake") {
		t.Error(text)
	}
	// Whoever saved it reports it: the indexer loses all its stake, and who reported it gets a part.
	pass := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(pass, []byte(testnet.Passphrase), 0o600); err != nil {
		t.Fatal(err)
	}
	report := func(want int, path string) string {
		status, out, errOut := inProcess("match", "report", path, "--config", config, "--wallet", "container-1", "--passphrase-file", pass, "--yes")
		if status != want {
			t.Fatalf("status %d, want %d: %s%s", status, want, out, errOut)
		}
		return out + errOut
	}
	if text := report(1, honest); !strings.Contains(text, "convicts nobody") && !strings.Contains(text, "does not convict") {
		t.Error(text)
	}
	if text := report(0, lying); !strings.Contains(text, `of "candidates"`) || !strings.Contains(text, "done: report") {
		t.Error(text)
	}
	indexer := net.Find("indexer-1").ID().String()
	status, out, errOut := inProcess("why", indexer, "--config", config)
	if !strings.Contains(out, "figures that the ledger never had") {
		t.Errorf("why says, with status %d: %s%s", status, out, errOut)
	}
}

// inventFigures is a certificate by the network's indexer that follows from figures of its own.
func inventFigures(t *testing.T, net *testnet.Net, dir string, req *wire.MatchRequest, sealed []byte) []byte {
	t.Helper()
	cert, err := match.Verify(sealed, net.Network())
	if err != nil {
		t.Fatal(err)
	}
	var ad wire.Ad
	choice := cert.GetTop()[0]
	id, err := seal.Open(net.Network(), seal.TypeAd, choice.GetAd(), match.MaxAdBytes, &ad)
	if err != nil {
		t.Fatal(err)
	}
	m := choice.GetMeasured()
	table := match.NewMeasuredTable(0)
	if err := table.Put(cert.GetMadeMs(), id, &ad, choice.GetAd()); err != nil {
		t.Fatal(err)
	}
	table.Measure(id, match.Measured{Height: m.GetHeight(), Epoch: m.GetEpoch(), RPMilli: 10 * m.GetRpMilli(), QualityPPM: 1_000_000, PriorityPPM: m.GetPriorityPpm(), ProvenUntil: m.GetProvenUntil()})
	result, err := table.Match(cert.GetMadeMs(), req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	key, err := p2p.LoadOrCreateKey(filepath.Join(dir, "indexer-1", "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	indexer := net.Find("indexer-1").ID()
	out, err := match.Sign(result.Certificate(indexer, raw, req.GetRequestId(), [32]byte(cert.GetBeacon()), []peer.ID{indexer}), net.Network(), key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
