package proof_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

var update = flag.Bool("update", false, "write the vectors instead of comparing them")

const vectorsFile = "../../docs/spec/vectors/proof.json"

// vectors are for a second implementation: bytes in hex.
type vectors struct {
	Task       taskVector        `json:"task"`
	Nonce      nonceVector       `json:"nonce"`
	Statements []statementVector `json:"statements"`
	Refused    []refusedVector   `json:"refused"`
	Results    []resultVector    `json:"results"`
	Frauds     []fraudVector     `json:"frauds"` // those that need no kernel
	Files      []fileVector      `json:"files"`
}

type taskVector struct {
	Chain string `json:"chain"`
	Epoch uint64 `json:"epoch"`
	Seed  string `json:"seed"`
	Task  string `json:"task"`
}

type nonceVector struct {
	Checker string `json:"checker"`
	Epoch   uint64 `json:"epoch"`
	Nonce   string `json:"nonce"`
	Digest  string `json:"digest"`
}

type statementVector struct {
	Name      string          `json:"name"`
	Chain     string          `json:"chain"`
	Message   json.RawMessage `json:"message"`
	Seed      string          `json:"seed"` // of the signer's key
	Statement string          `json:"statement"`
	Digest    string          `json:"digest"`
	Raw       string          `json:"raw"`
}

type refusedVector struct {
	Name  string `json:"name"`
	Raw   string `json:"raw"`
	Error string `json:"error"`
}

type resultVector struct {
	Epoch   uint64        `json:"epoch,string"`
	Batch   uint32        `json:"batch"`
	Attempt uint32        `json:"attempt"`
	Correct uint64        `json:"correct,string"`
	Wrong   uint64        `json:"wrong,string"`
	Votes   string        `json:"votes"`
	Entries []entryVector `json:"entries"`
	Raw     string        `json:"raw"`
}

type entryVector struct {
	Verdict    uint32 `json:"verdict"`
	Reason     uint32 `json:"reason"`
	RPMilli    uint64 `json:"rp_milli,string"`
	OfflinePPM uint32 `json:"offline_ppm"`
	QualityPPM uint32 `json:"quality_ppm"`
	Evidence   string `json:"evidence,omitempty"`
	Dropped    string `json:"dropped,omitempty"`
	Found      uint64 `json:"found,string"`
}

func resultVectors(t *testing.T) (all []resultVector) {
	t.Helper()
	wide := &proof.Result{Epoch: 1<<64 - 1, Batch: 1<<31 | 5, Attempt: 1, Correct: 1 << 42, Wrong: 1<<42 - 1, Votes: [32]byte(fill(6, 32)), Entries: []proof.Entry{
		{Verdict: proof.VerdictBad, Reason: proof.ReasonSegment, OfflinePPM: proof.PPM, QualityPPM: 1, Found: 1<<20 | 5, Evidence: proof.NameOf(fill(0xfe, 32))},
		{Verdict: proof.VerdictOK, RPMilli: proof.MaxScore},
		{Verdict: proof.VerdictBusy, OfflinePPM: 128, Found: 1<<20 | 3, Dropped: fill(7, 16)},
		{Verdict: proof.VerdictBad, Reason: proof.ReasonUnopened, Dropped: fill(8, 16)},
	}}
	for _, r := range []*proof.Result{goodResult(), wide} {
		v := resultVector{Epoch: r.Epoch, Batch: r.Batch, Attempt: r.Attempt, Correct: r.Correct, Wrong: r.Wrong,
			Votes: hex.EncodeToString(r.Votes[:]), Raw: hex.EncodeToString(mustResult(t, r))}
		for _, e := range r.Entries {
			v.Entries = append(v.Entries, entryVector{e.Verdict, uint32(e.Reason), e.RPMilli, e.OfflinePPM, e.QualityPPM, e.Evidence.String(), hex.EncodeToString(e.Dropped), e.Found})
		}
		all = append(all, v)
	}
	return all
}

type fraudVector struct {
	Name      string `json:"name"`
	Kind      uint32 `json:"kind"`
	Subject   string `json:"subject"`
	Epoch     uint64 `json:"epoch"`
	Statement string `json:"statement"`
	Signature string `json:"signature"`
	Evidence  string `json:"evidence"`
	Reason    string `json:"reason,omitempty"`
	Misdeed   string `json:"misdeed,omitempty"`
	Error     string `json:"error,omitempty"`
}

type fileVector struct {
	Name string `json:"name"`
	Raw  string `json:"raw"`
}

// errorNames are the errors of the vectors.
var errorNames = map[string]error{
	"malformed": proof.ErrMalformed, "too_large": proof.ErrTooLarge, "signature": proof.ErrSignature,
	"innocent": proof.ErrInnocent, "kind": proof.ErrKind,
}

func errorName(t *testing.T, err error) string {
	t.Helper()
	for _, name := range []string{"malformed", "too_large", "signature", "innocent", "kind"} {
		if errors.Is(err, errorNames[name]) {
			return name
		}
	}
	t.Fatalf("no name for %v", err)
	return ""
}

