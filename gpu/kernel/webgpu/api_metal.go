//go:build darwin && (amd64 || arm64)

package webgpu

import (
	"github.com/gogpu/gputypes"
	_ "github.com/gogpu/wgpu/hal/metal" // the only way here to a card; no software stand-in
)

const apis = gputypes.BackendsMetal
