//go:build !((linux || darwin || windows) && (amd64 || arm64))

package webgpu

import (
	"log/slog"

	"github.com/framemesh/framemesh/gpu/kernel"
)

// Open returns ErrNoDevice: this system's graphics drivers cannot be reached.
func Open(*slog.Logger) (kernel.Backend, error) { return nil, ErrNoDevice }

// Software returns false: there are no devices.
func Software(kernel.Backend) bool { return false }
