//go:build !cgo

package encode

import "fmt"

func openOpus(int) (Audio, error) {
	return nil, fmt.Errorf("%w for sound: Opus was left out because this binary was built without cgo: install gcc and g++ and build again with CGO_ENABLED=1", ErrNoEncoder)
}
