package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/gpu/encode"
	"github.com/framemesh/framemesh/node"
)

type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	CGO      bool   `json:"cgo"`
}

func currentVersion() versionInfo {
	v := versionInfo{Version: node.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if bi, ok := debug.ReadBuildInfo(); ok {
		for _, s := range bi.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "CGO_ENABLED":
				v.CGO = s.Value == "1"
			}
		}
	}
	return v
}

func (v versionInfo) shortRevision() string {
	if len(v.Revision) < 12 {
		return ""
	}
	return "-" + v.Revision[:12]
}

func (v versionInfo) without() string {
	if len(encode.Encoders()) > 0 {
		return ""
	}
	return ", without cgo: no encoders"
}

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Example: `  framemesh version
  framemesh version --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := currentVersion()
			if asJSON {
				return printJSON(c.OutOrStdout(), v)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "framemesh %s%s (%s, %s%s)\n", v.Version, v.shortRevision(), v.Platform, v.Go, v.without())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
