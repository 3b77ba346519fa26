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
	Ads []string `json:"ads"` // sealed ads in the order of the leaves; here any bytes
	// Measured, of the same length where it is there, is what each leaf has beside its ad: the
	// 40 bytes of figures, or nothing.
	Measured []string `json:"measured,omitempty"`
	Root     string   `json:"root"`
}

type certificateVector struct {
	Name   string `json:"name"`
	Sealed string `json:"sealed"`
	Holds  bool   `json:"holds"` // by itself
	// Figures are those of the choices, best first, as a verifier asks the ledger about them;
	// only of certificates that hold.
	Figures []figuresVector `json:"figures,omitempty"`
}

// figuresVector is in numbers what a leaf has in 40 bytes; of 64 bits as decimals.
type figuresVector struct {
	Container   string `json:"container"`
	Height      uint64 `json:"height,string"`
	Epoch       uint64 `json:"epoch,string"`
	RPMilli     uint64 `json:"rp_milli,string"`
	QualityPPM  uint32 `json:"quality_ppm"`
	PriorityPPM uint32 `json:"priority_ppm"`
	ProvenUntil uint64 `json:"proven_until,string"`
	Score       int64  `json:"score"` // after the priority
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

	mixed := treeVector{Ads: []string{}}
	var leaves []hash
	for i := range 5 {
		ad := bytes.Repeat([]byte{byte(i)}, i)
		m := good(func(m *Measured) { m.Height, m.RPMilli = uint64(i)<<40+1, uint64(i)<<33 })
		of, packed := &m, m.bytes()
		figures := hex.EncodeToString(packed[:])
		if i == 3 {
			of, figures = nil, ""
		}
		mixed.Ads, mixed.Measured = append(mixed.Ads, hex.EncodeToString(ad)), append(mixed.Measured, figures)
		leaves = append(leaves, leafOf(ad, of))
	}
	root := newTree(leaves).root()
	mixed.Root = hex.EncodeToString(root[:])
	v.Trees = append(v.Trees, mixed)

	put := func(name string, holds bool, indexer *container, cert *wire.Certificate, change func(*wire.Certificate)) {
		cert = proto.Clone(cert).(*wire.Certificate)
		change(cert)
		one := certificateVector{Name: name, Sealed: hex.EncodeToString(sign(t, cert, indexer)), Holds: holds}
		for _, c := range cert.GetTop() {
			if m := measuredOf(c.GetMeasured()); m != nil && holds {
				one.Figures = append(one.Figures, figuresVector{hex.EncodeToString(c.GetContainer()), m.Height, m.Epoch, m.RPMilli, m.QualityPPM, m.PriorityPPM, m.ProvenUntil, c.GetScore()})
			}
		}
		v.Certificates = append(v.Certificates, one)
	}
	add := func(name string, holds bool, change func(*wire.Certificate)) {
		indexer, _, cert := scene(t)
		put(name, holds, indexer, cert, change)
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

	add = func(name string, holds bool, change func(*wire.Certificate)) {
		indexer, _, cert, _ := measuredScene(t)
		put("measured: "+name, holds, indexer, cert, change)
	}
	add("three choices, one demoted", true, func(*wire.Certificate) {})
	add("figures one too high", false, func(c *wire.Certificate) { c.Top[0].Measured.RpMilli++ })
	add("figures left out", false, func(c *wire.Certificate) { c.Top[0].Measured = nil })
	add("proven an epoch too short", false, func(c *wire.Certificate) { c.Top[0].Measured.ProvenUntil = 6 })
	add("score without the priority", false, func(c *wire.Certificate) { c.Top[2].Score *= 4 })
	add("of no block", false, func(c *wire.Certificate) { c.Top[0].Measured.Height = 0 })
	add("quality beyond all", false, func(c *wire.Certificate) { c.Top[0].Measured.QualityPpm = million + 1 })
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
