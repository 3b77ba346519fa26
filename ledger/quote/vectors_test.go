package quote_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
)

var update = flag.Bool("update", false, "rewrite docs/spec/vectors/ledger-quote.json")

var vectorsFile = filepath.Join("..", "..", "docs", "spec", "vectors", "ledger-quote.json")

type vectorQuote struct {
	Seed      string `json:"seed"` // hex, of the oracle
	Oracle    string `json:"oracle"`
	Address   string `json:"address"`
	PerUSD    uint64 `json:"per_usd,string"`
	MadeMS    uint64 `json:"made_ms"`
	Payload   string `json:"payload"`
	SignBytes string `json:"sign_bytes"`
	Signature string `json:"signature"`
	Encoded   string `json:"encoded"`
}

type vectorMedian struct {
	Name     string `json:"name"`
	Quotes   []int  `json:"quotes"` // places in quotes
	NowMS    uint64 `json:"now_ms"`
	MaxAgeMS uint64 `json:"max_age_ms"`
	Min      int    `json:"min"`
	PerUSD   uint64 `json:"per_usd,omitempty,string"`
	Error    string `json:"error,omitempty"` // stale, few, double, oracle
}

type vectorFile struct {
	Chain   string         `json:"chain"`
	Oracles []string       `json:"oracles"` // hex
	Quotes  []vectorQuote  `json:"quotes"`
	Medians []vectorMedian `json:"medians"`
}

var errorNames = map[string]error{
	"stale": quote.ErrStale, "few": quote.ErrFew, "double": quote.ErrDouble, "oracle": quote.ErrOracle,
}

func makeVectors(t *testing.T) vectorFile {
	f := vectorFile{Chain: chain}
	for n := range byte(4) {
		a := address(n + 1)
		f.Oracles = append(f.Oracles, hex.EncodeToString(a[:]))
	}
	for _, q := range []struct {
		oracle byte
		perUSD uint64
		made   uint64
	}{
		{1, 100_000_000_000, now}, {2, 99_000_000_001, now - 59_999}, {3, 104_500_000_000, now - 20_000},
		{4, 101_000_000_000, now + 30_000}, {1, 98_000_000_000, now - 60_001}, {42, 1, now},
	} {
		s := sign(t, q.oracle, q.perUSD, q.made)
		payload := s.Encode()[:48]
		f.Quotes = append(f.Quotes, vectorQuote{
			Seed: hex.EncodeToString(testKey(q.oracle).Seed()), Oracle: hex.EncodeToString(s.Oracle[:]), Address: s.Oracle.String(),
			PerUSD: s.PerUSD, MadeMS: s.MadeMS, Payload: hex.EncodeToString(payload),
			SignBytes: hex.EncodeToString(key.SignBytes(chain, key.KindQuote, payload)),
			Signature: hex.EncodeToString(s.Signature[:]), Encoded: hex.EncodeToString(s.Encode()),
		})
	}
	f.Medians = []vectorMedian{
		{Name: "the middle of three", Quotes: []int{0, 1, 2}, NowMS: now, MaxAgeMS: age, Min: 3, PerUSD: 100_000_000_000},
		{Name: "in another order", Quotes: []int{2, 0, 1}, NowMS: now, MaxAgeMS: age, Min: 3, PerUSD: 100_000_000_000},
		{Name: "the lower middle of four", Quotes: []int{0, 1, 2, 3}, NowMS: now, MaxAgeMS: age, Min: 3, PerUSD: 100_000_000_000},
		{Name: "the lower of two", Quotes: []int{0, 1}, NowMS: now, MaxAgeMS: age, Min: 2, PerUSD: 99_000_000_001},
		{Name: "too few", Quotes: []int{0, 1}, NowMS: now, MaxAgeMS: age, Min: 3, Error: "few"},
		{Name: "one too old", Quotes: []int{1, 2, 3, 4}, NowMS: now, MaxAgeMS: age, Min: 3, Error: "stale"},
		{Name: "a second later, one more too old", Quotes: []int{0, 1, 2}, NowMS: now + 1_000, MaxAgeMS: age, Min: 3, Error: "stale"},
		{Name: "from the future", Quotes: []int{3}, NowMS: now, MaxAgeMS: 29_999, Min: 1, Error: "stale"},
		{Name: "two of one oracle", Quotes: []int{0, 1, 4}, NowMS: now - 1, MaxAgeMS: 600_000, Min: 1, Error: "double"},
		{Name: "of nobody known", Quotes: []int{0, 1, 5}, NowMS: now, MaxAgeMS: age, Min: 1, Error: "oracle"},
	}
	return f
}

func TestVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, made) {
		t.Error("the vectors are not what the code makes; if the format was meant to change, run this test with -update")
	}
	var f vectorFile
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	var oracles []key.Address
	for _, o := range f.Oracles {
		b, err := hex.DecodeString(o)
		if err != nil {
			t.Fatal(err)
		}
		oracles = append(oracles, key.Address(b))
	}
	var quotes []quote.Quote
	for i, v := range f.Quotes {
		b, err := hex.DecodeString(v.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		q, err := quote.Decode(b)
		if err != nil || q.Verify(f.Chain) != nil || q.PerUSD != v.PerUSD || q.MadeMS != v.MadeMS || q.Oracle.String() != v.Address {
			t.Errorf("quote %d: %+v, %v, %v", i, q, err, q.Verify(f.Chain))
		}
		quotes = append(quotes, q)
	}
	for _, c := range f.Medians {
		var qs []quote.Quote
		for _, i := range c.Quotes {
			qs = append(qs, quotes[i])
		}
		got, err := quote.Median(qs, oracles, c.NowMS, c.MaxAgeMS, c.Min)
		if got != c.PerUSD || !errors.Is(err, errorNames[c.Error]) || (c.Error == "") != (err == nil) {
			t.Errorf("%s: %d, %v; want %d, %q", c.Name, got, err, c.PerUSD, c.Error)
		}
	}
}
