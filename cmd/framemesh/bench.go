package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/kernel"
)

// benchReport is what bench prints with --json.
type benchReport struct {
	Devices      []device.Device `json:"devices"`
	Encoder      string          `json:"encoder"`
	DrawMS       float64         `json:"draw_ms"` // per picture of 640×360, as the next two
	ConvertMS    float64         `json:"convert_ms"`
	EncodeMS     float64         `json:"encode_ms"`
	Slots        int             `json:"slots"`            // sessions at 60 pictures a second
	Headroom     int             `json:"headroom_percent"` // of the machine, left over with all slots taken
	ScoreMilli   int             `json:"score_milli"`
	ScoreVersion string          `json:"score_version"`
	// Points are RenderPoints of each backend of the proof kernel; none with --cached.
	Points []device.Points `json:"render_points,omitempty"`
	// Reference is the rate in samples/s that is worth 100 RenderPoints.
	Reference uint64 `json:"render_points_reference"`
}

// describe tells what a backend of the proof kernel does, in one line.
func describe(p device.Points) string {
	if p.Error != "" {
		return fmt.Sprintf("not %s: %s", p.Backend, p.Error)
	}
	w := p.Windows
	slices.Sort(w[:])
	return fmt.Sprintf("%s: %d.%d RP (%d.%d million samples/s; %s)", p.Backend, p.MilliRP/1000, p.MilliRP%1000/100, w[1]/1_000_000, w[1]%1_000_000/100_000, p.Device)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func benchCommand() *cobra.Command {
	var asJSON, cached bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure how many sessions this machine carries, and its RenderPoints",
		Long: `bench draws, converts and codes pictures of 640×360 in a process of its own for less
than a second, and says what a session costs here and how many fit. It is what a
container does at its first start.

Then it renders the proof kernel rp-1 on the processor and on the graphics card, and
prints RenderPoints (RP): 100 RP are ten million samples a second, for ever. They are
what a container is measured by in each epoch. They say how fast a machine traces paths
in integers; not how fast it rasters or encodes, nor how much memory its card has.`,
		Example: `  framemesh bench
  framemesh bench --json
  framemesh bench --cached                what containers on this machine already know`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o := device.Options{}
			if cached {
				dir, err := os.UserCacheDir()
				if err != nil {
					return err
				}
				o.CacheDir = filepath.Join(dir, "framemesh")
			}
			if !cached {
				fmt.Fprintln(c.ErrOrStderr(), "… measuring, a few seconds")
			}
			m, err := device.Measure(c.Context(), o)
			if err != nil {
				return err
			}
			var points []device.Points
			if !cached {
				if points, err = device.MeasurePoints(c.Context()); err != nil {
					return err
				}
			}
			devices := device.Inventory(os.DirFS("/"), runtime.GOMAXPROCS(0))
			if asJSON {
				return printJSON(c.OutOrStdout(), benchReport{devices, m.Encoder, millis(m.Cost.Draw), millis(m.Cost.Convert), millis(m.Cost.Encode),
					m.Slots, device.Headroom, m.ScoreMilli, m.ScoreVersion, points, kernel.Reference})
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, d := range devices {
				fmt.Fprintf(t, "device\t%s (%s)\n", d.Name, d.Kind)
			}
			ms := func(d time.Duration) string { return fmt.Sprintf("%.3f ms", millis(d)) }
			fmt.Fprintf(t, "encoder\t%s\n", m.Encoder)
			fmt.Fprintf(t, "draw a picture of 640×360\t%s\n", ms(m.Cost.Draw))
			fmt.Fprintf(t, "convert it\t%s\n", ms(m.Cost.Convert))
			fmt.Fprintf(t, "code it\t%s\n", ms(m.Cost.Encode))
			fmt.Fprintf(t, "sessions at 60 pictures a second\t%d, with %d %% of the machine left over\n", m.Slots, device.Headroom)
			fmt.Fprintf(t, "score\t%d (%s: thousandths of such sessions with nothing left over)\n", m.ScoreMilli, m.ScoreVersion)
			for _, p := range points {
				fmt.Fprintf(t, "proves by\t%s\n", describe(p))
			}
			if len(points) > 0 {
				fmt.Fprintf(t, "\t100 RP are %d million samples a second of kernel %s; the median of three windows counts\n", kernel.Reference/1_000_000, kernel.Name)
			}
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVar(&cached, "cached", false, "take an earlier result of this machine if there is one")
	return c
}
