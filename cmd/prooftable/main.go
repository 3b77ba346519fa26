// Command prooftable runs the simulation of Proof of Render and writes what it found into
// a guide, between the lines <!-- cheats --> and <!-- /cheats -->, and likewise honest and
// traffic. With -real, containers' cheats run against rp-1 itself at its smallest size,
// which takes some minutes of one core; without it a tile costs a hash, and everything else
// is the same.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/checker/sim"
)

func main() {
	log.SetFlags(0)
	guide := flag.String("guide", "docs/guides/proof-of-render.md", "the file to write into")
	trials := flag.Int("trials", 300, "epochs for each cheat")
	real := flag.Bool("real", false, "render the tiles of containers' cheats")
	honest := flag.Int("honest", 1000, "honest epochs in a rough network")
	containers := flag.Int("containers", 10_000, "containers of the traffic table")
	checkers := flag.Int("checkers", 500, "checkers of the traffic table")
	flag.Parse()
	text, err := os.ReadFile(*guide)
	if err != nil {
		log.Fatal(err)
	}
	out := string(text)
	for _, table := range []struct {
		name string
		make func() string
	}{
		{"cheats", func() string { return cheats(*trials, *real) }},
		{"honest", func() string { return sim.HonestEpochs(*honest).String() }},
		{"traffic", func() string {
			w := sim.New(sim.Large(*containers, *checkers, 100))
			w.Run(1)
			return w.Traffic()
		}},
	} {
		log.Print(table.name)
		if out, err = between(out, table.name, table.make); err != nil {
			log.Fatal(err)
		}
	}
	if err := os.WriteFile(*guide, []byte(out), 0o644); err != nil {
		log.Fatal(err)
	}
}

func cheats(trials int, real bool) string {
	var rows []sim.Row
	for _, bad := range sim.Shown() {
		c, n := sim.Default(), trials
		c.Frames = 20
		if real && bad.Who == cheat.Container {
			c.Kernel = recompute.New()
		}
		if bad.Name == "sybil" {
			n = max(1, n/10) // nothing is left to chance
		}
		row := sim.Detect(c, bad, n)
		rows = append(rows, row)
		log.Printf("%s: %.3f %.3f harmed %d", bad, row.One, row.Epoch, row.Harmed)
	}
	return sim.Markdown(rows)
}

// between puts what make says between the marks of that name; without them nothing is made.
func between(text, name string, make func() string) (string, error) {
	open, shut := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	i, j := strings.Index(text, open), strings.Index(text, shut)
	if i < 0 || j < i {
		return "", fmt.Errorf("prooftable: the guide has no %q … %q; put both lines where the table belongs", strings.TrimSpace(open), shut)
	}
	return text[:i+len(open)] + "\n" + strings.TrimSpace(make()) + "\n\n" + text[j:], nil
}
