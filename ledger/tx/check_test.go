package tx_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/tx"
)

// find is a fresh copy of an example.
func find(t testing.TB, name string) example {
	t.Helper()
	for _, e := range everyOperation(t) {
		if e.name == name {
			e.body = proto.CloneOf(e.body)
			return e
		}
	}
	t.Fatalf("no example %q", name)
	return example{}
}

func TestFieldsOutOfRangeAreRefused(t *testing.T) {
	huge := uint64(amount.Supply) + 1
	cases := []struct {
		example, what string
		spoil         func(*tx.Body)
		want          error
	}{
		{"transfer", "no receiver", func(b *tx.Body) { b.GetTransfer().To = nil }, tx.ErrField},
		{"transfer", "receiver of 31 bytes", func(b *tx.Body) { b.GetTransfer().To = fill(1, 31) }, tx.ErrField},
		{"transfer", "receiver of 33 bytes", func(b *tx.Body) { b.GetTransfer().To = fill(1, 33) }, tx.ErrField},
		{"transfer", "nothing", func(b *tx.Body) { b.GetTransfer().Amount = 0 }, tx.ErrField},
		{"transfer", "more than there is", func(b *tx.Body) { b.GetTransfer().Amount = huge }, tx.ErrField},
		{"transfer", "a long memo", func(b *tx.Body) { b.GetTransfer().Memo = strings.Repeat("é", 65) }, tx.ErrField},
		{"transfer", "a memo of two lines", func(b *tx.Body) { b.GetTransfer().Memo = "a\nb" }, tx.ErrField},
		{"transfer", "a memo with an escape", func(b *tx.Body) { b.GetTransfer().Memo = "\x1b[2J" }, tx.ErrField},
		{"transfer", "a memo with a C1 control", func(b *tx.Body) { b.GetTransfer().Memo = "\u009b2J" }, tx.ErrField},
		{"transfer", "a memo from right to left", func(b *tx.Body) { b.GetTransfer().Memo = "\u202eabc" }, tx.ErrField},
		{"transfer", "an account of 31 bytes", func(b *tx.Body) { b.Account = fill(1, 31) }, tx.ErrField},
		{"transfer", "the signer as account", func(b *tx.Body) { b.Account = pub(alice) }, tx.ErrField},
		{"transfer", "no operation", func(b *tx.Body) { b.Op = nil }, tx.ErrOperation},

		{"register a validator", "no node", func(b *tx.Body) { b.GetRegister().Node = nil }, tx.ErrField},
		{"register a validator", "no role", func(b *tx.Body) { b.GetRegister().Roles = 0 }, tx.ErrField},
		{"register a validator", "an unknown role", func(b *tx.Body) { b.GetRegister().Roles = 8 }, tx.ErrField},
		{"register a validator", "keys without the checker's role", func(b *tx.Body) { b.GetRegister().Roles = 3 }, tx.ErrField},
		{"register a validator", "a VRF key alone", func(b *tx.Body) { b.GetRegister().ConsensusKey = nil }, tx.ErrField},
		{"register a validator", "a consensus key alone", func(b *tx.Body) { b.GetRegister().VrfKey = nil }, tx.ErrField},
		{"register a validator", "a short VRF key", func(b *tx.Body) { b.GetRegister().VrfKey = fill(1, 31) }, tx.ErrField},
		{"register a validator", "one key for both", func(b *tx.Body) { b.GetRegister().VrfKey = b.GetRegister().ConsensusKey }, tx.ErrField},
		{"register a validator", "a proof of one key only", func(b *tx.Body) { b.GetRegister().VrfProof = nil }, tx.ErrField},
		{"register a validator", "a signature of one key only", func(b *tx.Body) { b.GetRegister().ConsensusSignature = nil }, tx.ErrField},
		{"register a validator", "a short proof", func(b *tx.Body) { b.GetRegister().VrfProof = fill(1, 79) }, tx.ErrField},
		{"a node updates itself", "proofs of no keys", func(b *tx.Body) {
			b.GetRegister().ConsensusSignature, b.GetRegister().VrfProof = fill(1, 64), fill(1, 80)
		}, tx.ErrField},
		{"register a validator", "an unknown class", func(b *tx.Body) { b.GetRegister().HardwareClass = 2 }, tx.ErrField},
		{"register a validator", "a region in capitals", func(b *tx.Body) { b.GetRegister().Region = "EU" }, tx.ErrField},
		{"register a validator", "a region like a flag", func(b *tx.Body) { b.GetRegister().Region = "-eu" }, tx.ErrField},
		{"register a validator", "a long region", func(b *tx.Body) { b.GetRegister().Region = strings.Repeat("a", 33) }, tx.ErrField},
		{"register a validator", "a price beyond all", func(b *tx.Body) { b.GetRegister().PriceMicroUsdPerHour = tx.MaxPrice + 1 }, tx.ErrField},
		{"register a validator", "no consent", func(b *tx.Body) { b.GetRegister().NodeSignature = nil }, tx.ErrField},
		{"a node updates itself", "needless consent", func(b *tx.Body) { b.GetRegister().NodeSignature = fill(1, 64) }, tx.ErrField},

		{"retire", "no node", func(b *tx.Body) { b.GetRetire().Node = nil }, tx.ErrField},
		{"retire", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},
		{"delegate", "no node", func(b *tx.Body) { b.GetDelegate().Node = nil }, tx.ErrField},
		{"delegate", "more than all of the reward", func(b *tx.Body) { b.GetDelegate().CutPpm = 1_000_001 }, tx.ErrField},
		{"delegate", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},
		{"revoke", "no node", func(b *tx.Body) { b.GetRevoke().Node = nil }, tx.ErrField},
		{"revoke", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},
		{"stake", "nothing", func(b *tx.Body) { b.GetStake().Amount = 0 }, tx.ErrField},
		{"stake", "more than there is", func(b *tx.Body) { b.GetStake().Amount = huge }, tx.ErrField},
		{"stake", "no node", func(b *tx.Body) { b.GetStake().Node = nil }, tx.ErrField},
		{"stake", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},
		{"unbond", "nothing", func(b *tx.Body) { b.GetUnbond().Amount = 0 }, tx.ErrField},
		{"unbond", "no node", func(b *tx.Body) { b.GetUnbond().Node = fill(1, 16) }, tx.ErrField},
		{"unbond", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},
		{"transfer", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},

		{"open a session", "by a delegate", func(b *tx.Body) { b.Account = pub(alice) }, tx.ErrDelegate},
		{"open a session", "no container", func(b *tx.Body) { b.GetOpen().Container = nil }, tx.ErrField},
		{"open a session", "a session of 15 bytes", func(b *tx.Body) { b.GetOpen().Session = fill(1, 15) }, tx.ErrField},
		{"open a session", "no price", func(b *tx.Body) { b.GetOpen().PriceMicroUsdPerHour = 0 }, tx.ErrField},
		{"open a session", "a price beyond all", func(b *tx.Body) { b.GetOpen().PriceMicroUsdPerHour = tx.MaxPrice + 1 }, tx.ErrField},
		{"open a session", "no quotes", func(b *tx.Body) { b.GetOpen().Quotes = nil }, tx.ErrField},
		{"open a session", "ten quotes", func(b *tx.Body) {
			b.GetOpen().Quotes = slices.Repeat([][]byte{b.GetOpen().GetQuotes()[0]}, 10)
		}, tx.ErrField},
		{"open a session", "an empty quote", func(b *tx.Body) { b.GetOpen().Quotes[1] = nil }, tx.ErrField},
		{"open a session", "a quote of zero", func(b *tx.Body) { copy(b.GetOpen().GetQuotes()[1][32:40], make([]byte, 8)) }, tx.ErrField},
		{"open a session", "two quotes of one oracle", func(b *tx.Body) { b.GetOpen().Quotes[2] = b.GetOpen().GetQuotes()[0] }, tx.ErrField},
		{"open a session", "a second for nothing", func(b *tx.Body) { b.GetOpen().PerSecond = 0 }, tx.ErrField},
		{"open a session", "no seconds", func(b *tx.Body) { b.GetOpen().Seconds = 0 }, tx.ErrField},
		{"open a session", "more than there is", func(b *tx.Body) { b.GetOpen().PerSecond = uint64(amount.Supply)/3_600 + 1 }, tx.ErrField},
		{"open a session", "more than 64 bits", func(b *tx.Body) { b.GetOpen().PerSecond, b.GetOpen().Seconds = 1<<63, 1<<31 }, tx.ErrField},
		{"open a session", "a certificate of nobody", func(b *tx.Body) { b.GetOpen().Indexer = nil }, tx.ErrField},
		{"open a session", "a short certificate", func(b *tx.Body) { b.GetOpen().Certificate = fill(1, 31) }, tx.ErrField},
		{"top up", "nothing", func(b *tx.Body) { b.GetTopUp().Seconds = 0 }, tx.ErrField},
		{"top up", "no session", func(b *tx.Body) { b.GetTopUp().Session = nil }, tx.ErrField},
		{"top up", "by a delegate", func(b *tx.Body) { b.Account = pub(alice) }, tx.ErrDelegate},

		{"the container closes", "no container", func(b *tx.Body) { b.GetClose().Container = nil }, tx.ErrField},
		{"the container closes", "voucher number 0", func(b *tx.Body) { b.GetClose().GetVoucher().Seq = 0 }, tx.ErrField},
		{"the container closes", "voucher for no second", func(b *tx.Body) { b.GetClose().GetVoucher().Seconds = 0 }, tx.ErrField},
		{"the container closes", "voucher for nothing", func(b *tx.Body) { b.GetClose().GetVoucher().Paid = 0 }, tx.ErrField},
		{"the container closes", "voucher for more than there is", func(b *tx.Body) { b.GetClose().GetVoucher().Paid = huge }, tx.ErrField},
		{"the container closes", "voucher unsigned", func(b *tx.Body) { b.GetClose().GetVoucher().Signature = nil }, tx.ErrField},
		{"close three", "none", func(b *tx.Body) { b.GetBatchClose().Sessions = nil }, tx.ErrField},
		{"close three", "one twice", func(b *tx.Body) {
			s := b.GetBatchClose().GetSessions()
			s[2].Session = s[0].GetSession()
		}, tx.ErrField},
		{"close three", "two containers", func(b *tx.Body) { b.GetBatchClose().GetSessions()[2].Container = fill(1, 32) }, tx.ErrField},
		{"close three", "one without a name", func(b *tx.Body) { b.GetBatchClose().GetSessions()[1].Session = nil }, tx.ErrField},
		{"close three", "101", func(b *tx.Body) {
			first := b.GetBatchClose().GetSessions()[1]
			var all []*tx.CloseSession
			for i := range tx.MaxBatch + 1 {
				s := proto.CloneOf(first)
				s.Session[0] = byte(i)
				all = append(all, s)
			}
			b.GetBatchClose().Sessions = all
		}, tx.ErrField},

		{"commit to a vote", "no digest", func(b *tx.Body) { b.GetVoteCommit().Digest = nil }, tx.ErrField},
		{"certificate", "no result", func(b *tx.Body) { b.GetCertificate().Result = nil }, tx.ErrField},
		{"certificate", "a long result", func(b *tx.Body) { b.GetCertificate().Result = fill(1, tx.MaxResult+1) }, tx.ErrField},
		{"certificate", "nobody attests", func(b *tx.Body) { b.GetCertificate().Signers, b.GetCertificate().Signatures = 0, nil }, tx.ErrField},
		{"certificate", "23 attest", func(b *tx.Body) {
			b.GetCertificate().Signers, b.GetCertificate().Signatures = 1<<23-1, fill(1, 23*64)
		}, tx.ErrField},
		{"certificate", "place 43", func(b *tx.Body) { b.GetCertificate().Signers = 1 | 1<<tx.MaxMembers }, tx.ErrField},
		{"certificate", "a signature more than places", func(b *tx.Body) { b.GetCertificate().Signers = 8 }, tx.ErrField},
		{"certificate", "a signature less than places", func(b *tx.Body) { b.GetCertificate().Signers = 7 }, tx.ErrField},
		{"certificate", "half a signature", func(b *tx.Body) {
			b.GetCertificate().Signatures = b.GetCertificate().GetSignatures()[:96]
		}, tx.ErrField},
		{"certificate", "unsigned", func(b *tx.Body) { b.GetCertificate().Signatures = nil }, tx.ErrField},
		{"fraud proof", "kind 0", func(b *tx.Body) { b.GetFraud().Kind = 0 }, tx.ErrField},
		{"fraud proof", "kind 9", func(b *tx.Body) { b.GetFraud().Kind = tx.FraudVotes + 1 }, tx.ErrField},
		{"fraud proof", "nobody accused", func(b *tx.Body) { b.GetFraud().Subject = nil }, tx.ErrField},
		{"fraud proof", "nothing said", func(b *tx.Body) { b.GetFraud().Statement = nil }, tx.ErrField},
		{"fraud proof", "too much said", func(b *tx.Body) { b.GetFraud().Statement = fill(1, tx.MaxStatement+1) }, tx.ErrField},
		{"fraud proof", "too many openings", func(b *tx.Body) {
			b.GetFraud().Kind, b.GetFraud().Statement = tx.FraudPath, fill(1, tx.MaxOpenings+1)
		}, tx.ErrField},
		{"fraud proof", "openings where none belong", func(b *tx.Body) {
			b.GetFraud().Kind, b.GetFraud().Statement = tx.FraudTile, fill(1, tx.MaxOpenings)
		}, tx.ErrField},
		{"fraud proof", "unsigned", func(b *tx.Body) { b.GetFraud().Signature = nil }, tx.ErrField},
		{"fraud proof", "too much evidence", func(b *tx.Body) { b.GetFraud().Evidence = fill(1, tx.MaxEvidence+1) }, tx.ErrField},
		{"double vote", "the same twice", func(b *tx.Body) { b.GetDoubleVote().ResultB = b.GetDoubleVote().GetResultA() }, tx.ErrField},
		{"double vote", "nobody", func(b *tx.Body) { b.GetDoubleVote().Checker = nil }, tx.ErrField},
		{"double vote", "a short result", func(b *tx.Body) { b.GetDoubleVote().ResultA = fill(1, 31) }, tx.ErrField},
		{"double vote", "unsigned", func(b *tx.Body) { b.GetDoubleVote().SignatureB = nil }, tx.ErrField},
		{"claim early", "more than there is", func(b *tx.Body) { b.GetClaim().Early = uint64(amount.Supply) + 1 }, tx.ErrField},
		{"claim", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},
		{"propose", "nothing", func(b *tx.Body) { b.GetPropose().Parameter = "" }, tx.ErrField},
		{"propose", "a long name", func(b *tx.Body) { b.GetPropose().Parameter = strings.Repeat("a", 65) }, tx.ErrField},
		{"propose", "a name in capitals", func(b *tx.Body) { b.GetPropose().Parameter = "Fee" }, tx.ErrField},
		{"appeal", "against nothing", func(b *tx.Body) { b.GetAppeal().Accusation = nil }, tx.ErrField},
		{"appeal", "by a delegate", func(b *tx.Body) { b.Account = pub(player) }, tx.ErrDelegate},
		{"a container with a claim", "too high a score", func(b *tx.Body) { b.GetRegister().ClaimRpMilli = tx.MaxScore + 1 }, tx.ErrField},
		{"a container with a claim", "by a checker", func(b *tx.Body) { b.GetRegister().Roles = 4 }, tx.ErrField},
		{"a node that says where it lives", "twice", func(b *tx.Body) { b.GetRegister().Subnets[1] = b.GetRegister().Subnets[0] }, tx.ErrField},
		{"a node that says where it lives", "in falling order", func(b *tx.Body) { slices.Reverse(b.GetRegister().Subnets) }, tx.ErrField},
		{"a node that says where it lives", "in five places", func(b *tx.Body) {
			b.GetRegister().Subnets = [][]byte{{11, 1, 1}, {11, 1, 2}, {11, 1, 3}, {11, 1, 4}, {11, 1, 5}}
		}, tx.ErrField},
		{"a node that says where it lives", "at home", func(b *tx.Body) { b.GetRegister().Subnets[0] = []byte{10, 0, 0} }, tx.ErrField},
		{"a node that says where it lives", "in four bytes", func(b *tx.Body) { b.GetRegister().Subnets[0] = []byte{11, 1, 1, 1} }, tx.ErrField},
		{"a node that says where it lives", "in none", func(b *tx.Body) { b.GetRegister().Subnets[0] = nil }, tx.ErrField},
		{"fraud proof", "more than a transaction may hold", func(b *tx.Body) { b.GetFraud().Evidence = fill(1, tx.MaxSize) }, tx.ErrTooLarge},
	}
	for _, c := range cases {
		e := find(t, c.example)
		c.spoil(e.body)
		if _, err := tx.Sign(chain, e.key, e.body); !errors.Is(err, c.want) {
			t.Errorf("%s with %s: %v, want %v", c.example, c.what, err, c.want)
		}
	}
}

