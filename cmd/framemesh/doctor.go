package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/gpu/app/games"
	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/encode"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p"
)

// finding is what doctor says about one thing.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, note or bad; bad makes hosting impossible
	Text  string `json:"text"`
	Try   string `json:"try,omitempty"`
}

func doctorCommand() *cobra.Command {
	var asJSON bool
	var path string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do and what is in the way",
		Example: `  framemesh doctor
  framemesh doctor --config edge-1.toml --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(c.ErrOrStderr(), "… looking; a game is run and this machine measured, a few seconds")
			cfg := node.DefaultConfig()
			var fs []finding
			if _, err := os.Stat(path); err == nil || c.Flags().Changed("config") {
				if cfg, err = node.LoadConfig(path); err != nil {
					cfg = node.DefaultConfig()
					fs = append(fs, finding{"configuration", "bad", err.Error(), "mend the line, then run doctor again"})
				} else {
					fs = append(fs, finding{"configuration", "ok", path + " is valid", ""})
				}
			}
			fs = append(fs, examine(c.Context(), cfg)...)
			bad := false
			for _, f := range fs {
				bad = bad || f.State == "bad"
			}
			if asJSON {
				if err := printJSON(c.OutOrStdout(), struct {
					OK       bool      `json:"ok"`
					Findings []finding `json:"findings"`
				}{!bad, fs}); err != nil {
					return err
				}
			} else {
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, f := range fs {
					fmt.Fprintf(t, "%s\t%s\t%s\n", map[string]string{"ok": "✓", "note": "·", "bad": "✗"}[f.State], f.Check, f.Text)
					if f.Try != "" {
						fmt.Fprintf(t, "\t\ttry: %s\n", f.Try)
					}
				}
				if err := t.Flush(); err != nil {
					return err
				}
			}
			if bad {
				return errFailed
			}
			return nil
		},
	}
	c.Flags().StringVar(&path, "config", defaultConfigPath, "look at the ports and directories this file names")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func examine(ctx context.Context, cfg node.Config) []finding {
	fs := examineEncoders(ctx)
	fs = append(fs, examineAudio())
	if checkEncoder("") == nil { // otherwise they would only say the same again
		fs = append(fs, examineWorker(ctx), examineSlots(ctx))
	}
	fs = append(fs, examineProof(ctx)...)
	fs = append(fs, examineKey(cfg))
	fs = append(fs, examinePorts(cfg)...)
	fs = append(fs, examineSubnets(ctx, cfg)...)
	return append(fs, examineClock(time.Now()), examineBrowser())
}

func examineEncoders(ctx context.Context) []finding {
	const build = "apt-get install gcc g++, then build again with CGO_ENABLED=1"
	if err := checkEncoder(""); err != nil {
		return []finding{{"video encoder", "bad", err.Error(), build}}
	}
	list, err := probeApart(ctx)
	if err != nil {
		return []finding{{"video encoder", "bad", err.Error(), build}}
	}
	var fs []finding
	works := false
	for _, p := range list {
		f := finding{Check: "video encoder " + p.Name, State: "ok", Text: fmt.Sprintf("coded a picture of 640×360 in %.1f ms", p.MS)}
		if p.Err != "" {
			f.State, f.Text = "note", p.Err
		}
		works = works || p.Err == ""
		fs = append(fs, f)
	}
	if !works {
		fs = append(fs, finding{"video encoder", "bad", "none of these works", build})
	}
	return fs
}

// probed is what a probing process says of one encoder.
type probed struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
	Err  string  `json:"err,omitempty"`
}

// probeApart codes a picture with each encoder in a process of its own: a library that
// writes to standard error or crashes is then no trouble here.
func probeApart(ctx context.Context) ([]probed, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	b, err := exec.CommandContext(ctx, self, "worker", "probe").Output()
	if err != nil {
		return nil, fmt.Errorf("coding a picture: %w", err)
	}
	var list []probed
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("coding a picture: %w", err)
	}
	return list, nil
}

// serveProbe is the other end of probeApart.
func serveProbe(w io.Writer) error {
	var list []probed
	for _, p := range encode.Probe(context.Background(), time.Now) {
		one := probed{Name: p.Kind.Name, MS: millis(p.Cost)}
		if p.Err != nil {
			one.Err = p.Err.Error()
		}
		list = append(list, one)
	}
	return printLine(w, list)
}

func examineAudio() finding {
	a, err := encode.OpenAudio(96_000)
	if err == nil {
		defer a.Close()
		_, err = a.Encode(make([]int16, 2*480))
	}
	if err != nil {
		return finding{"audio encoder", "bad", err.Error(), "apt-get install gcc g++, then build again with CGO_ENABLED=1"}
	}
	return finding{"audio encoder", "ok", "coded 10 ms of Opus", ""}
}

// examineProof says with what this machine can prove what it renders: the graphics card
// where there is one, else the processor.
func examineProof(ctx context.Context) []finding {
	list, err := device.MeasurePoints(ctx)
	if err != nil {
		return []finding{{"proof of render", "bad", err.Error(), "run `framemesh worker points`"}}
	}
	var fs []finding
	for _, p := range list {
		f := finding{Check: "proof by " + p.Backend, State: "ok", Text: describe(p)}
		if p.Error != "" {
			f.State, f.Text = "note", p.Error
			if p.Backend == "go" {
				f.State = "bad"
			}
		}
		fs = append(fs, f)
	}
	return fs
}

// trial waits for a worker's first picture.
type trial struct {
	once  sync.Once
	info  worker.Info
	ready chan worker.Info
	frame chan struct{}
	ended chan error
}

func (t *trial) Ready(i worker.Info)      { t.ready <- i }
func (t *trial) Video(worker.AccessUnit)  { t.once.Do(func() { close(t.frame) }) }
func (t *trial) Audio(worker.AudioPacket) {}
func (t *trial) Stats(worker.Stats)       {}
func (t *trial) Exited(err error)         { t.ended <- err }

// examineWorker runs a built-in game for a moment in a real worker process.
func examineWorker(ctx context.Context) finding {
	f := finding{Check: "worker process", State: "bad", Try: "run `framemesh doctor` as the user that hosts, from the binary itself"}
	dir, err := os.MkdirTemp("", "framemesh-doctor-")
	if err != nil {
		f.Text = err.Error()
		return f
	}
	defer os.RemoveAll(dir)
	st, err := store.Open(dir, games.FS)
	if err != nil {
		f.Text = err.Error()
		return f
	}
	a, err := st.Get("latency")
	if err != nil {
		f.Text = err.Error()
		return f
	}
	path, err := st.Path(a.SHA)
	if err != nil {
		f.Text = err.Error()
		return f
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = dir
	}
	t := &trial{ready: make(chan worker.Info, 1), frame: make(chan struct{}), ended: make(chan error, 1)}
	began := time.Now()
	p, err := worker.Start(worker.Spec{Module: path, SHA256: a.SHA, CacheDir: filepath.Join(cache, "framemesh", "compiled")}, t)
	if err != nil {
		f.Text = err.Error()
		return f
	}
	defer p.Kill()
	limit := time.After(examineFor)
	for {
		select {
		case i := <-t.ready:
			t.info = i
			p.Run()
		case <-t.frame:
			how := "nothing beyond its own process"
			if len(t.info.Hardening) > 0 {
				how = strings.Join(t.info.Hardening, ", ")
			}
			return finding{"worker process", "ok", fmt.Sprintf("first picture after %d ms; shut in by: %s", time.Since(began).Milliseconds(), how), ""}
		case err := <-t.ended:
			f.Text = err.Error()
			return f
		case <-limit:
			f.Text = fmt.Sprintf("no picture within %v", examineFor)
			return f
		case <-ctx.Done():
			f.Text = ctx.Err().Error()
			return f
		}
	}
}

func examineSlots(ctx context.Context) finding {
	m, err := device.Measure(ctx, device.Options{})
	if err != nil {
		return finding{"slots", "bad", err.Error(), "mend the encoder first"}
	}
	return finding{"slots", "ok", fmt.Sprintf("%d sessions of 640×360 at 60 pictures a second", m.Slots), ""}
}

func examineKey(cfg node.Config) finding {
	f := finding{Check: "key and data directory", State: "bad"}
	dir, err := cfg.Dir()
	if err != nil {
		f.Text = err.Error()
		return f
	}
	path := filepath.Join(dir, "node.key")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return finding{f.Check, "note", path + " is not there yet", "`framemesh run` makes it"}
	}
	if _, err := p2p.LoadOrCreateKey(path); err != nil {
		f.Text = err.Error()
		return f
	}
	return finding{f.Check, "ok", path + " is readable by you alone", ""}
}

func examinePorts(cfg node.Config) []finding {
	check := func(what, option, network, addr string) finding {
		var err error
		if network == "udp" {
			var c net.PacketConn
			if c, err = net.ListenPacket("udp", addr); err == nil {
				c.Close()
			}
		} else {
			var l net.Listener
			if l, err = net.Listen("tcp", addr); err == nil {
				l.Close()
			}
		}
		if err != nil {
			return finding{what, "note", addr + " is in use", "another " + option + ", or stop what uses it; the next free port is taken otherwise"}
		}
		return finding{what, "ok", addr + " is free", ""}
	}
	fs := []finding{check("page port", "gateway.listen", "tcp", cfg.Gateway.Listen)}
	if cfg.P2P.Port != 0 {
		host := "127.0.0.1"
		if len(cfg.P2P.Listen) > 0 {
			host = cfg.P2P.Listen[0]
		}
		addr := net.JoinHostPort(host, fmt.Sprint(cfg.P2P.Port))
		fs = append(fs, check("p2p port, TCP", "p2p.port", "tcp", addr), check("p2p port, UDP", "p2p.port", "udp", addr))
	}
	return fs
}

// examineClock compares with the year this version was made; peers refuse messages
// more than a minute off.
func examineClock(now time.Time) finding {
	if y := now.Year(); y < 2026 || y > 2040 {
		return finding{"clock", "bad", "it says " + now.Format(time.RFC3339), "set the clock, best by NTP: peers refuse messages of another time"}
	}
	return finding{"clock", "ok", now.Format(time.RFC3339), ""}
}

func examineBrowser() finding {
	for _, n := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(n); err == nil {
			return finding{"browser for tests", "ok", p, ""}
		}
	}
	return finding{"browser for tests", "note", "no Chromium found; playing needs none here, the browser tests do", "apt-get install chromium"}
}
