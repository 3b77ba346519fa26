package why

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Whatever a file holds, it is described or refused, and what is told of it is short.
func FuzzDescribe(f *testing.F) {
	f.Add([]byte("framemesh proof 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, file, err := Describe(b)
		answer := err == nil && x.Kind == KindAnswer
		if (err == nil && !answer) != (file != nil) {
			t.Fatal("neither a file nor an error, or both")
		}
		if err == nil && (len(x.ID) != 64 || x.Says == "" || len(x.Detail) > 200 || !answer && len(x.Seed) != 64 || answer && len(x.Report) != 64) {
			t.Errorf("%+v", x)
		}
	})
}

// FuzzAccount reads what an indexer answers: anything at all.
func FuzzAccount(f *testing.F) {
	good, err := proto.Marshal(&wire.AccountResponse{Held: true, Asked: 3, Outs: []*wire.FilterOuts{{Filter: "price", Times: 2, Mine: 400_000, Least: 1, Most: 300_000}},
		Ranked: &wire.Ranking{Place: 2, Of: 2, Score: 1}, Best: &wire.Ranking{Place: 1, Of: 2, Score: 2}, Wanted: []*wire.WantedApp{{Sha256: make([]byte, 32), Name: "racer", Asked: 1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := new(wire.AccountResponse)
		if proto.Unmarshal(b, r) != nil {
			return
		}
		a, err := AccountOf("an indexer", r)
		if err != nil {
			if !errors.Is(err, ErrAccount) {
				t.Fatal(err)
			}
			return
		}
		for _, all := range [][]Account{{a}, {a, a}} {
			for _, x := range Matching(all, len(b)%2 == 0) {
				if x.Code == "" || x.Text == "" || x.Bad && x.Next == "" || !printable(x.Text) {
					t.Fatalf("%+v", x)
				}
			}
		}
	})
}
