//go:build linux && cgo && (amd64 || arm64)

package webgpu

import _ "github.com/framemesh/framemesh/gpu/kernel/webgpu/internal/imports" // or the binary does not link
