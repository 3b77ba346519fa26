package voucher_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/voucher"
)

var update = flag.Bool("update", false, "rewrite docs/spec/vectors/ledger-voucher.json")

var vectorsFile = filepath.Join("..", "..", "docs", "spec", "vectors", "ledger-voucher.json")

// vectorTerms are terms as text: keys and names in hex, amounts as decimals.
type vectorTerms struct {
	Chain     string `json:"chain"`
	Container string `json:"container"`
	Session   string `json:"session"`
	Player    string `json:"player"`
	PerSecond uint64 `json:"per_second,string"`
	Seconds   uint32 `json:"seconds"`
}

type vectorVoucher struct {
	Name      string `json:"name"`
	Chain     string `json:"chain"` // it is signed for
	Seq       uint64 `json:"seq,string"`
	Seconds   uint32 `json:"seconds"`
	Paid      uint64 `json:"paid,string"`
	Payload   string `json:"payload"`
	SignBytes string `json:"sign_bytes"`
	Signature string `json:"signature"`
	Encoded   string `json:"encoded"`
	Error     string `json:"error,omitempty"` // of a meter that has taken those before it
}

// vectorStep is one thing that happens to a meter, and where it stands then.
type vectorStep struct {
	Do      string `json:"do"`                // second, escrow, voucher
	Seconds uint32 `json:"seconds,omitempty"` // that are locked, or of the voucher
	Seq     uint64 `json:"seq,omitempty,string"`
	Served  uint32 `json:"served"`
	Covered uint32 `json:"covered"`
	Owed    uint64 `json:"owed,string"`
	Paid    uint64 `json:"paid,string"`
	Run     bool   `json:"run"`
	Reason  string `json:"reason"`
}

type vectorFile struct {
	Seed     string          `json:"seed"` // hex, of the player
	Terms    vectorTerms     `json:"terms"`
	Credit   uint32          `json:"credit_seconds"`
	Vouchers []vectorVoucher `json:"vouchers"` // in this order, with all seconds locked
	Meter    []vectorStep    `json:"meter"`    // another session of the same terms
}

var errorNames = map[string]error{
	"replay": voucher.ErrReplay, "older": voucher.ErrOlder, "out_of_order": voucher.ErrOutOfOrder,
	"amount": voucher.ErrAmount, "overdrawn": voucher.ErrOverdrawn, "forged": voucher.ErrForged,
}

func makeVectors(t *testing.T) vectorFile {
	tm := terms()
	f := vectorFile{
		Seed: hex.EncodeToString(player.Seed()), Credit: voucher.Credit,
		Terms: vectorTerms{tm.Chain, hex.EncodeToString(tm.Container[:]), hex.EncodeToString(tm.Session[:]),
			hex.EncodeToString(tm.Player[:]), tm.PerSecond, tm.Seconds},
	}
	for _, v := range []struct {
		name, chain   string
		seq           uint64
		seconds       uint32
		more          uint64 // paid beyond what is owed
		wrong, refuse string
	}{
		{name: "the first", seq: 1, seconds: 1},
		{name: "the first again", seq: 1, seconds: 1, refuse: "replay"},
		{name: "a gap in the numbers", seq: 5, seconds: 4},
		{name: "an older one", seq: 2, seconds: 2, refuse: "older"},
		{name: "a new number for no more", seq: 6, seconds: 4, refuse: "out_of_order"},
		{name: "a base unit too much", seq: 6, seconds: 5, more: 1, refuse: "amount"},
		{name: "more than the escrow", seq: 6, seconds: 11, refuse: "overdrawn"},
		{name: "of another network", chain: "othernet", seq: 6, seconds: 5, refuse: "forged"},
		{name: "the last second", seq: 1 << 63, seconds: 10},
	} {
		on := tm
		if v.chain != "" {
			on.Chain = v.chain
		}
		paid := tm.Owed(v.seconds) + v.more
		payload := voucher.Payload(tm.Container, tm.Session, v.seq, v.seconds, paid)
		sig := key.Sign(player, on.Chain, key.KindVoucher, payload)
		encoded := voucher.Voucher{Seq: v.seq, Seconds: v.seconds, Paid: paid, Signature: [64]byte(sig)}.Encode()
		f.Vouchers = append(f.Vouchers, vectorVoucher{
			Name: v.name, Chain: on.Chain, Seq: v.seq, Seconds: v.seconds, Paid: paid, Payload: hex.EncodeToString(payload),
			SignBytes: hex.EncodeToString(key.SignBytes(on.Chain, key.KindVoucher, payload)),
			Signature: hex.EncodeToString(sig), Encoded: hex.EncodeToString(encoded), Error: v.refuse,
		})
	}
	m := meter(t)
	for _, s := range []vectorStep{
		{Do: "second"}, {Do: "voucher", Seq: 1, Seconds: 1}, {Do: "second"}, {Do: "second"}, {Do: "second"},
		{Do: "escrow", Seconds: 10}, {Do: "second"}, {Do: "second"}, {Do: "voucher", Seq: 2, Seconds: 9},
		{Do: "second"}, {Do: "second"}, {Do: "second"}, {Do: "second"}, {Do: "second"}, {Do: "second"}, {Do: "second"},
		{Do: "escrow", Seconds: 12}, {Do: "second"}, {Do: "voucher", Seq: 3, Seconds: 12}, {Do: "second"}, {Do: "second"},
	} {
		f.Meter = append(f.Meter, play(t, m, s))
	}
	return f
}

// play lets a step happen and notes where the meter stands.
func play(t *testing.T, m *voucher.Meter, s vectorStep) vectorStep {
	t.Helper()
	switch s.Do {
	case "second":
		m.Second()
	case "escrow":
		m.Escrow(true, s.Seconds)
	case "voucher":
		add(t, m, s.Seq, s.Seconds)
	default:
		t.Fatalf("there is no step %q", s.Do)
	}
	st := m.State()
	s.Served, s.Covered, s.Owed, s.Paid, s.Run, s.Reason = st.Served, st.Covered, st.Owed, st.Paid, st.Run, string(st.Reason)
	return s
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
	var f vectorFile
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	m := meter(t)
	m.Escrow(true, f.Terms.Seconds)
	for _, v := range f.Vouchers {
		b, err := hex.DecodeString(v.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		got, err := voucher.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		err = m.Add(got)
		if want := errorNames[v.Error]; !errors.Is(err, want) || (v.Error == "") != (err == nil) {
			t.Errorf("%s: %v, want %q", v.Name, err, v.Error)
		}
	}
	m = meter(t)
	for i, want := range f.Meter {
		if got := play(t, m, want); got != want {
			t.Errorf("step %d: %+v, want %+v", i, got, want)
		}
	}
}
