package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	guideBlock   = regexp.MustCompile("(?s)```sh\n.*?```")
	guideCommand = regexp.MustCompile("(?m)^framemesh ([a-z][a-z -]*)")
	guideQuoted  = regexp.MustCompile("`framemesh ([a-z][a-z -]*)")
)

// What the guides tell people to type exists, and each command of the ledger is told of.
func TestGuidesNameCommandsThatExist(t *testing.T) {
	paths, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d guides, %v", len(paths), err)
	}
	var all strings.Builder
	root := newRoot()
	root.InitDefaultCompletionCmd()
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
		found := guideQuoted.FindAllStringSubmatch(string(b), -1)
		for _, block := range guideBlock.FindAllString(string(b), -1) {
			found = append(found, guideCommand.FindAllStringSubmatch(block, -1)...)
		}
		for _, m := range found {
			words := strings.Fields(m[1])
			if words[0] == "worker" {
				continue // a process, which nobody types
			}
			c := root
			for _, w := range words {
				if !c.HasSubCommands() {
					break
				}
				next, _, err := c.Find([]string{w})
				if err != nil || next == c {
					t.Errorf("%s: `%s` has no command %q", filepath.Base(p), c.CommandPath(), w)
					break
				}
				c = next
			}
		}
	}
	text := all.String()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, s := range c.Commands() {
			walk(s)
		}
		path := strings.TrimPrefix(c.CommandPath(), "framemesh ")
		if c.Runnable() && !c.HasSubCommands() && !c.Hidden && !strings.HasPrefix(path, "completion") && path != "version" && !strings.Contains(text, "`"+path) && !strings.Contains(text, "framemesh "+path) {
			t.Errorf("no guide tells of `framemesh %s`", path)
		}
	}
	walk(root)
}
