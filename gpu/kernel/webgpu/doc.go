// Package webgpu renders rp-1 on graphics cards: the kernel as a WGSL shader, run
// through Vulkan or Metal without a line of C.
//
// Nothing happens when the package is imported; Open loads the driver. Open never
// returns a device that computes anything but the kernel's bits, and there is no
// software stand-in: a machine without a driver gets ErrNoDevice.
package webgpu

import "errors"

// Errors of Open and Render.
var (
	ErrNoDevice = errors.New("webgpu: no graphics device that runs shaders; install its driver with Vulkan (for tests without a card: apt-get install mesa-vulkan-drivers)")
	ErrDriver   = errors.New("webgpu: the graphics driver failed")
)
