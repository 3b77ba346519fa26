package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/node"
)

func appsCommand() *cobra.Command {
	var dataDir string
	c := &cobra.Command{
		Use:   "apps",
		Short: "List, add and remove the apps that this machine offers",
		Example: `  framemesh apps list
  framemesh apps add game.wasm --manifest app.toml
  framemesh apps remove my-game`,
	}
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
		Args:    cobra.NoArgs,
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
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			st, err := open()
			if err != nil {
				return err
			}
			code, err := readLimited(args[0], 64<<20)
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
					m.Name = strings.ToLower(strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0])))
				}
				if m.Title == "" {
					m.Title = m.Name
				}
			}
			var pic []byte
			if picture != "" {
				if pic, err = readLimited(picture, 1<<20); err != nil {
					return err
				}
			}
			fmt.Fprintln(c.ErrOrStderr(), "… trying it for two seconds of its own time")
			a, info, err := node.AddApp(c.Context(), st, code, m, pic)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), rowOf(a))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "added %s (%s, %d×%d, %d pictures a second, %d players)\n  %s\nA running node offers it after its next start.\n",
				a.Manifest.Name, info.ABI, info.Width, info.Height, info.FPS, info.Seats, a.ID())
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
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove an added app by its name or the beginning of its SHA-256",
		Example: "  framemesh apps remove my-game",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			st, err := open()
			if err != nil {
				return err
			}
			if err := st.Remove(args[0]); err != nil {
				return withHint(err, "`framemesh apps list` shows what there is")
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "removed %s\n", args[0])
			return err
		},
	}
}

// readLimited reads a file that must not be larger than limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, withHint(err, "check the path")
	}
	if st.IsDir() || st.Size() > limit {
		return nil, withHint(fmt.Errorf("%s is a folder or larger than %d bytes", path, limit), "another file")
	}
	return os.ReadFile(path)
}
