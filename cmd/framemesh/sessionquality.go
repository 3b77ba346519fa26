package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/node"
)

func sessionQuality(l *ledgerFlags) *cobra.Command {
	last := 20
	c := &cobra.Command{
		Use:   "quality [SESSION]",
		Short: "Show how good the sessions of this machine were, from request to exit",
		Long: `quality shows the records that the container of this configuration has kept of its
sessions: launch, first picture, pictures a second, latency, stalls, losses and how it ended.
The player's own receipts say what was shown; without them (free sessions, other clients) only
what the container saw is there. The records lie on this machine: nobody is asked, and the node
may be running or not.`,
		Example: `  framemesh session quality
  framemesh session quality --last 100 --json
  framemesh session quality 6f1e0c…`,
		Args: atMostOne("SESSION"),
		RunE: func(c *cobra.Command, args []string) error {
			if last < 1 || last > segments.MaxQualities {
				return withHint(fmt.Errorf("--last %d", last), fmt.Sprintf("1 to %d", segments.MaxQualities))
			}
			cfg, err := l.load(c)
			if err != nil {
				return err
			}
			dir, err := segmentsDir(cfg)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return oneQuality(c, dir, args[0], l.json)
			}
			list, kept := segments.Qualities(dir, last)
			if l.json {
				if list == nil {
					list = []segments.Quality{}
				}
				return printJSON(c.OutOrStdout(), map[string]any{"sessions": list, "kept": kept})
			}
			return printQualities(c, list, kept)
		},
	}
	c.Flags().IntVar(&last, "last", last, "how many, the newest first")
	return c
}

// segmentsDir is where a container keeps the proof of its sessions.
func segmentsDir(cfg node.Config) (string, error) {
	dir, err := cfg.Dir()
	return filepath.Join(dir, "segments"), err
}

func printQualities(c *cobra.Command, list []segments.Quality, kept int) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.OutOrStdout(), "no session of this machine is on record; a container writes one down when it ends")
		return err
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SESSION\tBEGAN\tPLAYED\tFIRST PICTURE\tPICTURES/S\tLATENCY p50/p95\tSTALLS\tLOST\tEXIT")
	for _, q := range list {
		fmt.Fprintf(t, "%s\t%s\t%v\t%s\t%s\t%s\t%d\t%s\t%s\n", q.Session, q.Began.UTC().Format(time.DateTime), playedFor(q), wait(q.FirstFrameMS),
			shownRate(q), latencies(q), q.Stalls, share(q.LostPPM), q.Exit)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if kept > len(list) {
		fmt.Fprintf(c.ErrOrStderr(), "the newest %d of %d; --last shows more\n", len(list), kept)
	}
	return nil
}

func oneQuality(c *cobra.Command, dir, session string, asJSON bool) error {
	q, err := segments.ReadQuality(dir, session)
	switch {
	case errors.Is(err, segments.ErrGone):
		return withHint(fmt.Errorf("no session %q of this machine is on record", session),
			fmt.Sprintf("`framemesh session quality` lists those that have ended, %d at most", segments.MaxQualities))
	case err != nil:
		return withHint(err, "remove the file: it is of use to nobody")
	case asJSON:
		return printJSON(c.OutOrStdout(), q)
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"session", q.Session},
		{"app", q.App},
		{"began, ended", q.Began.UTC().Format(time.RFC3339) + ", " + q.Ended.UTC().Format(time.RFC3339)},
		{"request to answer", wait(q.LaunchMS)},
		{"request to first picture", wait(q.FirstFrameMS)},
		{"pictures a second", shownRate(q)},
		{"input to its answer, p50/p95", latencies(q)},
		{"stalls over 250 ms", fmt.Sprint(q.Stalls)},
		{"packets lost", share(q.LostPPM)},
		{"seconds played", fmt.Sprintf("%d; %d with ticks left out, %d restarts of the game", q.Played, q.Short, q.Restores)},
		{"seconds the player signed for", fmt.Sprintf("%d; %d with a picture that was not sent, %d words with a wrong signature", q.Receipts, q.Unseen, q.Forged)},
		{"exit", q.Exit},
	} {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1])
	}
	return t.Flush()
}

func playedFor(q segments.Quality) time.Duration { return q.Ended.Sub(q.Began).Round(time.Second) }

// wait writes a duration that is 0 where it was not measured.
func wait(ms uint32) string {
	if ms == 0 {
		return "–"
	}
	return fmt.Sprintf("%d ms", ms)
}

// shownRate is what the player was shown, of what the app draws.
func shownRate(q segments.Quality) string {
	if q.Receipts == 0 {
		return fmt.Sprintf("– of %d", q.AskedFPS)
	}
	return fmt.Sprintf("%d.%d of %d", q.FPSMilli/1000, q.FPSMilli%1000/100, q.AskedFPS)
}

func latencies(q segments.Quality) string {
	if q.P95MS == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d ms", q.P50MS, q.P95MS)
}

// share writes parts of a million.
func share(ppm uint32) string { return fmt.Sprintf("%d.%02d %%", ppm/10_000, ppm%10_000/100) }
