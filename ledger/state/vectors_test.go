package state

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

var update = flag.Bool("update", false, "rewrite docs/spec/vectors/ledger-state.json")

var vectorsFile = filepath.Join("..", "..", "docs", "spec", "vectors", "ledger-state.json")

type vectorKey struct {
	Key   string `json:"key"`   // as the specification's table has it
	Of    []any  `json:"of"`    // its parts in order: hex, or a number
	Bytes string `json:"bytes"` // hex
}

type vectorRecord struct {
	Record string `json:"record"`
	Fields any    `json:"fields"` // in the order of the program, which is not that of the bytes
	Bytes  string `json:"bytes"`  // hex
}

type vectorFile struct {
	Keys    []vectorKey    `json:"keys"`
	Records []vectorRecord `json:"records"`
}

// decoders read the value of each record. The parameters are left out: their value is JSON.
var decoders = map[string]func([]byte) (any, error){
	"account":     decoded(DecodeAccount),
	"accusation":  decoded(DecodeAccusation),
	"appeals":     decoded(decodeAppeals),
	"attendance":  decoded(DecodeAttendance),
	"candidates":  decoded(DecodeCandidates),
	"certificate": decoded(DecodeCertificate),
	"changes":     decoded(DecodeChanges),
	"coefficient": decoded(DecodeCoefficient),
	"conduct":     decoded(DecodeConduct),
	"consensus":   decoded(DecodeConsensusOwner),
	"delegation":  decoded(DecodeDelegation),
	"deviations":  decoded(DecodeDeviations),
	"emission":    decoded(DecodeEmission),
	"empty seats": decoded(DecodeEmpty),
	"fraud":       decoded(DecodeFraud),
	"head":        decoded(DecodeHead),
	"lot":         decoded(DecodeLot),
	"memory":      decoded(DecodeMemory),
	"network":     decoded(DecodeNetwork),
	"node":        decoded(DecodeNode),
	"payout":      decoded(DecodePayout),
	"pool":        decoded(decodePool),
	"proposal":    decoded(DecodeProposal),
	"session":     decoded(DecodeSession),
	"stake":       decoded(DecodeStake),
	"standing":    decoded(DecodeStanding),
	"totals":      decoded(DecodeTotals),
	"unbonding":   decoded(DecodeUnbonding),
	"validator":   decoded(DecodeValidator),
	"verdict":     decoded(DecodeVerdict),
	"vote":        decoded(DecodeVote),
	"vrf":         decoded(decodeVRFOwner),
	"weight":      decoded(DecodeWeight),
	"weight sum":  decoded(DecodeWeightSum),
}

func decoded[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return decode(b) }
}

// examples are one value of each record.
func examples() map[string][]byte {
	all := map[string][]byte{}
	for name, r := range moneyRecords() {
		all[name] = r.bytes
	}
	maps.Copy(all, samples()) // of the few that both have, these say more
	delete(all, "params")
	return all
}

