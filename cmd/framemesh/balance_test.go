package main

import (
	"bytes"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
)

// A node that earns has a lot for each round: people see the sum and the next ones.
func TestManyLotsAreSummed(t *testing.T) {
	b := balance{}
	for e := range uint64(40) {
		free := units(0)
		if e < 10 {
			free = units(amount.FRM)
		}
		b.Vesting = append(b.Vesting, lotRow{Held: units(amount.FRM), Free: free, From: e, Complete: e})
	}
	show := func() string {
		var out bytes.Buffer
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		b.printVesting(w)
		w.Flush()
		return out.String()
	}
	text := show()
	if n := strings.Count(text, "\n"); n != 7 || !strings.Contains(text, "vesting  30 FRM in 30 lots, all of it free in epoch 39") || !strings.Contains(text, "free in epoch 10\n") ||
		strings.Contains(text, "free in epoch 9\n") || !strings.Contains(text, "and 25 more; --lots") {
		t.Errorf("%d lines:\n%s", n, text)
	}
	b.allLots = true
	if text = show(); strings.Count(text, "\n") != 31 || strings.Contains(text, "more") {
		t.Errorf("all of them:\n%s", text)
	}
	b.allLots, b.Vesting = false, b.Vesting[39:]
	if text = show(); text != "vesting  1 FRM, free in epoch 39\n" {
		t.Errorf("one: %q", text)
	}
	if b.Vesting[0].Free = b.Vesting[0].Held; show() != "" {
		t.Errorf("what can be claimed is still vesting: %q", show())
	}
}

// Every command says how it is used, and all but those that only write a file or a script tell
// programs, too.
func TestEveryCommandHasAnExampleAndJSON(t *testing.T) {
	root := newRoot()
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, s := range c.Commands() {
			walk(s)
		}
		if c.Hidden {
			return
		}
		seen++
		if c.Short == "" || c.Example == "" {
			t.Errorf("`%s` has no example", c.CommandPath())
		}
		if !c.HasSubCommands() && c != root && c.Name() != "init" && c.Flag("json") == nil {
			t.Errorf("`%s` has no --json", c.CommandPath())
		}
	}
	walk(root)
	if seen < 30 {
		t.Errorf("%d commands seen", seen)
	}
}
