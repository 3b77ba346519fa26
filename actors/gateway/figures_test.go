package gateway

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// measured is a ledger that says the same of a container after every block.
type measured struct {
	says map[peer.ID]match.Measured
	err  error
}

func (m *measured) Measured(_ context.Context, asked []match.Asked) (out []match.Measured, err error) {
	for _, a := range asked {
		f := m.says[a.Container]
		f.Height = a.Height
		out = append(out, f)
	}
	return out, m.err
}

func (*measured) Near(context.Context, [32]byte, uint64) (bool, error) { return true, nil }

// A gateway takes a match only with figures that the ledger bears out; the next indexer is
// asked otherwise. The page cannot do this itself.
func TestFiguresAreLookedUp(t *testing.T) {
	play(t, func(s *scene) {
		slow, fast := s.container(1), s.container(2)
		truth := map[peer.ID]match.Measured{}
		for id, rp := range map[peer.ID]uint64{slow.id: 1000, fast.id: 2000} {
			truth[id] = match.Measured{Height: 5, Epoch: 3, RPMilli: rp, QualityPPM: 500_000, PriorityPPM: 1_000_000, ProvenUntil: 4}
		}
		l := &measured{says: truth}
		s.g.o.Figures = l
		claims := s.table
		tables := map[string]*match.Table{"claims": claims}
		for name, change := range map[string]func(*match.Measured){"true": func(*match.Measured) {}, "made up": func(m *match.Measured) { m.QualityPPM *= 2 }} {
			tab := match.NewMeasuredTable(0)
			for _, id := range []peer.ID{slow.id, fast.id} {
				sealed := claims.Sealed(id)
				var ad wire.Ad
				if _, err := seal.Open(testNet, seal.TypeAd, sealed, match.MaxAdBytes, &ad); err != nil {
					t.Fatal(err)
				}
				if err := tab.Put(uint64(time.Now().UnixMilli()), id, &ad, sealed); err != nil {
					t.Fatal(err)
				}
				m := truth[id]
				if id == slow.id {
					change(&m)
				}
				if !tab.Measure(id, m) {
					t.Fatal("figures are not taken")
				}
			}
			tables[name] = tab
		}
		from := "true"
		s.indexer(100, func(r *wire.MatchRequest) ([]byte, error) {
			s.table = tables[from]
			return s.certificate(100, r)
		})
		for name, served := range map[string]bool{"true": true, "made up": false, "claims": false} {
			from = name
			got, err := s.launch()
			if served && err != nil || served && got.Container == "" {
				t.Errorf("%s: %v", name, err)
			}
			if !served {
				if r := refused(t, err, "no-indexer"); !strings.Contains(r.Text, "does not verify") {
					t.Errorf("%s: %s", name, r.Text)
				}
			}
		}
		from, l.err = "true", fmt.Errorf("%w: no head", match.ErrNoFigures)
		_, err := s.launch()
		if r := refused(t, err, "no-indexer"); !strings.Contains(r.Text, "try again") {
			t.Error(r.Text)
		}
		s.g.o.Figures = nil
		if _, err := s.launch(); err == nil {
			t.Error("figures are believed where there is no ledger")
		}
	})
}
