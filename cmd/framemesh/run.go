package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/node"
)

func runCommand() *cobra.Command {
	var path, dataDir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Run one node from a framemesh.toml",
		Example: `  framemesh run
  framemesh run --config edge-1.toml --data-dir /var/lib/framemesh
  framemesh run --json                    one JSON line on standard output when it is up`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := node.LoadConfig(path)
			if err != nil {
				return err
			}
			if dataDir != "" {
				cfg.DataDir = dataDir
			}
			if cfg.Has(node.RoleContainer) {
				if err := checkEncoder(cfg.Container.Encoder); err != nil {
					return err
				}
				fmt.Fprintln(c.ErrOrStderr(), "… starting; the first time, this machine is measured")
			}
			if err := waitForGenesis(c.Context(), cfg, c.ErrOrStderr()); err != nil {
				return err
			}
			log := logger(cfg.Log.Level, cfg.Log.Format, c.ErrOrStderr())
			n, err := node.New(cfg, node.Options{Log: log})
			if err != nil {
				return err
			}
			defer node.LimitMemory(cfg, log)()
			if err := n.Start(c.Context()); err != nil {
				return err
			}
			if asJSON {
				up := map[string]any{"peer": n.ID().String(), "addrs": n.Addrs(), "url": n.URL(), "pid": os.Getpid()}
				if a := n.LedgerAddress(); a != "" {
					up["ledger"] = a
				}
				err = printLine(c.OutOrStdout(), up)
			} else {
				fmt.Fprintf(c.OutOrStdout(), "peer %s on network %s\n", n.ID(), cfg.Network)
				for _, a := range n.Addrs() {
					fmt.Fprintf(c.OutOrStdout(), "  %s\n", a)
				}
				if a := n.LedgerAddress(); a != "" {
					fmt.Fprintf(c.OutOrStdout(), "ledger at %s, for ledger.peers of others\n", a)
				}
				if u := n.URL(); u != "" {
					fmt.Fprintf(c.OutOrStdout(), "player page at %s\n", u)
				}
			}
			if err == nil {
				select {
				case <-c.Context().Done():
				case err = <-n.Fatal():
				}
			}
			fmt.Fprintln(c.ErrOrStderr(), "… ending; Ctrl-C once more ends at once")
			stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			stop, cancelTime := context.WithTimeout(stop, stopTimeout)
			defer cancelTime()
			if e := n.Stop(stop); e != nil && err == nil {
				err = e
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&path, "config", defaultConfigPath, "the node's configuration")
	f.StringVar(&dataDir, "data-dir", "", "overrides data_dir of the file")
	f.BoolVar(&asJSON, "json", false, "print one JSON line when the node is up")
	return c
}

// soon is how long before the network begins a node starts: the engine waits the rest.
const soon = 2 * time.Second

// waitForGenesis waits until the network of a node that keeps the ledger is about to begin.
func waitForGenesis(ctx context.Context, cfg node.Config, errOut io.Writer) error {
	begins, err := cfg.LedgerBegins()
	if err != nil {
		return err
	}
	if begins.IsZero() || !begins.After(time.Now().Add(soon)) {
		return nil
	}
	fmt.Fprintf(errOut, "… the network %s begins at %s, in %s; waiting. If that time has passed, set this machine's clock\n",
		cfg.Network, begins.Local().Format(time.DateTime), time.Until(begins).Round(time.Second))
	select {
	case <-time.After(time.Until(begins) - soon):
		return nil
	case <-ctx.Done():
		return withHint(fmt.Errorf("the network %s has not begun", cfg.Network), "again at "+begins.Local().Format(time.DateTime))
	}
}
