package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/node"
)

const defaultConfigPath = "framemesh.toml"

func initCommand() *cobra.Command {
	var path string
	var show bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a commented framemesh.toml",
		Example: `  framemesh init                          ./framemesh.toml
  framemesh init --config ~/edge-1.toml
  framemesh init --print                  only show it`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if show {
				_, err := c.OutOrStdout().Write(node.ReferenceConfig)
				return err
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return withHint(fmt.Errorf("%s is already there and stays as it is", path), "another name with --config, or `framemesh init --print` to compare")
			}
			if err != nil {
				return withHint(err, "a folder that exists and that you may write to, with --config")
			}
			if _, err := f.Write(node.ReferenceConfig); err != nil {
				f.Close()
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s\nnext: read it, then `framemesh run --config %s`\n", path, path)
			return err
		},
	}
	c.Flags().StringVar(&path, "config", defaultConfigPath, "where to write it")
	c.Flags().BoolVar(&show, "print", false, "print it instead of writing a file")
	return c
}
