package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/demo"
	"github.com/framemesh/framemesh/node/testnet"
)

type demoFlags struct {
	play                           time.Duration
	asJSON, open                   bool
	app, listen, dir, logLevel     string
	containers, indexers, checkers int
	slots, validators              int
	free                           bool
	epoch                          time.Duration
	encoder                        string
	listenGiven                    bool
	cheat                          string
	cast                           *demo.Cast // nil where all are honest
}

func demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Start a whole mesh on this machine and a page to play on",
		Long: `demo starts real peers in one process: a gateway, indexers, containers and checkers,
each with its own libp2p host on loopback, and a ledger of their own, on which play is
paid by the second with money from a faucet. In each epoch the containers prove what they
can render, the checkers check it, and all are paid for that two epochs later. Open the URL
it prints and click a game. With --for it plays by itself, without a browser, and says what it measured.`,
		Example: `  framemesh demo                          play at the URL it prints; Ctrl-C ends it
  framemesh demo --open                   and open the browser
  framemesh demo --for 20s --json         play without a browser, print one JSON object
  framemesh demo --containers 4 --slots 1
  framemesh demo --cheat list             every way to lie about rendering that is known
  framemesh demo --cheat overclaim=4 --for 60s --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.cheat == "list" {
				return listCheats(c.OutOrStdout(), f.asJSON)
			}
			f.listenGiven = c.Flags().Changed("listen")
			if f.cheat != "" && !c.Flags().Changed("log") {
				f.logLevel = "error" // the demo itself says what the lie comes to; the peers' warnings would say it ten times more
			}
			return runDemo(c.Context(), f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.DurationVar(&f.play, "for", 0, "play this long by itself, without a browser, then end")
	fl.BoolVar(&f.asJSON, "json", false, "with --for: one JSON object; without: one JSON line when ready")
	fl.BoolVar(&f.open, "open", false, "open the page in the browser")
	fl.StringVar(&f.app, "app", "", "with --for: the app to play, by short name (default: the first that is no test card)")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:8080", "where to serve the page; port 0 takes any free one")
	fl.StringVar(&f.dir, "dir", "", "keep the peers' data here (default: a temporary directory)")
	fl.IntVar(&f.containers, "containers", 3, "peers that render")
	fl.IntVar(&f.indexers, "indexers", 2, "peers that match")
	fl.IntVar(&f.checkers, "checkers", 5, "peers that check")
	fl.IntVar(&f.validators, "validators", 1, "checkers that make the ledger's blocks")
	fl.DurationVar(&f.epoch, "epoch", 20*time.Second, "length of the ledger's epochs; rounds of Proof of Render need 15s")
	fl.BoolVar(&f.free, "free", false, "no ledger: play costs nothing and nobody is paid")
	fl.StringVar(&f.cheat, "cheat", "", `let somebody lie about rendering, such as overclaim=4, and say how it is caught; "list" names every cheat`)
	fl.IntVar(&f.slots, "slots", 0, "sessions per container (default: what the machine holds, shared)")
	fl.StringVar(&f.encoder, "encoder", "", "video encoder by name (default: the best that works)")
	fl.StringVar(&f.logLevel, "log", "warn", "what the peers say: debug, info, warn, error; with --cheat error, if not given")
	_ = c.RegisterFlagCompletionFunc("log", cobra.FixedCompletions(logLevels, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func runDemo(ctx context.Context, f demoFlags, out, errOut io.Writer) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir := f.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "framemesh-demo-"); err != nil {
			return withHint(err, "another place with --dir")
		}
		defer os.RemoveAll(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = dir
	}
	say := func(s string) { fmt.Fprintln(errOut, s) }
	began := time.Now()
	n, err := testnet.Start(ctx, testnet.Options{Gateways: 1, Indexers: f.indexers, Containers: f.containers, Checkers: f.checkers,
		Dir: dir, CacheDir: filepath.Join(cache, "framemesh"), Listen: f.listen, InsistListen: f.listenGiven && !strings.HasSuffix(f.listen, ":0"),
		Cheats: f.cheats(), About: f.about(), Slots: f.slots, Encoder: f.encoder, Money: f.money(), Log: logger(f.logLevel, "text", errOut), Progress: func(s string) { say("… " + s) }})
	if errors.Is(err, syscall.EADDRINUSE) {
		return withHint(err, "`framemesh demo` without --listen takes the next free port, --listen 127.0.0.1:0 any")
	}
	if errors.Is(err, node.ErrOccupied) {
		return withHint(err, "another --dir, or end the demo that runs there")
	}
	if err != nil {
		return err
	}
	defer func() {
		say("… ending; Ctrl-C once more ends at once")
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if e := n.Stop(stop); e != nil && err == nil {
			err = e
		}
	}()
	say(fmt.Sprintf("… ready after %.1f s", time.Since(began).Seconds()))
	trial := f.trial(n)
	if trial != nil {
		say("… " + f.cast.Announce())
		defer tellNews(ctx, trial, say)()
	}
	if f.play > 0 {
		return playDemo(ctx, n, f, trial, out, errOut)
	}
	client := ""
	if n.Genesis() != nil {
		if client, err = n.WriteClient(); err != nil {
			return withHint(err, "another place with --dir")
		}
	}
	if f.asJSON {
		ready := map[string]any{"url": n.URL(), "pid": os.Getpid(), "peers": len(n.Peers())}
		if client != "" {
			ready["client"] = client
		}
		if err := printLine(out, ready); err != nil {
			return err
		}
	} else {
		printDemo(out, n, client)
	}
	if f.open {
		if err := openBrowser(n.URL()); err != nil {
			say("the browser could not be opened: " + err.Error())
		}
	}
	crash := make(chan os.Signal, 1)
	if sig := crashSignal(); sig != nil {
		signal.Notify(crash, sig)
		defer signal.Stop(crash)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-crash:
			say(crashBusiest(ctx, n))
		}
	}
}

func playDemo(ctx context.Context, n *testnet.Net, f demoFlags, trial *demo.Trial, out, errOut io.Writer) error {
	app := f.app
	if app == "" {
		apps, err := n.Find("gateway-1").Gateway().Apps(ctx)
		if err != nil {
			return err
		}
		app = apps[0].Name // games come first, and the network was ready only with one
	} else if err := knows(ctx, n, app); err != nil {
		return err
	}
	if !f.asJSON {
		fmt.Fprintf(errOut, "… playing %s for %v\n", app, f.play)
	}
	r := demo.Play(ctx, n, app, f.play, trial)
	if r.Cheat != nil && f.dir == "" {
		r.Cheat.File = "" // it goes with the temporary directory
	}
	if f.asJSON {
		if err := printJSON(out, r); err != nil {
			return err
		}
		if !r.OK() {
			return errFailed
		}
		return nil
	}
	if r.Frames == 0 {
		return playFailed(r)
	}
	fmt.Fprintf(out, "played %s on %s for %v: %d pictures (%.1f per second), %d sound packets, %.0f kbit/s\n", r.App, r.Container, f.play, r.Frames, r.FPS, r.Audio, r.BitrateKbps)
	l := r.LaunchMS
	fmt.Fprintf(out, "launch %.0f ms: match %.1f, reserve %.1f, signal %.1f, connect %.1f, first picture %.1f\n", l.Total, l.Match, l.Reserve, l.Signal, l.Connect, l.FirstFrame)
	fmt.Fprintf(out, "inputs %d sent, %d acknowledged; certificate verified: %v; answer verified: %v\n", r.InputsSent, r.InputsAcked, r.Certificate, r.Answer)
	if r.Proof != nil {
		printEpochs(out, r.Proof)
	}
	if r.Cheat != nil {
		printCaught(out, r.Cheat)
	}
	if !r.OK() {
		return playFailed(r)
	}
	return nil
}

func playFailed(r *demo.Report) error {
	return withHint(errors.New(strings.Join(r.Errors, "; ")), "`framemesh demo --log info` to see what the peers say")
}

// check refuses options that cannot work, before anything starts.
// isPort says whether text is the number of a port.
func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func (f *demoFlags) check() error {
	if err := checkLogLevel(f.logLevel); err != nil {
		return err
	}
	if _, port, err := net.SplitHostPort(f.listen); err != nil || port == "" || !isPort(port) {
		return withHint(fmt.Errorf("--listen %q is no host and port", f.listen), "--listen 127.0.0.1:8080, or port 0 for any free one; ports end at 65535")
	}
	switch {
	case f.play < 0:
		return withHint(fmt.Errorf("--for %v is in the past", f.play), "--for 20s")
	case f.slots < 0 || f.slots > 256:
		return withHint(fmt.Errorf("--slots %d is too many or too few", f.slots), "0 (as many as the machine holds) to 256")
	case f.indexers < 1:
		return withHint(errors.New("--indexers 0: nobody could match"), "--indexers 1")
	case f.play > 0 && f.containers < 1:
		return withHint(errors.New("--containers 0: nobody could render, so --for cannot play"), "--containers 1")
	case !f.free && (f.validators < 1 || f.validators > f.checkers):
		return withHint(fmt.Errorf("--validators %d with --checkers %d: validators are checkers, and a ledger needs one", f.validators, f.checkers), "--validators 1 --checkers 3, or --free for no ledger")
	case f.epoch < time.Second || f.epoch > time.Hour || f.epoch%time.Second != 0:
		return withHint(fmt.Errorf("--epoch %v is no length of an epoch", f.epoch), "whole seconds from 1s to 1h")
	case f.app != "" && f.play == 0:
		return withHint(errors.New("--app only says what --for plays"), "add --for 20s, or leave --app out and choose on the page")
	}
	if err := f.castCheat(); err != nil {
		return err
	}
	if f.containers > 0 {
		return checkEncoder(f.encoder)
	}
	return nil
}

// knows says whether the network offers the app.
func knows(ctx context.Context, n *testnet.Net, app string) error {
	apps, err := n.Find("gateway-1").Gateway().Apps(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, a := range apps {
		if a.Name == app {
			return nil
		}
		names = append(names, a.Name)
	}
	return withHint(fmt.Errorf("no container offers an app named %q", app), "one of "+strings.Join(names, ", "))
}

func printDemo(out io.Writer, n *testnet.Net, client string) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range n.Peers() {
		addr := ""
		if as := p.Addrs(); len(as) > 0 {
			addr, _, _ = strings.Cut(as[0], "/p2p/")
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", p.Name, p.ID(), addr)
	}
	t.Flush()
	fmt.Fprintf(out, "\nPlay at %s\n", n.URL())
	if client != "" {
		fmt.Fprintf(out, `
