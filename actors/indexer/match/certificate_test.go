package match

import (
	"bytes"
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// scene is a table of five containers, an indexer and the certificate it makes.
func scene(t testing.TB) (indexer *container, cs []*container, cert *wire.Certificate) {
	t.Helper()
	for n := range uint32(5) {
		cs = append(cs, newContainer(t, n, func(a *wire.Ad) {
			a.PriceMicroUsdPerHour += uint64(n) * 1000
			if n == 4 {
				a.Region = "us-east"
			}
		}))
	}
	indexer = newContainer(t, 100)
	res, err := table(t, cs...).Match(now, request())
	if err != nil {
		t.Fatal(err)
	}
	cert = res.Certificate(indexer.id, marshal(t, request()), request().GetRequestId(), GenesisOf(testNet),
		[]peer.ID{indexer.id, newContainer(t, 101).id, newContainer(t, 102).id})
	return indexer, cs, cert
}

func sign(t testing.TB, c *wire.Certificate, by *container) []byte {
	t.Helper()
	b, err := Sign(c, testNet, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCertificateHolds(t *testing.T) {
	indexer, cs, cert := scene(t)
	got, err := Verify(sign(t, cert, indexer), testNet)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, cert) || len(got.GetTop()) != MaxTop || got.GetCandidates() != 5 {
		t.Errorf("got %v", got)
	}
	if string(got.GetTop()[0].GetContainer()) != string(cs[0].id) {
		t.Error("the cheapest is not first")
	}
	if err := Answers(got, request()); err != nil {
		t.Error(err)
	}
	if err := Answers(got, request(func(r *wire.MatchRequest) { r.RequestId[0]++ })); !errors.Is(err, ErrCertificate) {
		t.Errorf("answers another request: %v", err)
	}
	if p := got.GetTop()[0].GetParts(); p.GetPrice()+p.GetLatency()+p.GetQuality()+p.GetIdle()+p.GetStake() != got.GetTop()[0].GetScore() {
		t.Errorf("the parts %v do not add up to %d", p, got.GetTop()[0].GetScore())
	}
}

// An indexer that lies about anything that can be recomputed is found out, although
// its signature is right.
func TestLyingIndexer(t *testing.T) {
	for name, lie := range map[string]func(c *wire.Certificate, cs []*container){
		"swaps two choices":      func(c *wire.Certificate, _ []*container) { c.Top[0], c.Top[1] = c.Top[1], c.Top[0] },
		"names a choice twice":   func(c *wire.Certificate, _ []*container) { c.Top[1] = c.Top[0] },
		"raises a score":         func(c *wire.Certificate, _ []*container) { c.Top[0].Score++ },
		"changes a part":         func(c *wire.Certificate, _ []*container) { c.Top[0].Parts.Price++; c.Top[0].Parts.Stake-- },
		"leaves the parts out":   func(c *wire.Certificate, _ []*container) { c.Top[0].Parts = nil },
		"backdates":              func(c *wire.Certificate, _ []*container) { c.MadeMs -= 600 },
		"outlives an ad":         func(c *wire.Certificate, _ []*container) { c.MadeMs += 90_000 },
		"alters an ad":           func(c *wire.Certificate, _ []*container) { c.Top[0].Ad = flip(c.Top[0].Ad) },
		"another container's ad": func(c *wire.Certificate, cs []*container) { c.Top[0].Container = []byte(cs[3].id) },
		"ignores a filter": func(c *wire.Certificate, cs []*container) {
			c.Request = marshal(t, request(func(r *wire.MatchRequest) { r.MaxPriceMicroUsdPerHour = 1 }))
		},
		"ignores an exclusion": func(c *wire.Certificate, cs []*container) {
			c.Request = marshal(t, request(func(r *wire.MatchRequest) { r.Exclude = [][]byte{[]byte(cs[0].id)} }))
		},
		"ad not under the root":   func(c *wire.Certificate, _ []*container) { c.CandidateRoot = flip(c.CandidateRoot) },
		"wrong leaf":              func(c *wire.Certificate, _ []*container) { c.Top[0].Leaf ^= 1 },
		"leaf beyond the end":     func(c *wire.Certificate, _ []*container) { c.Top[0].Leaf = 1 << 31 },
		"more candidates":         func(c *wire.Certificate, _ []*container) { c.Candidates = 9 },
		"no candidates":           func(c *wire.Certificate, _ []*container) { c.Candidates = 0 },
		"cuts a path":             func(c *wire.Certificate, _ []*container) { c.Top[0].Path = c.Top[0].Path[1:] },
		"lengthens a path":        func(c *wire.Certificate, _ []*container) { c.Top[0].Path = append(c.Top[0].Path, make([]byte, 32)) },
		"short root":              func(c *wire.Certificate, _ []*container) { c.CandidateRoot = nil },
		"short beacon":            func(c *wire.Certificate, _ []*container) { c.Beacon = c.Beacon[:31] },
		"no choice":               func(c *wire.Certificate, _ []*container) { c.Top = nil },
		"four choices":            func(c *wire.Certificate, _ []*container) { c.Top = append(c.Top, c.Top[2]) },
		"request of no sense":     func(c *wire.Certificate, _ []*container) { c.Request = []byte{0xff} },
		"empty request":           func(c *wire.Certificate, _ []*container) { c.Request = nil },
		"names another indexer":   func(c *wire.Certificate, cs []*container) { c.Indexer = []byte(cs[0].id) },
		"draws in another order":  func(c *wire.Certificate, _ []*container) { c.Drawn[0], c.Drawn[1] = c.Drawn[1], c.Drawn[0] },
		"draws one twice":         func(c *wire.Certificate, _ []*container) { c.Drawn[1] = c.Drawn[0] },
		"draws four":              func(c *wire.Certificate, _ []*container) { c.Drawn = append(c.Drawn, c.Drawn[0]) },
		"draws by another beacon": func(c *wire.Certificate, _ []*container) { c.Beacon = bytes.Repeat([]byte{3}, 32) },
	} {
		t.Run(name, func(t *testing.T) {
			indexer, cs, cert := scene(t)
			cert = proto.Clone(cert).(*wire.Certificate)
			lie(cert, cs)
			if _, err := Verify(sign(t, cert, indexer), testNet); !errors.Is(err, ErrCertificate) {
				t.Errorf("got %v, want ErrCertificate", err)
			}
		})
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

func TestCertificateOfAnotherNetwork(t *testing.T) {
	indexer, _, cert := scene(t)
	if _, err := Verify(sign(t, cert, indexer), "othernet"); !errors.Is(err, ErrCertificate) {
		t.Errorf("got %v, want ErrCertificate", err)
	}
}

// The tree has the shape of RFC 6962, and a path leads from each leaf to its root and
// from nowhere else.
func TestTree(t *testing.T) {
	for n := range 40 {
		leaves := make([]hash, n)
		for i := range leaves {
			leaves[i] = leafHash([]byte{byte(i)})
		}
		tr := newTree(bytesClone(leaves))
		if tr.root() != rfc6962(leaves) {
			t.Fatalf("%d leaves: the root differs", n)
		}
		for i := range leaves {
			path := tr.path(i)
			if !holdsLeaf(tr.root(), leaves[i], uint32(i), uint32(n), path) {
				t.Errorf("leaf %d of %d: the path does not lead to the root", i, n)
			}
			if n > 1 && holdsLeaf(tr.root(), leaves[i], uint32((i+1)%n), uint32(n), path) {
				t.Errorf("leaf %d of %d is taken for its neighbour", i, n)
			}
			changed := bytesClone(leaves)
			changed[i] = leafHash([]byte("new"))
			tr.set(i, changed[i])
			if tr.root() != rfc6962(changed) {
				t.Errorf("leaf %d of %d: the root after a change differs", i, n)
			}
			tr.set(i, leaves[i])
		}
	}
}

func bytesClone(in []hash) []hash { return append([]hash(nil), in...) }

// rfc6962 is the definition of RFC 6962 section 2.1, word for word.
func rfc6962(d []hash) hash {
	switch len(d) {
	case 0:
		return newTree(nil).root()
	case 1:
		return d[0]
	}
	k := 1
	for 2*k < len(d) {
		k *= 2
	}
	left, right := rfc6962(d[:k]), rfc6962(d[k:])
	return nodeHash(&left, &right)
}

func FuzzVerify(f *testing.F) {
	indexer, _, cert := scene(f)
	sealed := sign(f, cert, indexer)
	f.Add(sealed)
	f.Add(sealed[:len(sealed)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := Verify(data, testNet); err == nil && len(c.GetTop()) == 0 {
			t.Fatal("a certificate without a choice holds")
		}
	})
}

// FuzzVerifyContent goes past the signature: any content under a right signature.
func FuzzVerifyContent(f *testing.F) {
	indexer, _, cert := scene(f)
	f.Add(marshal(f, cert))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var c wire.Certificate
		if proto.Unmarshal(data, &c) != nil {
			return
		}
		if err := verify(&c, indexer.id, testNet); err == nil && (len(c.GetTop()) == 0 || c.GetCandidates() == 0) {
			t.Fatal("a certificate without a choice holds")
		}
	})
}
