package economics_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
)

// The table of parameters in the specification is that of the code, line by line.
func TestSpecificationListsTheParameters(t *testing.T) {
	const path = "../../docs/spec/economics.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := economics.DefaultParams()
	var table strings.Builder
	for _, name := range economics.ParamNames() {
		v, err := p.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		from, to, _ := economics.Bounds(name)
		note := ""
		switch {
		case name == "fee_dao_bps" || name == "slash_burn_bps":
			note = "follows"
		case !economics.Changeable(name):
			note = "fixed"
		}
		line := fmt.Sprintf("| `%s` | %d | %d | %d | %s |\n", name, v, from, to, note)
		table.WriteString(line)
		if !strings.Contains(string(doc), line) {
			t.Errorf("%s lacks %s", path, line)
		}
	}
	if t.Failed() {
		t.Logf("the table is\n%s", table.String())
	}
}
