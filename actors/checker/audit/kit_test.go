package audit_test

import (
	"crypto/sha256"
	"os"
	"testing"
)

// cart is a WASM-4 game of a few hundred bytes, which compiles in no time.
func cart(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../gpu/app/testdata/ball.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sha(code []byte) [32]byte { return sha256.Sum256(code) }
