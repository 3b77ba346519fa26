package main

import (
	"fmt"
	"strings"

	"github.com/framemesh/framemesh/gpu/encode"
)

// checkEncoder says at the start, rather than at the first session, that this binary
// has no encoder or none of that name ("" = any).
func checkEncoder(name string) error {
	var names []string
	for _, k := range encode.Encoders() {
		if name == "" || k.Name == name {
			return nil
		}
		names = append(names, k.Name)
	}
	if len(names) > 0 {
		return withHint(fmt.Errorf("no video encoder is called %q", name), "no name at all for the best that works, or one of "+strings.Join(names, ", "))
	}
	_, err := encode.Open(encode.Options{Width: 640, Height: 360, FPS: 60}) // its error says which is missing
	return withHint(err, "after that, `framemesh doctor` codes a picture with it")
}
