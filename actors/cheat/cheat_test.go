package cheat

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range All() {
		got, err := Parse(c.Name)
		if err != nil || got.Value != c.Default {
			t.Errorf("%s: %v, %v", c.Name, got, err)
		}
		again, err := Parse(got.String())
		if err != nil || again != got {
			t.Errorf("%s reads as %v, %v", got, again, err)
		}
		if strings.Contains(got.Does(), "%!") {
			t.Errorf("%s: %s", got, got.Does())
		}
	}
	if got, err := Parse("overclaim=7"); err != nil || got.Value != 7 || got.String() != "overclaim=7" {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "nothing", "overclaim=", "overclaim=0", "overclaim=-1", "overclaim=1000", "late=2", "skip=100", "skip=x"} {
		if got, err := Parse(bad); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q is read as %v, %v", bad, got, err)
		}
	}
}
