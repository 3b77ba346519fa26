package tx_test

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/tx"
)

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"transfer", "open a session", "close three"} {
		b.Run(name, func(b *testing.B) {
			e := find(b, name)
			raw, err := tx.Sign(chain, e.key, e.body)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tx.Decode(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	one := signed(b, find(b, "transfer"), nil)
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if err := one.Verify(chain); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remembered", func(b *testing.B) {
		v := tx.NewVerifier(chain, 10)
		for b.Loop() {
			if err := v.Verify(one); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("batch of 100, each", func(b *testing.B) {
		var all []*tx.Tx
		for i := range 100 {
			e := find(b, "transfer")
			e.key, e.body.GetTransfer().Amount = testKey(byte(i+1)), uint64(amount.FRM)
			all = append(all, signed(b, e, nil))
		}
		n := 0
		for b.Loop() {
			if n%len(all) == 0 {
				b.StopTimer()
				v := tx.NewVerifier(chain, len(all)) // remembers nothing yet
				b.StartTimer()
				for _, err := range v.VerifyAll(all) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			n++
		}
	})
	b.Run("evidence of a certificate by two", func(b *testing.B) {
		c := signed(b, find(b, "certificate"), nil)
		for b.Loop() {
			if err := c.VerifyEvidence(chain); err != nil {
				b.Fatal(err)
			}
		}
	})
}
