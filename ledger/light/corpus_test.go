package light

import (
	"crypto/sha256"
)

func hashOfTx(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }

// sealed puts the right checksum under a file's bytes.
func sealed(raw []byte) []byte {
	if len(raw) < 32 {
		return raw
	}
	body := raw[: len(raw)-32 : len(raw)-32]
	sum := sha256.Sum256(body)
	return append(body, sum[:]...)
}
