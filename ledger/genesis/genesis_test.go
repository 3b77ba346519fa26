package genesis_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
)

func marshal(t testing.TB, d *genesis.Doc) []byte {
	t.Helper()
	raw, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRoundTrip(t *testing.T) {
	d := build(t, plan())
	raw := marshal(t, d)
	got, err := genesis.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, d) {
		t.Errorf("read back\n%+v\nwrote\n%+v", got, d)
	}
	if got.Hash() != d.Hash() {
		t.Error("the hash changed on the way")
	}
	path := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err = genesis.Load(path); err != nil || got.Hash() != d.Hash() {
		t.Errorf("loaded: %v", err)
	}
	if _, err := genesis.Load(path + "x"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is not there: %v", err)
	}
}

var update = flag.Bool("update", false, "write testdata/test-1.json anew")

// One small file and its hash never change: other implementations must find the same.
func TestCanonicalIsFixed(t *testing.T) {
	const path = "testdata/test-1.json"
	d := build(t, plan())
	raw := marshal(t, d)
	if *update {
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, want) {
		t.Errorf("wrote\n%s\nwant\n%s", raw, want)
	}
	hash := d.Hash()
	got := hex.EncodeToString(hash[:])
	if got != "04d4a3eed39ed24103f49f4b3ec319304d25ba730f2b7a331148ffa6afa8c024" {
		t.Errorf("its hash is %s", got)
	}
	spec, err := os.ReadFile("../../docs/spec/economics.md")
	if err != nil || !bytes.Contains(spec, []byte(got)) {
		t.Errorf("the specification has another hash, %v", err)
	}
}

// Spaces, the order of keys and how the time is written do not make another network; any
// change of meaning does.
func TestHashIsOfTheMeaning(t *testing.T) {
	d := build(t, plan())
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, marshal(t, d), "", "\t"); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(pretty.String(), `"2026-01-02T03:04:05.678Z"`, `"2026-01-02T05:04:05.6780+02:00"`, 1)
	text = strings.Replace(text, "\"chain_id\": \"test-1\",\n", "", 1)
	text = strings.Replace(text, "\"symbol\":", "\"chain_id\": \"test-1\", \"symbol\":", 1)
	got, err := genesis.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != d.Hash() {
		t.Error("the same network has another hash when it is written with spaces")
	}
	seen := map[[32]byte]string{d.Hash(): "the original"}
	for name, change := range map[string]func(*genesis.Doc){
		"chain":   func(d *genesis.Doc) { d.ChainID, d.Network = "test-2", "test-2" },
		"time":    func(d *genesis.Doc) { d.Time = d.Time.Add(time.Millisecond) },
		"symbol":  func(d *genesis.Doc) { d.Symbol = "FRX" },
		"params":  func(d *genesis.Doc) { d.Params.TxFee++ },
		"pools":   func(d *genesis.Doc) { d.Pools.Edge, d.Pools.Airdrop = d.Pools.Edge-1, d.Pools.Airdrop+1 },
		"account": func(d *genesis.Doc) { d.Accounts[0].Address = pub("other") },
		"vest":    func(d *genesis.Doc) { d.Accounts[1].Vest[0].CliffEpochs++ },
		"node":    func(d *genesis.Doc) { d.Nodes[1].Price++ },
		"class":   func(d *genesis.Doc) { d.Nodes[1].Class = 0 },
		"deleg":   func(d *genesis.Doc) { d.Nodes[0].Delegate = false },
		"oracle":  func(d *genesis.Doc) { d.Oracles = append(d.Oracles, pub("o4")) },
	} {
		c := build(t, plan())
		change(c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if twin, ok := seen[c.Hash()]; ok {
			t.Errorf("%s has the hash of %s", name, twin)
		}
		seen[c.Hash()] = name
	}
}

