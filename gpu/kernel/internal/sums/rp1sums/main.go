// Command rp1sums writes the roots by which two builds of the kernel are compared; its
// argument is the file of vectors.
package main

import (
	"fmt"
	"os"

	"github.com/framemesh/framemesh/gpu/kernel/internal/sums"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: rp1sums rp-1.json")
		os.Exit(2)
	}
	b, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = sums.Write(os.Stdout, b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rp1sums:", err)
		os.Exit(1)
	}
}
