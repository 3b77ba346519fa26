package match

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

var update = flag.Bool("update", false, "rewrite docs/spec/vectors/match/vectors.json")

var vectorsFile = filepath.Join("..", "..", "..", "docs", "spec", "vectors", "match", "vectors.json")

// vectors are what every implementation of matching has to agree on. All bytes are hex.
type vectors struct {
	Network string `json:"network"`
	Beacon  string `json:"genesis_beacon"` // of network

	Draw struct {
		RequestID string   `json:"request_id"`
		Indexers  []string `json:"indexers"` // peer ids, as given
		Drawn     []string `json:"drawn"`    // all of them, best rank first
	} `json:"draw"`

	Trees []treeVector `json:"trees"`

	Certificates []certificateVector `json:"certificates"`
}

type treeVector struct {
	Ads  []string `json:"ads"` // sealed ads in the order of the leaves; here any bytes
	Root string   `json:"root"`
}

type certificateVector struct {
	Name   string `json:"name"`
	Sealed string `json:"sealed"`
	Holds  bool   `json:"holds"`
}

func makeVectors(t *testing.T) vectors {
	v := vectors{Network: testNet}
	beacon := GenesisOf(testNet)
	v.Beacon = hex.EncodeToString(beacon[:])

	var ids []peer.ID
	for n := range uint32(5) {
		ids = append(ids, newContainer(t, n).id)
		v.Draw.Indexers = append(v.Draw.Indexers, hex.EncodeToString([]byte(ids[n])))
	}
	v.Draw.RequestID = hex.EncodeToString(request().GetRequestId())
	for _, id := range Draw(beacon, request().GetRequestId(), ids, len(ids)) {
		v.Draw.Drawn = append(v.Draw.Drawn, hex.EncodeToString([]byte(id)))
	}

	for n := range 8 {
		tv := treeVector{Ads: []string{}}
		var leaves []hash
		for i := range n {
			ad := bytes.Repeat([]byte{byte(i)}, i)
			tv.Ads = append(tv.Ads, hex.EncodeToString(ad))
			leaves = append(leaves, leafHash(ad))
		}
		root := newTree(leaves).root()
		tv.Root = hex.EncodeToString(root[:])
		v.Trees = append(v.Trees, tv)
	}

	add := func(name string, holds bool, change func(*wire.Certificate)) {
		indexer, _, cert := scene(t)
		cert = proto.Clone(cert).(*wire.Certificate)
		change(cert)
		v.Certificates = append(v.Certificates, certificateVector{name, hex.EncodeToString(sign(t, cert, indexer)), holds})
	}
	add("five candidates, three choices", true, func(*wire.Certificate) {})
	add("only the best choice named", true, func(c *wire.Certificate) { c.Top = c.Top[:1] })
	add("no draw recorded", true, func(c *wire.Certificate) { c.Drawn = nil })
	add("two choices swapped", false, func(c *wire.Certificate) { c.Top[0], c.Top[1] = c.Top[1], c.Top[0] })
	add("score one too high", false, func(c *wire.Certificate) { c.Top[0].Score++ })
	add("made a minute later than it says", false, func(c *wire.Certificate) { c.MadeMs -= 60_000 })
	add("path of another leaf", false, func(c *wire.Certificate) { c.Top[0].Path = c.Top[1].Path })
	add("price above the ceiling", false, func(c *wire.Certificate) {
		c.Request = marshal(t, request(func(r *wire.MatchRequest) { r.MaxPriceMicroUsdPerHour = 249_999 }))
	})
	add("signed by another than it names", false, func(c *wire.Certificate) { c.Indexer = []byte(ids[0]) })
	add("draw in another order", false, func(c *wire.Certificate) { c.Drawn[0], c.Drawn[1] = c.Drawn[1], c.Drawn[0] })
	return v
}

// The committed vectors are what this package makes, and what it answers.
func TestVectors(t *testing.T) {
	want, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what this package makes; the rules changed, or run: go test ./actors/indexer/match -update", vectorsFile)
	}
	var v vectors
	if err := json.Unmarshal(have, &v); err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Certificates {
		sealed, err := hex.DecodeString(c.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(sealed, v.Network); (err == nil) != c.Holds {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}
