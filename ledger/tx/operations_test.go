package tx_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// The people of the examples, by the byte their seeds are made of.
const (
	alice     = 1 // an account that owns nodes
	player    = 2
	container = 3 // node keys
	indexer   = 4
	checker   = 5
	checker2  = 6
	oracle    = 7 // and 8, 9
)

func pub(n byte) []byte { return bytes.Clone(testKey(n)[ed25519.SeedSize:]) }

func fill(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// example is one well-formed transaction.
type example struct {
	name      string
	operation string
	key       ed25519.PrivateKey
	body      *tx.Body
}

func transfer() *tx.Body {
	return &tx.Body{Nonce: 7, ValidUntilMs: 1_767_225_600_000, Op: &tx.Body_Transfer{Transfer: &tx.Transfer{
		To: pub(player), Amount: 12*uint64(amount.FRM) + 1, Memo: "für den Raum, 3/2026",
	}}}
}

func terms() voucher.Terms {
	return voucher.Terms{
		Chain: chain, Container: key.Node(pub(container)), Session: [16]byte(fill(0xab, 16)),
		Player: key.Address(pub(player)), PerSecond: 6_945, Seconds: 3_600,
	}
}

func quotes(t testing.TB) [][]byte {
	var out [][]byte
	for i, perUSD := range []uint64{99_500_000_000, 100_000_000_000, 101_000_000_000} {
		q, err := quote.Sign(chain, testKey(oracle+byte(i)), perUSD, 1_767_225_590_000+uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, q.Encode())
	}
	return out
}

func closing(seq uint64, seconds uint32) *tx.CloseSession {
	tm := terms()
	return &tx.CloseSession{Container: tm.Container[:], Session: tm.Session[:],
		Voucher: voucher.Sign(tm, testKey(player), seq, seconds).ForTx()}
}

func certificate() *tx.VoteCertificate {
	result := []byte("batch 3: all well")
	c := &tx.VoteCertificate{Epoch: 41, Batch: 3, Result: result}
	c.AddAttestation(1, tx.Attest(chain, testKey(checker), 41, 3, result))
	c.AddAttestation(3, tx.Attest(chain, testKey(checker2), 41, 3, result))
	return c
}

// panel is who may attest the certificate, by place.
func panel() []key.Node {
	return []key.Node{key.Node(pub(player)), key.Node(pub(checker)), key.Node(pub(container)), key.Node(pub(checker2)), key.Node(pub(indexer))}
}

// everyOperation has at least one example of each.
func everyOperation(t testing.TB) []example {
	tm := terms()
	register := &tx.Register{Roles: 5, Region: "eu-north", PriceMicroUsdPerHour: 250_000, HardwareClass: 1, Node: pub(container)}
	prover, err := vrf.GenerateKey(bytes.NewReader(fill(0x11, 32)))
	if err != nil {
		t.Fatal(err)
	}
	register.Possess(chain, key.Address(pub(alice)), ed25519.NewKeyFromSeed(fill(0x22, 32)), prover)
	register.Consent(chain, testKey(container), key.Address(pub(alice)))
	statement := []byte("tile 4 of frame 9 is …")
	a, b := []byte("all well"), []byte("all bad")
	batch := &tx.BatchClose{}
	for i := range 3 {
		s := tm
		s.Session[15] = byte(i)
		batch.Sessions = append(batch.Sessions, &tx.CloseSession{Container: s.Container[:], Session: s.Session[:],
			Voucher: voucher.Sign(s, testKey(player), 9, 600).ForTx()})
	}
	batch.Sessions[1].Voucher = nil
	open := &tx.OpenSession{Container: tm.Container[:], Session: tm.Session[:], PriceMicroUsdPerHour: 250_000,
		Quotes: quotes(t), PerSecond: 6_945, Seconds: 3_600, Indexer: pub(indexer), Certificate: fill(0x33, 32)}

	ex := func(name, operation string, k byte, body *tx.Body) example {
		return example{name, operation, testKey(k), body}
	}
	return []example{
		ex("transfer", tx.NameTransfer, alice, transfer()),
		ex("first transfer without memo", tx.NameTransfer, alice, &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: pub(player), Amount: 1}}}),
		ex("transfer of all there is", tx.NameTransfer, alice, &tx.Body{Nonce: 1<<64 - 1, ValidUntilMs: 1<<64 - 1,
			Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: pub(player), Amount: uint64(amount.Supply), Memo: string(fill('x', tx.MaxMemo))}}}),
		ex("register a validator", tx.NameRegister, alice, &tx.Body{Nonce: 1, Op: &tx.Body_Register{Register: register}}),
		ex("a node updates itself", tx.NameRegister, container, &tx.Body{Nonce: 1, Account: pub(alice),
			Op: &tx.Body_Register{Register: &tx.Register{Node: pub(container), Roles: 1, PriceMicroUsdPerHour: 300_000}}}),
		ex("retire", tx.NameRetire, alice, &tx.Body{Nonce: 2, Op: &tx.Body_Retire{Retire: &tx.Retire{Node: pub(container)}}}),
		ex("delegate", tx.NameDelegate, alice, &tx.Body{Nonce: 3, Op: &tx.Body_Delegate{Delegate: &tx.Delegate{Node: pub(container), ExpiresEpoch: 9_000, CutPpm: 50_000}}}),
		ex("revoke", tx.NameRevoke, alice, &tx.Body{Nonce: 4, Op: &tx.Body_Revoke{Revoke: &tx.Revoke{Node: pub(container)}}}),
		ex("stake", tx.NameStake, alice, &tx.Body{Nonce: 5, Op: &tx.Body_Stake{Stake: &tx.Stake{Node: pub(container), Amount: 133_422_000_000}}}),
		ex("unbond", tx.NameUnbond, alice, &tx.Body{Nonce: 6, Op: &tx.Body_Unbond{Unbond: &tx.Unbond{Node: pub(container), Amount: 1}}}),
		ex("open a session", tx.NameOpen, player, &tx.Body{ValidUntilMs: 1_767_225_650_000, Op: &tx.Body_Open{Open: open}}),
		ex("top up", tx.NameTopUp, player, &tx.Body{Nonce: 1, Op: &tx.Body_TopUp{TopUp: &tx.TopUp{Container: tm.Container[:], Session: tm.Session[:], Seconds: 600}}}),
		ex("the container closes", tx.NameClose, container, &tx.Body{Nonce: 2, Account: pub(alice), Op: &tx.Body_Close{Close: closing(3_001, 3_000)}}),
		ex("the player closes, nothing paid", tx.NameClose, player, &tx.Body{Nonce: 2, Op: &tx.Body_Close{Close: &tx.CloseSession{Container: tm.Container[:], Session: tm.Session[:]}}}),
		ex("close three", tx.NameBatchClose, container, &tx.Body{Nonce: 3, Account: pub(alice), Op: &tx.Body_BatchClose{BatchClose: batch}}),
		ex("commit to a vote", tx.NameVoteCommit, checker, &tx.Body{Nonce: 1, Account: pub(alice), Op: &tx.Body_VoteCommit{VoteCommit: &tx.VoteCommit{Epoch: 41, Batch: 3, Digest: fill(0x44, 32)}}}),
		ex("certificate", tx.NameCertificate, indexer, &tx.Body{Nonce: 1, Account: pub(alice), Op: &tx.Body_Certificate{Certificate: certificate()}}),
		ex("fraud proof", tx.NameFraud, player, &tx.Body{Nonce: 3, Op: &tx.Body_Fraud{Fraud: &tx.FraudProof{
			Kind: tx.FraudTile, Subject: pub(container), Epoch: 41, Statement: statement,
			Signature: key.Sign(testKey(container), chain, key.KindStatement, statement), Evidence: fill(0x55, 300)}}}),
		ex("double vote", tx.NameDoubleVote, player, &tx.Body{Nonce: 4, Op: &tx.Body_DoubleVote{DoubleVote: &tx.DoubleVote{
			Checker: pub(checker), Epoch: 41, Batch: 3,
			ResultA: sum(a), SignatureA: tx.Attest(chain, testKey(checker), 41, 3, a),
			ResultB: sum(b), SignatureB: tx.Attest(chain, testKey(checker), 41, 3, b)}}}),
		ex("claim", tx.NameClaim, alice, &tx.Body{Nonce: 8, Op: &tx.Body_Claim{Claim: &tx.Claim{}}}),
		ex("claim early", tx.NameClaim, alice, &tx.Body{Nonce: 8, Op: &tx.Body_Claim{Claim: &tx.Claim{Early: 12_300_000_000}}}),
		ex("propose", tx.NamePropose, checker, &tx.Body{Nonce: 2, Account: pub(alice), Op: &tx.Body_Propose{Propose: &tx.ProposeChange{Parameter: "tx_fee", Value: 2_000}}}),
		ex("propose a zero", tx.NamePropose, checker, &tx.Body{Nonce: 3, Account: pub(alice), Op: &tx.Body_Propose{Propose: &tx.ProposeChange{Parameter: "fee_bps"}}}),
		ex("approve", tx.NameApprove, checker, &tx.Body{Nonce: 4, Account: pub(alice), Op: &tx.Body_Approve{Approve: &tx.ApproveChange{Proposal: 1}}}),
		ex("appeal", tx.NameAppeal, alice, &tx.Body{Nonce: 9, Op: &tx.Body_Appeal{Appeal: &tx.Appeal{Accusation: fill(0x66, 32)}}}),
		ex("a container with a claim", tx.NameRegister, container, &tx.Body{Nonce: 2, Account: pub(alice),
			Op: &tx.Body_Register{Register: &tx.Register{Node: pub(container), Roles: 1, PriceMicroUsdPerHour: 300_000, ClaimRpMilli: 150_000}}}),
		ex("a node that says where it lives", tx.NameRegister, container, &tx.Body{Nonce: 3, Account: pub(alice),
			Op: &tx.Body_Register{Register: &tx.Register{Node: pub(container), Roles: 1, Subnets: [][]byte{{11, 1, 1}, {0x2a, 0, 0, 1, 0, 2}}}}}),
		ex("fraud proof of a broken path", tx.NameFraud, player, &tx.Body{Nonce: 5, Op: &tx.Body_Fraud{Fraud: &tx.FraudProof{
			Kind: tx.FraudPath, Subject: pub(container), Epoch: 41, Statement: fill(0x77, 2*tx.MaxStatement),
			Signature: key.Sign(testKey(container), chain, key.KindStatement, fill(0x77, 2*tx.MaxStatement))}}}),
	}
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}