// No number of the file is one that readers of JSON lose digits of, and nothing in it
// needs escaping: what is hashed can be written by any language.
func TestCanonicalIsPortable(t *testing.T) {
	raw := marshal(t, build(t, plan()))
	if bytes.ContainsAny(raw, "\\ \n<>&") {
		t.Errorf("%s", raw)
	}
	for _, b := range raw {
		if b < 0x20 || b > 0x7e {
			t.Fatalf("byte %#x", b)
		}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	numbers := 0
	for {
		tok, err := dec.Token()
		if err != nil {
			break
		}
		if n, ok := tok.(json.Number); ok {
			numbers++
			if v, err := n.Int64(); err != nil || v < 0 || v > 1<<53 {
				t.Errorf("the number %s", n)
			}
		}
	}
	if numbers < 20 {
		t.Errorf("%d numbers", numbers)
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(marshal(t, build(t, plan())))
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the file has no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct {
		text string
		err  error
		says string
	}{
		"nothing":                {"", genesis.ErrSyntax, ""},
		"no JSON":                {"chain", genesis.ErrSyntax, ""},
		"a list":                 {"[]", genesis.ErrSyntax, ""},
		"a number":               {"1", genesis.ErrSyntax, ""},
		"null":                   {"null", genesis.ErrSyntax, "null"},
		"an empty object":        {"{}", genesis.ErrField, "chain_id"},
		"cut off":                {good[:len(good)/2], genesis.ErrSyntax, ""},
		"a document too many":    {good + "{}", genesis.ErrSyntax, "follows"},
		"rubbish behind":         {good + " x", genesis.ErrSyntax, "follows"},
		"an unknown key":         {swap(`{"chain_id"`, `{"version":1,"chain_id"`), genesis.ErrSyntax, "version"},
		"a key in other letters": {swap(`"symbol"`, `"Symbol"`), genesis.ErrSyntax, "Symbol"},
		"a key twice":            {swap(`"symbol"`, `"symbol":"ABC","symbol"`), genesis.ErrSyntax, "twice"},
		"a key twice inside":     {swap(`"tx_fee"`, `"tx_fee":"1","tx_fee"`), genesis.ErrSyntax, "tx_fee"},
		"a null inside":          {swap(`"supply":"4200000000000000000"`, `"supply":null`), genesis.ErrSyntax, "null"},
		"a number as amount":     {swap(`"supply":"4200000000000000000"`, `"supply":4200000000000000000`), genesis.ErrSyntax, ""},
		"a fraction as amount":   {swap(`"supply":"4200000000000000000"`, `"supply":"42.5"`), genesis.ErrSyntax, ""},
		"an exponent":            {swap(`"supply":"4200000000000000000"`, `"supply":"42e17"`), genesis.ErrSyntax, ""},
		"a negative amount":      {swap(`"supply":"4200000000000000000"`, `"supply":"-1"`), genesis.ErrSyntax, ""},
		"a text as number":       {swap(`"epoch_seconds":900`, `"epoch_seconds":"900"`), genesis.ErrSyntax, "epoch_seconds"},
		"a fraction":             {swap(`"epoch_seconds":900`, `"epoch_seconds":900.5`), genesis.ErrSyntax, "epoch_seconds"},
		"a mistyped address":     {swap(key.Address(pub("faucet")).String(), "frm1qqqq"), genesis.ErrSyntax, "mistyped"},
		"a mistyped node":        {swap(key.Node(pub("b")).String(), "12D3KooX"), genesis.ErrSyntax, ""},
		"a role of no one":       {swap(`["container"]`, `["gateway"]`), genesis.ErrField, "gateway"},
		"a role twice":           {swap(`["container"]`, `["container","container"]`), genesis.ErrDuplicate, "container"},
		"roles as bits":          {swap(`["container"]`, `1`), genesis.ErrField, "roles"},
		"no role":                {swap(`["container"]`, `[]`), genesis.ErrField, "roles"},
		"a class of none":        {swap(`"enterprise","stake"`, `"huge","stake"`), genesis.ErrField, "huge"},
		"half a key":             {swap(hexKey("a vrf"), hexKey("a vrf")[:62]), genesis.ErrField, "64 hex digits"},
		"a key of letters":       {swap(hexKey("a vrf"), strings.Repeat("xy", 32)), genesis.ErrField, "64 hex digits"},
		"a missing parameter":    {swap(`"epoch_seconds":900,`, ``), economics.ErrBounds, "epoch_seconds"},
		"a bad time":             {swap(`2026-01-02T03`, `yesterday`), genesis.ErrSyntax, ""},
		"deep nesting":           {strings.Repeat(`[`, 100_000), genesis.ErrSyntax, "nested"},
		"deep objects":           {strings.Repeat(`{"a":`, 100_000), genesis.ErrSyntax, "nested"},
		"many keys":              {manyKeys(100_000), genesis.ErrSize, "keys"},
		"a long key":             {`{"` + strings.Repeat("a", 100_000) + `":1}`, genesis.ErrSyntax, "unknown key"},
		"many accounts":          {`{"accounts":[` + strings.Repeat("{},", 100_000) + `{}]}`, genesis.ErrSize, "50000"},
		"many tranches":          {`{"accounts":[{"vest":[` + strings.Repeat("{},", 100) + `{}]}]}`, genesis.ErrSize, "64"},
		"too large":              {strings.Repeat(" ", genesis.MaxBytes+1), genesis.ErrSize, "8 MiB"},
	} {
		d, err := genesis.Parse([]byte(c.text))
		if d != nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A file over the limit is not read to its end.
	path := filepath.Join(t.TempDir(), "large")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	if _, err := genesis.Load(path); !errors.Is(err, genesis.ErrSize) || !strings.Contains(err.Error(), path) {
		t.Errorf("a terabyte: %v", err)
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

func hexKey(name string) string { return fmt.Sprintf("%x", pub(name)) }

func TestValidateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*genesis.Doc)
		err    error
		says   string
	}{
		"no chain id":          {func(d *genesis.Doc) { d.ChainID = "" }, genesis.ErrField, "chain_id"},
		"capital letters":      {func(d *genesis.Doc) { d.ChainID = "Test" }, genesis.ErrField, "chain_id"},
		"a slash":              {func(d *genesis.Doc) { d.ChainID = "test/1" }, genesis.ErrField, "chain_id"},
		"a hyphen in front":    {func(d *genesis.Doc) { d.ChainID = "-test" }, genesis.ErrField, "chain_id"},
		"33 characters":        {func(d *genesis.Doc) { d.ChainID = strings.Repeat("x", 33) }, genesis.ErrField, "chain_id"},
		"another network":      {func(d *genesis.Doc) { d.Network = "test-2" }, genesis.ErrField, "network"},
		"no symbol":            {func(d *genesis.Doc) { d.Symbol = "" }, genesis.ErrField, "symbol"},
		"no time":              {func(d *genesis.Doc) { d.Time = time.Time{} }, genesis.ErrField, "time"},
		"a far time":           {func(d *genesis.Doc) { d.Time = d.Time.AddDate(300, 0, 0) }, genesis.ErrField, "time"},
		"a fine time":          {func(d *genesis.Doc) { d.Time = d.Time.Add(1) }, genesis.ErrField, "millisecond"},
		"no supply":            {func(d *genesis.Doc) { d.Supply = 0 }, genesis.ErrField, "supply"},
		"too much supply":      {func(d *genesis.Doc) { d.Supply = 4_200_000_000_000_000_001 }, genesis.ErrField, "supply"},
		"parameters":           {func(d *genesis.Doc) { d.Params.FeeBps = 5_001 }, economics.ErrBounds, "fee_bps"},
		"one too much":         {func(d *genesis.Doc) { d.Pools.Reserve++ }, genesis.ErrAllocation, "1 base units (0.00000001 FRM) too much"},
		"one short":            {func(d *genesis.Doc) { d.Pools.DAO-- }, genesis.ErrAllocation, "1 base units (0.00000001 FRM) short"},
		"a digit too many":     {func(d *genesis.Doc) { d.Pools.DAO *= 10; d.Pools.Edge = 1<<64 - 1 }, genesis.ErrAllocation, "64 bits"},
		"stake not counted":    {func(d *genesis.Doc) { d.Nodes[0].Stake += 5 }, genesis.ErrAllocation, "5 base units"},
		"vest not counted":     {func(d *genesis.Doc) { d.Accounts[1].Vest[0].Amount += 3 }, genesis.ErrAllocation, "3 base units"},
		"an account twice":     {func(d *genesis.Doc) { d.Accounts[1].Address = d.Accounts[0].Address }, genesis.ErrDuplicate, "accounts[0] and accounts[1]"},
		"no address":           {func(d *genesis.Doc) { d.Accounts[0].Address = key.Address{} }, genesis.ErrField, "accounts[0]"},
		"an empty tranche":     {func(d *genesis.Doc) { d.Accounts[1].Vest[1].Amount = 0 }, genesis.ErrField, "vest[1]"},
		"a tranche at once":    {func(d *genesis.Doc) { d.Accounts[1].Vest[1].CliffEpochs = 0 }, genesis.ErrField, "vest[1]"},
		"an endless cliff":     {func(d *genesis.Doc) { d.Accounts[1].Vest[1].CliffEpochs = genesis.MaxEpochs + 1 }, genesis.ErrField, "vest[1]"},
		"a schedule twice":     {func(d *genesis.Doc) { d.Accounts[1].Vest[1] = d.Accounts[1].Vest[0] }, genesis.ErrDuplicate, "vest[0] and vest[1]"},
		"nine tranches":        {func(d *genesis.Doc) { d.Accounts[1].Vest = make([]genesis.Vest, 9) }, genesis.ErrField, "at most 8"},
		"a node twice":         {func(d *genesis.Doc) { d.Nodes[1].Node = d.Nodes[0].Node }, genesis.ErrDuplicate, "nodes[0] and nodes[1]"},
		"no node":              {func(d *genesis.Doc) { d.Nodes[1].Node = key.Node{} }, genesis.ErrField, "nodes[1]"},
		"no owner":             {func(d *genesis.Doc) { d.Nodes[1].Owner = key.Address{} }, genesis.ErrField, "owner"},
		"its own owner":        {func(d *genesis.Doc) { d.Nodes[1].Owner = key.Address(d.Nodes[1].Node) }, genesis.ErrField, "owner"},
		"no roles":             {func(d *genesis.Doc) { d.Nodes[1].Roles = 0 }, genesis.ErrField, "roles"},
		"roles of nothing":     {func(d *genesis.Doc) { d.Nodes[1].Roles = 8 }, genesis.ErrField, "roles"},
		"no class":             {func(d *genesis.Doc) { d.Nodes[1].Class = 2 }, genesis.ErrField, "class"},
		"a score of a checker": {func(d *genesis.Doc) { d.Nodes[0].RPMilli = 1 }, genesis.ErrField, "rp_milli"},
		"a claim of a checker": {func(d *genesis.Doc) { d.Nodes[0].ClaimRPMilli = 1 }, genesis.ErrField, "claim_rp_milli"},
		"a huge score":         {func(d *genesis.Doc) { d.Nodes[1].RPMilli = 1<<32 + 1 }, genesis.ErrField, "RenderPoint"},
		"a bad region":         {func(d *genesis.Doc) { d.Nodes[1].Region = "EU west" }, genesis.ErrField, "region"},
		"an absurd price":      {func(d *genesis.Doc) { d.Nodes[1].Price = 1 << 50 }, genesis.ErrField, "price"},
		"a unit short": {func(d *genesis.Doc) { d.Nodes[1].Stake = 133_421_999_999 }, genesis.ErrStake,
			"stakes 1334.21999999 FRM and needs 1334.22 FRM"},
		"a poor validator":               {func(d *genesis.Doc) { d.Nodes[0].Stake = 9_999 * frm }, genesis.ErrStake, "10000 FRM"},
		"a half validator":               {func(d *genesis.Doc) { d.Nodes[0].VRFKey = genesis.Key{} }, genesis.ErrField, "both"},
		"a VRF key that proves anything": {func(d *genesis.Doc) { d.Nodes[0].VRFKey = genesis.Key{1} }, genesis.ErrField, "small order"},
		"a key that is none":             {func(d *genesis.Doc) { d.Nodes[0].ConsensusKey = genesis.Key(bytes.Repeat([]byte{0xff}, 32)) }, genesis.ErrField, "make new"},
		"one key for two uses": {func(d *genesis.Doc) { d.Nodes[0].VRFKey = d.Nodes[0].ConsensusKey },
			genesis.ErrDuplicate, "share the key"},
		"a validating container": {func(d *genesis.Doc) { d.Nodes[0].Roles = genesis.Roles(economics.RoleContainer) },
			genesis.ErrField, "add checker"},
		"an oracle twice": {func(d *genesis.Doc) { d.Oracles[2] = d.Oracles[0] }, genesis.ErrDuplicate, "oracles[0] and oracles[2]"},
		"two oracles":     {func(d *genesis.Doc) { d.Oracles = d.Oracles[:2] }, genesis.ErrField, "oracle_min"},
		"no oracle's key": {func(d *genesis.Doc) { d.Oracles[1] = key.Address{} }, genesis.ErrField, "oracles[1]"},
		"a crowd":         {func(d *genesis.Doc) { d.Oracles = make([]key.Address, 33) }, genesis.ErrField, "at most 32"},
		"a landlord": {func(d *genesis.Doc) {
			for i := range genesis.MaxNodesPerOwner {
				n := container("b", 1_335*frm)
				n.Node = key.Node{9, byte(i), byte(i >> 8)}
				d.Nodes = append(d.Nodes, n)
			}
		}, genesis.ErrField, "another account"},
		"too many nodes":   {func(d *genesis.Doc) { d.Nodes = make([]genesis.Node, genesis.MaxNodes+1) }, genesis.ErrSize, "transactions"},
		"too many owners":  {func(d *genesis.Doc) { d.Accounts = make([]genesis.Account, genesis.MaxAccounts+1) }, genesis.ErrSize, "transfers"},
		"no validator":     {func(d *genesis.Doc) { d.Nodes[0].VRFKey, d.Nodes[0].ConsensusKey = genesis.Key{}, genesis.Key{} }, genesis.ErrValidators, "vrf_key"},
		"free, no oracles": {func(d *genesis.Doc) { d.Oracles = nil }, nil, ""},
	} {
		d := build(t, plan())
		c.change(d)
		err := d.Validate()
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A document that cannot be written has the hash of nothing, and is not valid.
func TestHashOfNoDocument(t *testing.T) {
	d := build(t, plan())
	d.Nodes[1].Class = 9
	if _, err := d.Marshal(); !errors.Is(err, genesis.ErrField) || d.Validate() == nil {
		t.Errorf("class 9 was written: %v", err)
	}
	if d.Hash() == build(t, plan()).Hash() {
		t.Error("its hash is that of another")
	}
}

// As many accounts and nodes as are allowed fit into a file, and are read in one go.
func TestLargestFile(t *testing.T) {
	p := plan()
	p.Params = ptr(economics.DefaultParams())
	p.Params.ContainerStake = 0
	for i := range genesis.MaxAccounts - len(p.Accounts) {
		p.Accounts = append(p.Accounts, genesis.Account{Address: key.Address{1, byte(i), byte(i >> 8)}, Amount: 1})
	}
	for i := range genesis.MaxNodes - len(p.Nodes) {
		p.Nodes = append(p.Nodes, genesis.Node{Node: key.Node{2, byte(i), byte(i >> 8)}, Owner: key.Address{3, byte(i / 1_000)}, Roles: 1, Region: "eu-west"})
	}
	raw := marshal(t, build(t, p))
	if len(raw) > genesis.MaxBytes {
		t.Fatalf("%d bytes", len(raw))
	}
	if _, err := genesis.Parse(raw); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d accounts and %d nodes are %d bytes", genesis.MaxAccounts, genesis.MaxNodes, len(raw))
}

func ptr[T any](v T) *T { return &v }

// FuzzParse: no input makes Parse panic, and what it takes is written back to the same
// network.
func FuzzParse(f *testing.F) {
	good := marshal(f, build(f, plan()))
	f.Add(good)
	f.Add([]byte("{}"))
	f.Add([]byte(`{"chain_id":"a","chain_id":"a"}`))
	f.Add(bytes.Replace(good, []byte(`"symbol"`), []byte(`"ſymbol"`), 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := genesis.Parse(raw)
		if err != nil {
			return
		}
		again, err := genesis.Parse(marshal(t, d))
		if err != nil || again.Hash() != d.Hash() {
			t.Fatalf("%q is read, and what it is written to is not: %v", raw, err)
		}
		if sum, err := d.Allocated(); err != nil || sum != d.Supply || len(d.Validators()) == 0 {
			t.Fatalf("%q is valid", raw)
		}
	})
}
