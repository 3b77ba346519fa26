// Command latencybench measures what a player gets through the whole mesh: it starts
// `framemesh demo`, opens the player page in fresh Chromium processes, plays the
// latency test card and reads the picture in two ways: from the frames that the
// compositor really showed (CDP screencast) and inside the page
// (requestVideoFrameCallback). It writes one JSON file and prints a table.
//
// Server and browser share one clock. Rounds are interleaved over the rows so that a
// change in the machine's load falls on all of them alike.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

// row is one setting that is measured.
type row struct {
	Name string `json:"name"`
	App  string `json:"app"`
	FPS  int    `json:"fps"`
}

var rows = []row{
	{"640x360@60", "latency", 60},
	{"640x360@30", "latency-30", 30},
	{"1280x720@60", "latency-720", 60},
}

func main() {
	rounds := flag.Int("rounds", 10, "fresh browsers per row")
	secs := flag.Int("secs", 4, "seconds per probe")
	only := flag.String("only", "", "comma-separated row names; empty = all")
	out := flag.String("out", "", "write the result to this file")
	binary := flag.String("framemesh", "", "a built framemesh; empty = go build it")
	chromium := flag.String("chromium", "chromium", "the browser")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *secs, *only, *out, *binary, *chromium); err != nil {
		fmt.Fprintln(os.Stderr, "latencybench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds, secs int, only, out, binary, chromium string) error {
	want := rows
	if only != "" {
		want = nil
		for _, r := range rows {
			for _, n := range strings.Split(only, ",") {
				if r.Name == n {
					want = append(want, r)
				}
			}
		}
		if len(want) == 0 {
			return fmt.Errorf("no row named %q; there are 640x360@60, 640x360@30, 1280x720@60", only)
		}
	}
	d, err := startDemo(ctx, binary)
	if err != nil {
		return err
	}
	defer d.stop()
	res := result{When: time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(), CPUs: runtime.NumCPU(), CPU: cpuModel(), LoadBefore: loadAverage()}
	runs := map[string][]sample{}
	for i := range rounds {
		for _, r := range want {
			s, err := measure(ctx, d, r, time.Duration(secs)*time.Second, chromium)
			if err != nil {
				fmt.Fprintf(os.Stderr, "round %d %s: %v\n", i+1, r.Name, err)
				res.Failed = append(res.Failed, fmt.Sprintf("round %d %s: %v", i+1, r.Name, err))
				if ctx.Err() != nil {
					return ctx.Err()
				}
				continue
			}
			s.Load = loadAverage()
			runs[r.Name] = append(runs[r.Name], s)
			fmt.Fprintf(os.Stderr, "round %2d/%d %-12s glass %5.1f/%5.1f click %5.1f/%5.1f  in page %5.1f/%5.1f %5.1f/%5.1f  launch %4.0f  nav %4.0f  cores %.2f  fps %.1f load %.2f\n",
				i+1, rounds, r.Name, s.Composited.Glass.P50, s.Composited.Glass.P95, s.Composited.Click.P50, s.Composited.Click.P95,
				s.InPage.Glass.P50, s.InPage.Glass.P95, s.InPage.Click.P50, s.InPage.Click.P95, s.Launch["first_frame"], s.Navigation["first_frame"], s.Cores.Total, s.InPage.FPS, s.Load)
		}
	}
	res.LoadAfter = loadAverage()
	for _, r := range want {
		res.Rows = append(res.Rows, summarise(r, runs[r.Name]))
	}
	printTable(os.Stdout, res)
	if out != "" {
		b, err := json.MarshalIndent(res, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if len(res.Failed) > 0 {
		return fmt.Errorf("%d of %d runs failed", len(res.Failed), rounds*len(want))
	}
	return nil
}
