package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// hint is an error with what to try next.
type hint struct {
	error
	try string
}

func (h hint) Unwrap() error { return h.error }

// withHint adds what to try to an error that does not say it itself.
func withHint(err error, try string) error {
	if err == nil {
		return nil
	}
	return hint{err, try}
}

// errFailed ends a command with status 1 when it has already said why.
var errFailed = errors.New("failed")

// interrupted is the status of a command that Ctrl-C ended before it was done, as of other programs.
const interrupted = 130

// run executes one command line and returns the process's exit status.
func run(args []string, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first Ctrl-C ends in order, the second at once
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return 1
	}
	var h hint
	told := errors.As(err, &h)
	if errors.Is(err, errInterrupted) || ctx.Err() != nil && errors.Is(err, context.Canceled) && !told {
		fmt.Fprintln(errOut, "framemesh: interrupted")
		return interrupted
	}
	fmt.Fprintf(errOut, "framemesh: %v\n", err)
	if told {
		fmt.Fprintf(errOut, "  try: %s\n", h.try)
	}
	var own exit
	if errors.As(err, &own) {
		return own.status
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "framemesh",
		Short: "Play games that strangers' machines render, or let yours render for others",
		Long: `framemesh is a peer-to-peer mesh that renders games on other people's machines and
plays them in a browser. Start with the demo: a whole mesh of real peers on this
machine and a page to play on.`,
		Example: `  framemesh demo                 a mesh on this machine, and a URL to play at
  framemesh init                 write framemesh.toml
  framemesh run                  join a network with it
  framemesh doctor               what can this machine do?`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.Args = func(c *cobra.Command, args []string) error { return unknownCommand(c, args) }
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if negative.MatchString(err.Error()) { // an amount, and no option
			return withHint(err, "an amount above 0, such as 12.5: nothing here takes less than nothing")
		}
		return withHint(err, fmt.Sprintf("`%s --help` lists its options", c.CommandPath()))
	})
	root.AddCommand(demoCommand(), initCommand(), runCommand(), appsCommand(), walletCommand(), registerCommand(), stakeCommand(), unstakeCommand(),
		delegateCommand(), revokeCommand(), claimCommand(), retireCommand(), sessionCommand(), ledgerCommand(), matchCommand(), whyCommand(), proofCommand(), appealCommand(), benchCommand(), doctorCommand(), versionCommand())
	return root
}

// negative is how a number below zero is refused, which looks like an option.
var negative = regexp.MustCompile(`^unknown shorthand flag: '[0-9.]' in `)

// group makes c a command that only holds others.
func group(c *cobra.Command) *cobra.Command {
	c.Args = unknownCommand
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// unknownCommand refuses whatever is no command of c, with those that look like it.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	try := fmt.Sprintf("`%s --help` lists the commands", c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if like := c.SuggestionsFor(args[0]); len(like) > 0 {
		try = fmt.Sprintf("`%s %s`; %s", c.CommandPath(), like[0], try)
	}
	return withHint(fmt.Errorf("%s has no command %q", c.CommandPath(), args[0]), try)
}

// noArgs refuses arguments where there are only options.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return withHint(fmt.Errorf("%s takes options only, not %q", c.CommandPath(), args[0]), fmt.Sprintf("`%s --help` lists them", c.CommandPath()))
}

// oneArg wants exactly one argument, called what in the help.
func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return withHint(fmt.Errorf("%s is missing", what), fmt.Sprintf("`%s %s`", c.CommandPath(), what))
		}
		return withHint(fmt.Errorf("%s takes one %s, not %d", c.CommandPath(), what, len(args)), "one call for each; quote a name that has spaces")
	}
}

// logLevels are what --log takes.
var logLevels = []string{"debug", "info", "warn", "error"}

// checkLogLevel refuses what is none of logLevels.
func checkLogLevel(l string) error {
	if slices.Contains(logLevels, l) {
		return nil
	}
	return withHint(fmt.Errorf("--log %q is no level", l), "one of "+strings.Join(logLevels, ", "))
}

// printJSON writes one indented JSON object.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLine writes one JSON object on one line.
func printLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// logger builds the process's logger on stderr; the level was checked before.
func logger(level, format string, w io.Writer) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
