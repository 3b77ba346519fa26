package chain

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/ledger/state"
)

func TestPenaltiesAndOraclesAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := newMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	m.note([]state.Event{
		{Kind: "slash", Attrs: []state.Attr{{Key: "node", Value: "n"}, {Key: "offence", Value: "oracle"}}},
		{Kind: "oracle_off", Attrs: []state.Attr{{Key: "oracle", Value: "frm1o"}, {Key: "strikes", Value: "3"}}},
		{Kind: "transfer"},
	})
	m.note([]state.Event{{Kind: "oracle_off", Attrs: []state.Attr{{Key: "oracle", Value: "frm1o"}}}})

	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			for _, l := range one.GetLabel() {
				got[f.GetName()+" "+l.GetName()+"="+l.GetValue()] = one.GetCounter().GetValue()
			}
		}
	}
	want := map[string]float64{"framemesh_ledger_penalties_total offence=oracle": 1, "framemesh_ledger_oracle_off_total oracle=frm1o": 2}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s is %v, want %v", name, got[name], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("counted %v", got)
	}
}
