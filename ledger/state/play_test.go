package state

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

// testPrice makes a second cost as many base units as a dollar has.
const testPrice = 3600 * 1_000_000

const testRate = 1_000 // base units for a dollar, and so for a second

// playing adds two containers, an indexer and checkers to the network, each with an owner
// who has money, and a second oracle.
func playing(p *genesis.Plan) {
	add := func(name string, role economics.Role, stake uint64) {
		p.Accounts = append(p.Accounts, genesis.Account{Address: who(name + " owner").address(), Amount: 10_000 * frm})
		p.Nodes = append(p.Nodes, genesis.Node{
			Node: who(name).node(), Owner: who(name + " owner").address(), Roles: genesis.Roles(role), Region: "eu",
			Price: testPrice, Stake: stake, Delegate: true,
		})
	}
	add("c1", economics.RoleContainer, 2_000*frm)
	add("c2", economics.RoleContainer, 2_000*frm)
	add("i1", economics.RoleIndexer, 10_000*frm)
	for i := range 4 {
		add("k"+strconv.Itoa(i), economics.RoleChecker, 1_000*frm)
	}
	p.Accounts = append(p.Accounts, genesis.Account{Address: who("bob").address(), Amount: 1_000_000 * frm})
	p.Oracles = append(p.Oracles, who("oracle 2").address(), who("oracle 3").address())
}

func newPlay(tb testing.TB, change ...func(*genesis.Plan)) *bed {
	tb.Helper()
	return newBed(tb, append([]func(*genesis.Plan){playing}, change...)...)
}

// wrap puts an operation into a body.
func wrap(op any) *tx.Body {
	switch op := op.(type) {
	case *tx.OpenSession:
		return &tx.Body{Op: &tx.Body_Open{Open: op}}
	case *tx.TopUp:
		return &tx.Body{Op: &tx.Body_TopUp{TopUp: op}}
	case *tx.CloseSession:
		return &tx.Body{Op: &tx.Body_Close{Close: op}}
	case *tx.BatchClose:
		return &tx.Body{Op: &tx.Body_BatchClose{BatchClose: op}}
	case *tx.VoteCommit:
		return &tx.Body{Op: &tx.Body_VoteCommit{VoteCommit: op}}
	case *tx.VoteCertificate:
		return &tx.Body{Op: &tx.Body_Certificate{Certificate: op}}
	case *tx.FraudProof:
		return &tx.Body{Op: &tx.Body_Fraud{Fraud: op}}
	case *tx.DoubleVote:
		return &tx.Body{Op: &tx.Body_DoubleVote{DoubleVote: op}}
	}
	return body(op)
}

// send applies an operation by a signer for itself.
func (b *bed) send(signer identity, op any) error {
	b.tb.Helper()
	events, err := b.Apply(b.signed(signer, wrap(op)))
	b.seen = append(b.seen, events...)
	return err
}

// sendFor applies an operation by a node key for its owner.
func (b *bed) sendFor(owner, node identity, op any) error {
	b.tb.Helper()
	w := wrap(op)
	w.Account = owner.raw()
	events, err := b.Apply(b.signed(node, w))
	b.seen = append(b.seen, events...)
	return err
}

// sessionName is number n of a player's sessions.
func sessionName(player identity, n uint64) [tx.SessionSize]byte {
	return tx.SessionName(player.address(), [8]byte(binary.BigEndian.AppendUint64(nil, n)))
}

// quoted is a quote of an oracle at the time of the block.
func (b *bed) quoted(oracle string, rate uint64) []byte {
	b.tb.Helper()
	q, err := quote.Sign(chainName, who(oracle).private, rate, b.now)
	b.must(err)
	return q.Encode()
}

// order is a session of alice's with container c1 that can be opened now.
func (b *bed) order(n uint64, seconds uint32) *tx.OpenSession {
	b.tb.Helper()
	return b.orderOf(who("alice"), n, seconds)
}

func (b *bed) orderOf(player identity, n uint64, seconds uint32) *tx.OpenSession {
	b.tb.Helper()
	name := sessionName(player, n)
	return &tx.OpenSession{
		Container: who("c1").raw(), Session: name[:], PriceMicroUsdPerHour: testPrice,
		Quotes: [][]byte{b.quoted("oracle", testRate)}, PerSecond: testRate, Seconds: seconds,
	}
}

// promise is the player's voucher for seconds of play in the session that an order opened.
func promise(player identity, o *tx.OpenSession, seq uint64, seconds uint32) *tx.Voucher {
	return voucher.Sign(voucher.Terms{
		Chain: chainName, Container: key.Node(o.Container), Session: [16]byte(o.Session),
		Player: player.address(), PerSecond: o.PerSecond, Seconds: o.Seconds,
	}, player.private, seq, seconds).ForTx()
}

// promised is a voucher with any amount, signed for any chain.
func promised(chain string, player identity, o *tx.OpenSession, seq uint64, seconds uint32, paid uint64) *tx.Voucher {
	payload := voucher.Payload(key.Node(o.Container), [16]byte(o.Session), seq, seconds, paid)
	return &tx.Voucher{Seq: seq, Seconds: seconds, Paid: paid, Signature: key.Sign(player.private, chain, key.KindVoucher, payload)}
}

func closing(o *tx.OpenSession, v *tx.Voucher) *tx.CloseSession {
	return &tx.CloseSession{Container: o.Container, Session: o.Session, Voucher: v}
}

// open opens an order by alice.
func (b *bed) open(o *tx.OpenSession) *tx.OpenSession {
	b.tb.Helper()
	b.must(b.send(who("alice"), o))
	return o
}

func (b *bed) sessionOf(o *tx.OpenSession) (Session, bool) {
	b.tb.Helper()
	s, ok, err := ReadSession(b.Reader(), key.Node(o.Container), [16]byte(o.Session))
	b.must(err)
	return s, ok
}

// lots are what an account has vesting, by the epoch in which it is free.
func (b *bed) lots(i identity) map[uint64]uint64 {
	b.tb.Helper()
	out := map[uint64]uint64{}
	from := with(prefixVesting, i.raw())
	b.must(b.Reader().Range(from, prefixEnd(from), func(k, v []byte) bool {
		_, free, _, ok := ParseVestingKey(k)
		l, err := DecodeLot(v)
		if err != nil || !ok {
			b.tb.Fatal(err)
		}
		out[free] += l.Held
		return true
	}))
	return out
}

func sumOfLots(lots map[uint64]uint64) (sum uint64) {
	for _, v := range lots {
		sum += v
	}
	return sum
}

// records counts the records under a prefix.
func (b *bed) records(prefix string) (n int) {
	b.tb.Helper()
	b.must(b.Reader().Range([]byte(prefix), prefixEnd([]byte(prefix)), func(_, _ []byte) bool { n++; return true }))
	return n
}

// digest is the state that everybody must agree on: all records in order.
func (b *bed) digest() [32]byte {
	b.tb.Helper()
	h := sha256.New()
	b.must(b.store.Range(nil, nil, func(k, v []byte) bool {
		h.Write(u32(uint32(len(k))))
		h.Write(k)
		h.Write(u32(uint32(len(v))))
		h.Write(v)
		return true
	}))
	return [32]byte(h.Sum(nil))
}