The ledger, from another terminal:
  framemesh ledger status --config %[1]s
  framemesh ledger supply --config %[1]s
  framemesh wallet balance %[3]s --config %[1]s
Each peer's owner has a wallet there, with the passphrase %[2]q.
`, client, testnet.Passphrase, earner(n))
	}
	fmt.Fprint(out, "\nCtrl-C ends it.")
	if crashSignal() != nil {
		fmt.Fprintf(out, " kill -USR1 %d pulls the plug of the container in use.", os.Getpid())
	}
	fmt.Fprintln(out)
}

// earner is a peer of the demo whose owner comes to money: one that renders, where there is one.
func earner(n *testnet.Net) string {
	for _, p := range n.Peers() {
		if strings.HasPrefix(p.Name, "container-") {
			return p.Name
		}
	}
	return "checker-1"
}

// crashBusiest pulls the plug of the container with the newest session.
func crashBusiest(ctx context.Context, n *testnet.Net) string {
	name, newest := "", time.Time{}
	for _, p := range n.Peers() {
		c := p.Container()
		if c == nil {
			continue
		}
		ss, err := c.Sessions(ctx)
		if err != nil {
			continue
		}
		for _, s := range ss {
			if s.Started.After(newest) {
				name, newest = p.Name, s.Started
			}
		}
	}
	if name == "" {
		return "no container is in use"
	}
	if err := n.Crash(name); err != nil {
		return err.Error()
	}
	return "pulled the plug of " + name
}

func openBrowser(url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	return exec.Command(name, args...).Start()
}

// leastRound is the shortest epoch that has room for a round: parts of it last a few
// hundredths of the epoch, and a machine that plays a game meanwhile is busy.
const leastRound = 15 * time.Second

// money is the demo's ledger; nil for none.
func (f *demoFlags) money() *testnet.Money {
	if f.free {
		return nil
	}
	return &testnet.Money{Validators: f.validators, EpochSeconds: uint64(f.epoch / time.Second), Proofs: f.epoch >= leastRound}
}
