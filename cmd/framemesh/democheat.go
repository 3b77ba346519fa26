package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node/demo"
	"github.com/framemesh/framemesh/node/testnet"
)

// cheatRow is a cheat as --cheat list prints it.
type cheatRow struct {
	Name    string `json:"name"` // as --cheat takes it
	Who     string `json:"who"`
	Does    string `json:"does"`
	Caught  string `json:"caught_by"`
	Default int    `json:"default,omitempty"` // value; 0 = it takes none
	Most    int    `json:"most,omitempty"`
}

// listCheats prints every cheat with what it does and what catches it.
func listCheats(out io.Writer, asJSON bool) error {
	var rows []cheatRow
	for _, c := range cheat.All() {
		one := cheat.Cheat{Info: c, Value: c.Default}
		rows = append(rows, cheatRow{c.Name, c.Who, one.Does(), c.Caught, c.Default, c.Most})
	}
	if asJSON {
		return printJSON(out, map[string]any{"cheats": rows})
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		name := r.Name
		if r.Default > 0 {
			name = fmt.Sprintf("%s=%d", r.Name, r.Default)
		}
		fmt.Fprintf(t, "%s\t%s: %s. Caught by: %s.\n", name, r.Who, r.Does, r.Caught)
	}
	return t.Flush()
}

// castCheat gives the cheat its parts, and refuses one that cannot be shown.
func (f *demoFlags) castCheat() error {
	if f.cheat == "" {
		return nil
	}
	c, err := cheat.Parse(f.cheat)
	if err != nil {
		return withHint(err, "`framemesh demo --cheat list`")
	}
	if f.free || f.epoch < leastRound {
		return withHint(errors.New("--cheat needs rounds, and there are none without a ledger or in epochs that short"), fmt.Sprintf("without --free, and --epoch %v or longer", leastRound))
	}
	if f.containers < 2 {
		return withHint(errors.New("--cheat needs somebody honest, too"), "--containers 3")
	}
	cast, err := demo.NewCast(c, f.indexers, f.containers, f.checkers)
	if err != nil {
		return withHint(err, "--indexers 2 --containers 3 --checkers 5, which are the defaults")
	}
	f.cast, f.containers = &cast, cast.Containers
	return nil
}

func (f *demoFlags) cheats() map[string]cheat.Cheat {
	if f.cast == nil {
		return nil
	}
	return f.cast.Cheats()
}

func (f *demoFlags) about() []string {
	if f.cast == nil {
		return nil
	}
	return f.cast.About
}

func (f *demoFlags) trial(n *testnet.Net) *demo.Trial {
	if f.cast == nil {
		return nil
	}
	return demo.NewTrial(n, *f.cast)
}

// newsEvery is how often what happened is told.
const newsEvery = time.Second

// tellNews says what happens as it happens, until ctx ends or it is stopped, and the rest then.
func tellNews(ctx context.Context, t *demo.Trial, say func(string)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	tell := func() {
		news, err := t.News()
		if err != nil {
			return // the next look tells it
		}
		for _, n := range news {
			say("… " + n)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(newsEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				tell()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		tell()
	}
}

func printEpochs(out io.Writer, p *demo.Proof) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "EPOCH\tCHALLENGED\tCOMMITS\tOPENINGS\tVOTES\tCERTIFICATES\tVERIFIED\tNOT\tPUNISHED\tREWARDS\t")
	for _, e := range p.Epochs {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", e.Epoch, e.Challenged, e.Commits, e.Openings, e.Votes, e.Certificates, e.Proven, e.Unproven, e.Slashes, frm(e.Rewards))
	}
	_ = t.Flush()
}

func printCaught(out io.Writer, c *demo.Caught) {
	word := "NOT CAUGHT"
	if c.Caught {
		word = "CAUGHT"
	}
	fmt.Fprintf(out, "%s: %s, which %s\n  %s\n", word, c.Cheater, c.Does, c.How)
	if c.Caught {
		fmt.Fprintf(out, "  in epoch %d, by %s\n", c.Epoch, c.By)
	}
	if c.Lost > 0 {
		fmt.Fprintf(out, "  lost %s %s\n", amount.Amount(c.Lost), state.Symbol)
	}
	if c.Evidence != "" {
		fmt.Fprintf(out, "  evidence %s\n", c.Evidence)
		if c.File != "" {
			fmt.Fprintf(out, "  rerun it: framemesh proof verify %s\n", c.File)
		} else {
			fmt.Fprintln(out, "  --dir DIR keeps its file, for `framemesh proof verify`")
		}
	}
	if !c.Harmed {
		fmt.Fprintln(out, "  nobody honest was harmed")
	}
}