func asJSON(t *testing.T, m proto.Message) json.RawMessage {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer // the library varies its spaces on purpose
	if err := json.Compact(&compact, b); err != nil {
		t.Fatal(err)
	}
	return compact.Bytes()
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	task, nonce, me := proof.Task(chain, epoch, seed), [32]byte(fill(9, 32)), node(checker)
	bound := proof.NonceDigest(me, epoch, nonce)
	v := vectors{
		Task:    taskVector{chain, epoch, hex.EncodeToString(seed[:]), hex.EncodeToString(task[:])},
		Nonce:   nonceVector{hex.EncodeToString(me[:]), epoch, hex.EncodeToString(nonce[:]), hex.EncodeToString(bound[:])},
		Results: resultVectors(t),
	}
	for _, e := range everyStatement(t) {
		o := sign(t, e.by, e.st)
		v.Statements = append(v.Statements, statementVector{e.name, chain, asJSON(t, e.st), hex.EncodeToString(testKey(e.by).Seed()),
			hex.EncodeToString(o.Signed.GetStatement()), hex.EncodeToString(o.Digest[:]), hex.EncodeToString(o.Raw)})
	}
	refused := func(name string, raw []byte) {
		_, err := proof.Open(chain, raw)
		v.Refused = append(v.Refused, refusedVector{name, hex.EncodeToString(raw), errorName(t, err)})
	}
	good := sign(t, checker, everyStatement(t)[1].st)
	elsewhere, err := proof.Sign("test-2", testKey(checker), everyStatement(t)[1].st)
	if err != nil {
		t.Fatal(err)
	}
	refused("for another network", elsewhere.Raw)
	refused("cut off", good.Raw[:len(good.Raw)-1])
	refused("an unknown field behind the envelope", append(bytes.Clone(good.Raw), 0x20, 1))
	refused("the epoch spelled out in two bytes", seal(t, checker, append([]byte{0x12, 37, 8, 0x87, 0}, good.Signed.GetStatement()[4:]...)))
	refused("a kind that nobody knows", seal(t, checker, []byte{0x6a, 0}))
	refused("another's vote", seal(t, other, sign(t, checker, everyStatement(t)[6].st).Signed.GetStatement()))
	for _, x := range spoiled {
		for _, e := range everyStatement(t) {
			if e.name == x.of {
				st := proto.CloneOf(sign(t, e.by, e.st).Statement)
				x.spoil(st)
				refused(x.of+": "+x.names, envelope(t, e.by, st))
			}
		}
	}
	pair := func(name string, a, b *proof.Opened) {
		f, err := proof.PairFraud(a, b)
		if err != nil {
			t.Fatal(err)
		}
		x := fraudVector{Name: name, Kind: f.GetKind(), Subject: hex.EncodeToString(f.GetSubject()), Epoch: f.GetEpoch(),
			Statement: hex.EncodeToString(f.GetStatement()), Signature: hex.EncodeToString(f.GetSignature()), Evidence: hex.EncodeToString(f.GetEvidence())}
		if c, err := proof.Check(proof.Rules{Chain: chain}, f); err != nil {
			x.Error = errorName(t, err)
		} else {
			x.Reason, x.Misdeed = c.Reason.String(), hex.EncodeToString(c.Name[:])
		}
		v.Frauds = append(v.Frauds, x)
	}
	a, b := render(t, container, 3, nil), render(t, container, 2, nil)
	vote := func(salt byte) *proof.Opened {
		x := goodVote(a)
		x.Salt = fill(salt, 32)
		return sign(t, checker, &proof.Statement{Says: &proof.Statement_Vote{Vote: x}})
	}
	pair("two commits", a.commit, b.commit)
	pair("the same commit twice", a.commit, a.commit)
	pair("commits of two containers", a.commit, render(t, other, 3, nil).commit)
	pair("two votes", vote(1), vote(2))
	for name, f := range map[string]*proof.File{"a second of a session": secondFile(t)} {
		raw, err := proof.EncodeFile(f)
		if err != nil {
			t.Fatal(err)
		}
		v.Files = append(v.Files, fileVector{name, hex.EncodeToString(raw)})
	}
	return v
}

func TestVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, made) {
		t.Error("the vectors are not what the code makes; if the format was meant to change, run this test with -update")
	}
	var v vectors
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, s := range v.Statements {
		o, err := proof.Open(s.Chain, unhex(s.Raw))
		if err != nil || hex.EncodeToString(o.Digest[:]) != s.Digest {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	for _, r := range v.Refused {
		if _, err := proof.Open(chain, unhex(r.Raw)); errorNames[r.Error] == nil || !errors.Is(err, errorNames[r.Error]) {
			t.Errorf("%s: %v, want %s", r.Name, err, r.Error)
		}
	}
	for _, f := range v.Frauds {
		c, err := proof.Check(proof.Rules{Chain: chain}, &tx.FraudProof{Kind: f.Kind, Subject: unhex(f.Subject), Epoch: f.Epoch,
			Statement: unhex(f.Statement), Signature: unhex(f.Signature), Evidence: unhex(f.Evidence)})
		if f.Error != "" {
			if !errors.Is(err, errorNames[f.Error]) {
				t.Errorf("%s: %v, want %s", f.Name, err, f.Error)
			}
			continue
		}
		if err != nil || c.Reason.String() != f.Reason || c.Guilty != key.Node(unhex(f.Subject)) || hex.EncodeToString(c.Name[:]) != f.Misdeed {
			t.Errorf("%s: %+v, %v", f.Name, c, err)
		}
	}
	for _, f := range v.Files {
		if _, err := proof.ParseFile(unhex(f.Raw)); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
