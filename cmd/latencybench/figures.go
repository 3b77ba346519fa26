package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// quantiles of one probe in ms.
type quantiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// probe is what one way of reading the picture found.
type probe struct {
	Glass  quantiles `json:"glass"` // picture drawn → shown, ms
	Click  quantiles `json:"click"` // key pressed → patch flipped, ms
	FPS    float64   `json:"fps"`
	BadBar int       `json:"bad"` // pictures whose bar did not decode
}

// cores is CPU per stream, in cores.
type cores struct {
	Total   float64            `json:"total"`
	Node    float64            `json:"node"`
	Worker  float64            `json:"worker"`
	ByStage map[string]float64 `json:"by_stage"` // stage ms per frame × fps / 1000
}

// sample is one run of one row.
type sample struct {
	Composited probe              `json:"composited"`
	InPage     probe              `json:"in_page"`
	Launch     map[string]float64 `json:"launch_ms"`     // from the click
	Navigation map[string]float64 `json:"navigation_ms"` // from navigation start
	Cores      cores              `json:"cores"`
	Slack      float64            `json:"slack_ms"`
	Load       float64            `json:"load"`
}

type summary struct {
	row
	Runs       int                `json:"runs"`
	Composited probe              `json:"composited"` // medians over the runs
	InPage     probe              `json:"in_page"`
	GlassRuns  []float64          `json:"composited_glass_p50_runs"`
	Launch     map[string]float64 `json:"launch_ms"`
	LaunchRuns []float64          `json:"launch_first_frame_runs"`
	Navigation map[string]float64 `json:"navigation_ms"`
	Cores      cores              `json:"cores"`
	Load       float64            `json:"load_median"`
}

type result struct {
	When       string    `json:"when"`
	Go         string    `json:"go"`
	CPUs       int       `json:"cpus"`
	CPU        string    `json:"cpu"`
	LoadBefore float64   `json:"load_before"`
	LoadAfter  float64   `json:"load_after"`
	Rows       []summary `json:"rows"`
	Failed     []string  `json:"failed,omitempty"`
}

// quantile takes a copy; q in 0..1; 0 for no values.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return round1(s[min(len(s)-1, int(q*float64(len(s))))])
}

func round1(v float64) float64 { return float64(int(v*10+0.5)) / 10 }

func of(v []float64) quantiles {
	return quantiles{len(v), quantile(v, .5), quantile(v, .95)}
}

func medianOf(runs []sample, f func(sample) float64) float64 {
	var v []float64
	for _, r := range runs {
		v = append(v, f(r))
	}
	return median(v)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func medianMap(runs []sample, f func(sample) map[string]float64) map[string]float64 {
	all := map[string][]float64{}
	for _, r := range runs {
		for k, v := range f(r) {
			all[k] = append(all[k], v)
		}
	}
	out := map[string]float64{}
	for k, v := range all {
		out[k] = median(v)
	}
	return out
}

func medianProbe(runs []sample, f func(sample) probe) probe {
	q := func(g func(probe) quantiles) quantiles {
		n := 0
		for _, r := range runs {
			n += g(f(r)).N
		}
		return quantiles{n, medianOf(runs, func(s sample) float64 { return g(f(s)).P50 }), medianOf(runs, func(s sample) float64 { return g(f(s)).P95 })}
	}
	bad := 0
	for _, r := range runs {
		bad += f(r).BadBar
	}
	return probe{q(func(p probe) quantiles { return p.Glass }), q(func(p probe) quantiles { return p.Click }), medianOf(runs, func(s sample) float64 { return f(s).FPS }), bad}
}

func summarise(r row, runs []sample) summary {
	s := summary{row: r, Runs: len(runs),
		Composited: medianProbe(runs, func(s sample) probe { return s.Composited }),
		InPage:     medianProbe(runs, func(s sample) probe { return s.InPage }),
		Launch:     medianMap(runs, func(s sample) map[string]float64 { return s.Launch }),
		Navigation: medianMap(runs, func(s sample) map[string]float64 { return s.Navigation }),
		Load:       medianOf(runs, func(s sample) float64 { return s.Load }),
		Cores: cores{
			Total:   medianOf(runs, func(s sample) float64 { return s.Cores.Total }),
			Node:    medianOf(runs, func(s sample) float64 { return s.Cores.Node }),
			Worker:  medianOf(runs, func(s sample) float64 { return s.Cores.Worker }),
			ByStage: medianMap(runs, func(s sample) map[string]float64 { return s.Cores.ByStage }),
		}}
	for _, x := range runs {
		s.GlassRuns = append(s.GlassRuns, x.Composited.Glass.P50)
		s.LaunchRuns = append(s.LaunchRuns, x.Launch["first_frame"])
	}
	return s
}

func printTable(w io.Writer, r result) {
	fmt.Fprintf(w, "%s, %d CPUs, %s; load average %.2f before, %.2f after\n\n", r.CPU, r.CPUs, r.Go, r.LoadBefore, r.LoadAfter)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "row\truns\tglass p50\tp95\tclick p50\tp95\tin page glass\tclick\tclick→frame\tnav→frame\tcores\tfps\t")
	for _, s := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f/%.1f\t%.1f/%.1f\t%.0f\t%.0f\t%.2f\t%.1f\t\n", s.Name, s.Runs,
			s.Composited.Glass.P50, s.Composited.Glass.P95, s.Composited.Click.P50, s.Composited.Click.P95,
			s.InPage.Glass.P50, s.InPage.Glass.P95, s.InPage.Click.P50, s.InPage.Click.P95,
			s.Launch["first_frame"], s.Navigation["first_frame"], s.Cores.Total, s.InPage.FPS)
	}
	t.Flush()
}
