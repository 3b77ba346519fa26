//go:build !cgo

package encode

import (
	"errors"
	"strings"
	"testing"
)

func TestABuildWithoutEncodersSaysWhatToInstall(t *testing.T) {
	_, err := Open(Options{Width: 640, Height: 360, FPS: 60})
	if !errors.Is(err, ErrNoEncoder) || !strings.Contains(err.Error(), "install gcc and g++") {
		t.Error(err)
	}
	if _, err := OpenAudio(0); !errors.Is(err, ErrNoEncoder) || !strings.Contains(err.Error(), "gcc") {
		t.Error(err)
	}
	if len(Encoders()) != 0 {
		t.Error(Encoders())
	}
}
