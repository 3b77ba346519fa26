package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/gpu/app/module"
	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/node"
)

func appsCommand() *cobra.Command {
	var dataDir string
	c := group(&cobra.Command{
		Use:   "apps",
		Short: "List, add and remove the apps that this machine offers",
		Example: `  framemesh apps list
  framemesh apps add game.wasm --manifest app.toml
  framemesh apps remove my-game`,
	})
	c.PersistentFlags().StringVar(&dataDir, "data-dir", "", "the node's data directory (default ~/.framemesh)")
	open := func() (*store.Store, error) {
		cfg := node.DefaultConfig()
		if dataDir != "" {
			cfg.DataDir = dataDir
		}
		dir, err := cfg.Dir()
		if err != nil {
			return nil, err
		}
		return node.OpenStore(dir, true)
	}
	c.AddCommand(appsList(open), appsAdd(open), appsRemove(open))
	return c
}

type appRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Title   string `json:"title"`
	Author  string `json:"author"`
	License string `json:"license"`
	Size    int64  `json:"size"`
	Builtin bool   `json:"builtin"`
}

func rowOf(a store.App) appRow {
	return appRow{a.ID(), a.Manifest.Name, a.Manifest.Title, a.Manifest.Author, a.Manifest.License, a.Size, a.Builtin}
}

func appsList(open func() (*store.Store, error)) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the installed apps",
		Example: "  framemesh apps list --json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := open()
			if err != nil {
				return err
			}
			list, problems := st.List()
			if asJSON {
				out := struct {
					Apps     []appRow `json:"apps"`
					Problems []string `json:"problems"`
				}{[]appRow{}, []string{}}
				for _, a := range list {
					out.Apps = append(out.Apps, rowOf(a))
				}
				for _, p := range problems {
					out.Problems = append(out.Problems, p.Error())
				}
				return printJSON(c.OutOrStdout(), out)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tTITLE\tSIZE\tLICENCE\tFROM\tSHA-256")
			for _, a := range list {
				from := "added"
				if a.Builtin {
					from = "built in"
				}
				fmt.Fprintf(t, "%s\t%s\t%d KiB\t%s\t%s\t%s…\n", a.Manifest.Name, a.Manifest.Title, (a.Size+1023)/1024, a.Manifest.License, from, a.ID()[:12])
			}
			if err := t.Flush(); err != nil {
				return err
			}
			for _, p := range problems {
				fmt.Fprintf(c.ErrOrStderr(), "cannot be used: %v\n", p)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func appsAdd(open func() (*store.Store, error)) *cobra.Command {
	var manifest, picture, name, title string
	var asJSON bool
	c := &cobra.Command{
		Use:   "add MODULE.wasm",
		Short: "Add an app: checked, tried for two seconds, stored by its SHA-256",
		Example: `  framemesh apps add game.wasm --manifest app.toml
  framemesh apps add cart.wasm --name my-cart --title "My cart"`,
		Args: oneArg("MODULE.wasm"),
		RunE: func(c *cobra.Command, args []string) error {
			st, err := open()
			if err != nil {
				return err
			}
			if manifest != "" && (name != "" || title != "") {
				return withHint(errors.New("--manifest already says name and title"), "the manifest alone, or --name and --title alone")
			}
			code, err := readLimited(args[0], module.MaxSize)
			if err != nil {
				return err
			}
			m := store.Manifest{Name: name, Title: title}
			if manifest != "" {
				b, err := readLimited(manifest, store.MaxManifest)
				if err != nil {
					return err
				}
				if m, err = store.ParseManifest(b); err != nil {
					return err
				}
			} else {
				if m.Name == "" {
					m.Name = shortName(args[0])
				}
				if !store.ValidName(m.Name) {
					return withHint(fmt.Errorf("%q is no short name", m.Name), fmt.Sprintf("--name with 1 to %d of a-z, 0-9 and -", store.MaxName))
				}
				if m.Title == "" {
					m.Title = m.Name
				}
			}
			var pic []byte
			if picture != "" {
				if pic, err = readLimited(picture, store.MaxPicture); err != nil {
					return err
				}
			}
			fmt.Fprintln(c.ErrOrStderr(), "… trying it for two seconds of its own time")
			a, info, err := node.AddApp(c.Context(), st, code, m, pic)
			if err != nil {
				return withHint(err, "docs/spec/app-abi.md says what a module must be; docs/guides/write-a-game.md how to build one")
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), rowOf(a))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "added %s (%s, %d×%d, %d pictures a second, %s)\n  %s\nA running node offers it after its next start.\n",
				a.Manifest.Name, info.ABI, info.Width, info.Height, info.FPS, players(info.Seats), a.ID())
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&manifest, "manifest", "", "app.toml with name, title, description, author, license, controls")
	f.StringVar(&picture, "picture", "", "PNG for the catalogue (default: taken while trying)")
	f.StringVar(&name, "name", "", "short name without a manifest (default: the file's name)")
	f.StringVar(&title, "title", "", "title without a manifest")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func appsRemove(open func() (*store.Store, error)) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove an added app by its name or the beginning of its SHA-256",
		Example: "  framemesh apps remove my-game",
		Args:    oneArg("NAME"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return addedApps(open, args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			st, err := open()
			if err != nil {
				return err
			}
			a, err := st.Get(args[0])
			switch {
			case errors.Is(err, store.ErrNotFound):
				return withHint(fmt.Errorf("no app here is called %q or begins so", args[0]), "`framemesh apps list` shows what there is; --data-dir names another place")
			case err != nil:
				return err
			case a.Builtin:
				return withHint(fmt.Errorf("%s is part of the program and cannot be removed", a.Manifest.Name), "container.builtin_apps = false in framemesh.toml to offer none of the built-in games")
			}
			if err := st.Remove(a.ID()); err != nil {
				return withHint(err, "a data directory that you may write to, with --data-dir")
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), rowOf(a))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "removed %s\n  %s\n", a.Manifest.Name, a.ID())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// addedApps completes the argument of remove.
func addedApps(open func() (*store.Store, error), args []string) []string {
	st, err := open()
	if err != nil || len(args) > 0 {
		return nil
	}
	var names []string
	list, _ := st.List()
	for _, a := range list {
		if !a.Builtin {
			names = append(names, cobra.CompletionWithDesc(a.Manifest.Name, a.Manifest.Title))
		}
	}
	return names
}

// shortName makes an app's short name of its file's.
func shortName(path string) string {
	s := strings.ToLower(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	s = strings.Trim(notInNames.ReplaceAllString(s, "-"), "-")
	return s[:min(len(s), store.MaxName)]
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

func players(seats int) string {
	if seats == 1 {
		return "1 player"
	}
	return fmt.Sprintf("up to %d players", seats)
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withHint(err, "check the path")
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, withHint(fmt.Errorf("%s is a folder", path), "the file in it")
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, withHint(err, "another copy of the file")
	}
	if len(b) > limit {
		return nil, withHint(fmt.Errorf("%s is larger than %d KiB", path, limit>>10), "another file")
	}
	return b, nil
}
