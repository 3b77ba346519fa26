package state

import (
	"math/rand/v2"
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Ten thousand sessions, ended in every way there is, leave the supply whole, each purse
// with what adds up, and nothing behind but the names that are remembered for a while.
func TestTenThousandSessions(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand sessions take some seconds")
	}
	const sessions = 10_000
	b := newPlay(t, func(p *genesis.Plan) { p.Params.MaxDuePerBlock = 1_000 })
	random := rand.New(rand.NewPCG(1, 2))
	alice, c1, i1 := who("alice"), who("c1"), who("i1")
	keys := map[string]identity{"alice": alice, "c1": c1, "c1 owner": who("c1 owner")}
	nonces := map[string]uint64{}
	apply := func(name string, account string, op any) {
		t.Helper()
		w := wrap(op)
		if account != "" {
			w.Account = keys[account].raw()
		}
		w.Nonce = nonces[name]
		nonces[name]++
		raw, err := tx.Sign(chainName, keys[name].private, w)
		b.must(err)
		decoded, err := tx.Decode(raw)
		b.must(err)
		_, err = b.Apply(decoded)
		b.must(err)
	}

	start := b.balance(alice)
	var gross, fees uint64
	batch := &tx.BatchClose{}
	quotes := [][]byte{b.quoted("oracle", testRate)}
	txs := uint64(0)
	for n := range uint64(sessions) {
		if n%500 == 499 {
			b.next(1000)
			quotes = [][]byte{b.quoted("oracle", testRate)}
		}
		name := sessionName(alice, n)
		o := &tx.OpenSession{
			Container: c1.raw(), Session: name[:], PriceMicroUsdPerHour: testPrice, Quotes: quotes,
			PerSecond: testRate, Seconds: 1 + random.Uint32N(100),
		}
		if n%3 == 0 {
			o.Indexer = i1.raw()
		}
		apply("alice", "", o)
		txs++
		played := 1 + random.Uint32N(o.Seconds)
		paid := uint64(played)*testRate - random.Uint64N(testRate)
		settled := true
		switch v := promised(chainName, alice, o, uint64(played), played, paid); n % 5 {
		case 0: // the container closes
			apply("c1", "c1 owner", closing(o, v))
		case 1: // the container closes many at once
			batch.Sessions = append(batch.Sessions, closing(o, v))
		case 2: // the player closes, nobody answers
			apply("alice", "", closing(o, v))
			txs++
		case 3: // the player closes with less than the container knows
			apply("alice", "", closing(o, nil))
			txs++
			apply("c1", "c1 owner", closing(o, v))
		case 4: // both vanish
			settled = false
		}
		if len(batch.Sessions) == tx.MaxBatch {
			apply("c1", "c1 owner", batch)
			batch = &tx.BatchClose{}
		}
		if settled {
			gross += paid
			fees += paid * 2_000 / 10_000
		}
	}
	if len(batch.Sessions) > 0 {
		apply("c1", "c1 owner", batch)
	}
	b.next(110 * 10_000) // all windows and expiries pass
	for range 10 {
		b.next(1000)
	}
	after := b.Supply()
	if after.Escrow != 0 || b.records(prefixSession) != 0 {
		t.Fatalf("%d locked in %d sessions", after.Escrow, b.records(prefixSession))
	}
	if got := start - b.balance(alice); got != gross+txs*b.Params().TxFee {
		t.Errorf("alice paid %d, want %d", got, gross+txs*b.Params().TxFee)
	}
	if got := sumOfLots(b.lots(who("c1 owner"))); got < gross-fees {
		t.Errorf("the container vests %d, want at least %d", got, gross-fees)
	}
	if n := b.records(prefixUsed); n != sessions {
		t.Errorf("%d names are remembered", n)
	}
	if n := b.records(prefixVesting + string(who("c1 owner").raw())); n > 80 {
		t.Errorf("%d lots of one account", n)
	}
	b.next((MemoryEpochs + 10) * 10_000)
	for range 12 {
		b.next(1000)
	}
	for _, prefix := range []string{prefixUsed, prefixSession, prefixDue, prefixWeight, prefixWeightSum, prefixPayout, prefixVote} {
		if n := b.records(prefix); n != 0 {
			t.Errorf("%d records left under %s", n, prefix)
		}
	}
	b.end()
}