func TestDelegatesReportSettleAndVoteAndMoveNoMoney(t *testing.T) {
	want := map[string]bool{
		tx.NameRegister: true, tx.NameClose: true, tx.NameBatchClose: true, tx.NameVoteCommit: true, tx.NameCertificate: true,
		tx.NameFraud: true, tx.NameDoubleVote: true, tx.NamePropose: true, tx.NameApprove: true,
	}
	for _, name := range append(tx.Names(), "") {
		if tx.Delegable(name) != want[name] {
			t.Errorf("%q: %v", name, tx.Delegable(name))
		}
	}
}

func TestTheLargestTransactionsFit(t *testing.T) {
	fraud := find(t, "fraud proof")
	fraud.body.GetFraud().Evidence = fill(1, tx.MaxEvidence)
	batch := find(t, "close three")
	first := batch.body.GetBatchClose().GetSessions()[0]
	batch.body.GetBatchClose().Sessions = nil
	for i := range tx.MaxBatch {
		s := proto.CloneOf(first)
		s.Session[0] = byte(i)
		batch.body.GetBatchClose().Sessions = append(batch.body.GetBatchClose().Sessions, s)
	}
	for _, e := range []example{fraud, batch} {
		raw, err := tx.Sign(chain, e.key, e.body)
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if _, err := tx.Decode(raw); err != nil {
			t.Errorf("%s of %d bytes: %v", e.name, len(raw), err)
		}
	}
	if _, err := tx.Decode(make([]byte, tx.MaxSize+1)); !errors.Is(err, tx.ErrTooLarge) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestEnvelopeNeedsSignerAndSignature(t *testing.T) {
	raw, err := tx.Sign(chain, testKey(alice), transfer())
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*tx.Signed){
		"no signer":          func(s *tx.Signed) { s.Signer = nil },
		"a short signer":     func(s *tx.Signed) { s.Signer = s.Signer[:31] },
		"no signature":       func(s *tx.Signed) { s.Signature = nil },
		"a long signature":   func(s *tx.Signed) { s.Signature = append(s.Signature, 0) },
		"no body":            func(s *tx.Signed) { s.Body = nil },
		"a body that is not": func(s *tx.Signed) { s.Body = bytes.Repeat([]byte{0xff}, 20) },
	} {
		var s tx.Signed
		if err := proto.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		spoil(&s)
		bad, err := proto.Marshal(&s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tx.Decode(bad); err == nil {
			t.Errorf("%s: decodes as %v", name, got.Body)
		}
	}
}

func TestSignRefusesWhatCannotBeSaid(t *testing.T) {
	if _, err := tx.Sign(chain, testKey(alice)[:32], transfer()); !errors.Is(err, tx.ErrField) {
		t.Errorf("a seed as key: %v", err)
	}
	if _, err := tx.Sign(chain, testKey(alice), nil); !errors.Is(err, tx.ErrOperation) {
		t.Errorf("no body: %v", err)
	}
	if _, err := tx.Sign(chain, testKey(alice), &tx.Body{Op: &tx.Body_Transfer{}}); !errors.Is(err, tx.ErrOperation) {
		t.Errorf("an operation that is nil: %v", err)
	}
	body := transfer()
	body.ProtoReflect().SetUnknown([]byte{0x98, 0x06, 0x01})
	if _, err := tx.Sign(chain, testKey(alice), body); !errors.Is(err, tx.ErrEncoding) {
		t.Errorf("an unknown field: %v", err)
	}
}
