//go:build !unix

package main

import "os"

// crashSignal is nil: there is no such signal here.
func crashSignal() os.Signal { return nil }