func makeVectors(t *testing.T) (f vectorFile) {
	n, other, session, address := key.Node{1, 31: 2}, [32]byte{3, 31: 4}, [16]byte{5, 15: 6}, [20]byte{7, 19: 8}
	account := key.Address{9, 31: 10}
	const epoch, later, batch, role, page = 0x0102, 0x0304, 0x0506, economics.RoleChecker, 0x0708
	for _, k := range []struct {
		name  string
		bytes []byte
		of    []any
	}{
		{"acct/` account (32)", AccountKey(account), []any{account}},
		{"reg/` node (32)", NodeKey(n), []any{n}},
		{"stake/` node (32)", StakeKey(n), []any{n}},
		{"dele/` account (32) node (32)", DelegationKey(account, n), []any{account, n}},
		{"sess/` container (32) session (16)", SessionKey(n, session), []any{n, session}},
		{"vest/` account (32) free epoch (8) linear epochs (8)", VestingKey(account, epoch, later), []any{account, epoch, later}},
		{"unb/` owner (32) node (32) free epoch (8)", UnbondingKey(account, n, epoch), []any{account, n, epoch}},
		{"pool/` pool (1)", PoolKey(1), []any{1}},
		{"seed/` epoch (8)", SeedKey(epoch), []any{epoch}},
		{"bcn/` seed (32)", BeaconKey(other), []any{other}},
		{"began/` epoch (8)", BeganKey(epoch), []any{epoch}},
		{"cand/` epoch (8) role bit (4) page (4)", CandidatesKey(epoch, role, page), []any{epoch, role, page}},
		{"val/` consensus address (20)", ValidatorKey(address), []any{address}},
		{"seen/now`", AttendanceKey(), nil},
		{"away/now`", EmptyKey(), nil},
		{"ckey/` consensus address (20)", ConsensusKey(address), []any{address}},
		{"vkey/` VRF key (32)", VRFKey(other), []any{other}},
		{"prop/` number (8)", ProposalKey(epoch), []any{epoch}},
		{"used/` container (32) session (16)", UsedKey(n, session), []any{n, session}},
		{"cert/` epoch (8) batch (4)", CertificateKey(epoch, batch), []any{epoch, batch}},
		{"vote/` epoch (8) batch (4) node (32)", VoteKey(epoch, batch, n), []any{epoch, batch, n}},
		{"fraud/` hash of the proof (32)", FraudKey(other), []any{other}},
		{"accu/` name (32)", AccusationKey(other), []any{other}},
		{"weight/` epoch (8) class (1) node (32)", WeightKey(epoch, RewardBonus, n), []any{epoch, RewardBonus, n}},
		{"wsum/` epoch (8) class (1)", WeightSumKey(epoch, RewardBonus), []any{epoch, RewardBonus}},
		{"pay/` epoch (8) class (1)", PayoutKey(epoch, RewardBonus), []any{epoch, RewardBonus}},
		{"stand/` node (32)", StandingKey(n), []any{n}},
		{"figs/` node (32)", FiguresKey(n), []any{n}},
		{"conduct/` node (32)", ConductKey(n), []any{n}},
		{"hist/` node (32) role bit (1) place (1)", HistoryKey(n, role, KeptVerdicts+3), []any{n, role, 3}},
		{"appeal/` epoch (8)", AppealsKey(epoch), []any{epoch}},
		{"guilt/` name of a misdeed (32)", GuiltKey(other), []any{other}},
		{"emit/next`", EmissionKey(), nil},
		{"param/now`", ParamsKey(), nil},
		{"param/network`", NetworkKey(), nil},
		{"coef/now`", CoefficientKey(), nil},
		{"orac/` account (32)", OracleKey(account), []any{account}},
		{"head/now`", HeadKey(), nil},
		{"total/now`", TotalsKey(), nil},
	} {
		v := vectorKey{Key: strings.ReplaceAll(k.name, "`", ""), Of: []any{}, Bytes: hex.EncodeToString(k.bytes)}
		for _, part := range k.of {
			v.Of = append(v.Of, plain(reflect.ValueOf(part)))
		}
		f.Keys = append(f.Keys, v)
	}
	all := examples()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if decoders[name] == nil {
			t.Fatalf("%s has no vector", name)
		}
		v, err := decoders[name](all[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.Records = append(f.Records, vectorRecord{name, plain(reflect.ValueOf(v)), hex.EncodeToString(all[name])})
	}
	if len(f.Records) != len(decoders) {
		t.Errorf("%d records have an example, of %d", len(f.Records), len(decoders))
	}
	return f
}

// plain is a value as JSON has it for readers of all languages: bytes in hex, 64-bit numbers
// in decimal strings, fields in small letters.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int:
		return v.Int()
	case reflect.Uint8, reflect.Uint32:
		return v.Uint()
	case reflect.Uint64:
		return fmt.Sprint(v.Uint())
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			return v.String()
		}
		return hex.EncodeToString([]byte(v.String()))
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v.Convert(reflect.ArrayOf(v.Len(), reflect.TypeFor[byte]())))
			return hex.EncodeToString(b)
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			fields[snake(v.Type().Field(i).Name)] = plain(v.Field(i))
		}
		return fields
	}
	panic("no way to write " + v.Type().String())
}

var hump = regexp.MustCompile(`([a-z])([A-Z])|([A-Z])([A-Z][a-z])`)

func snake(name string) string {
	return strings.ToLower(hump.ReplaceAllString(name, "${1}${3}_${2}${4}"))
}

// TestVectors: the vectors of the specification are what the program writes.
func TestVectors(t *testing.T) {
	want, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d is %q, the program writes %q: if that is meant, say so in docs/spec/ledger-state.md and run the test with -update", i+1, a[i], b[i])
		}
	}
	t.Fatalf("%d lines instead of %d: run the test with -update", len(a), len(b))
}

// TestVectorsNameWhatTheSpecificationHas: every key of the vectors is a line of the table of
// keys, and every line but that of due work has a vector.
func TestVectorsNameWhatTheSpecificationHas(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/ledger-state.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if strings.HasPrefix(line, "| `") && strings.Contains(cell, "/") {
			lines[strings.ReplaceAll(cell, "`", "")] = true
		}
	}
	for _, k := range makeVectors(t).Keys {
		if !lines[k.Key] {
			t.Errorf("the table of keys does not have %s", k.Key)
		}
		delete(lines, k.Key)
	}
	delete(lines, "due/ lane (1) epoch (8) kind (1) subject")
	for name := range lines {
		t.Errorf("%s has no vector", name)
	}
}
