//go:build (linux || windows) && (amd64 || arm64)

package webgpu

import (
	"github.com/gogpu/gputypes"
	_ "github.com/gogpu/wgpu/hal/vulkan" // the only way here to a card; no software stand-in
)

const apis = gputypes.BackendsVulkan
