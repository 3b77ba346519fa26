package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/wallet"
)

// offline runs a wallet command in a folder and returns its status and output.
func offline(dir string, args ...string) (int, string, string) {
	return inProcess(append(append([]string{"wallet"}, args...), "--data-dir", dir)...)
}

// quickWallets makes the wallets of a test quick to open.
func quickWallets(t *testing.T) {
	t.Helper()
	walletOptions = wallet.Options{Work: 10}
	t.Cleanup(func() { walletOptions = wallet.Options{} })
}

func TestKeysAreMadeExportedAndImported(t *testing.T) {
	quickWallets(t)
	t.Setenv(passphraseEnv, "four words and more")
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "copy.age")
	status, text, errOut := offline(dir, "create", "savings", "--json")
	var made keyRow
	if err := json.Unmarshal([]byte(text), &made); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	if st, err := os.Stat(filepath.Join(dir, "wallets", "savings.age")); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if status, _, errOut := offline(dir, "export", "savings", "--out", out); status != 0 {
		t.Fatal(errOut)
	}
	if b, err := os.ReadFile(out); err != nil || !bytes.Contains(b, []byte("AGE ENCRYPTED FILE")) {
		t.Errorf("exported %q, %v", b, err)
	}
	if status, _, errOut := offline(dir, "export", "savings", "--out", out); status != 1 || !strings.Contains(errOut, "stays as it is") {
		t.Errorf("an export was overwritten: %q", errOut)
	}
	other := t.TempDir()
	if status, _, errOut := offline(other, "import", "again", out); status != 0 {
		t.Fatal(errOut)
	}
	status, text, _ = offline(other, "list", "--json")
	var list struct {
		Keys     []keyRow
		Problems []string
	}
	if err := json.Unmarshal([]byte(text), &list); status != 0 || err != nil || len(list.Keys) != 1 || list.Keys[0].Address != made.Address || list.Keys[0].Name != "again" {
		t.Errorf("status %d, %v: %+v", status, err, list)
	}
	if status, text, _ := offline(dir, "list"); status != 0 || !strings.Contains(text, made.Address.String()) {
		t.Errorf("status %d: %s", status, text)
	}

	// the seed of RFC 8032's first test has one address for ever
	seed := filepath.Join(dir, "seed")
	if err := os.WriteFile(seed, []byte("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, text, errOut = offline(dir, "import", "rfc", seed, "--json")
	if err := json.Unmarshal([]byte(text), &made); status != 0 || err != nil || hex.EncodeToString(made.Address[:]) != "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" {
		t.Errorf("status %d, %v: %x %s", status, err, made.Address, errOut)
	}
}

func TestWalletsSayWhatToTry(t *testing.T) {
	quickWallets(t)
	t.Setenv(passphraseEnv, "four words and more")
	dir := t.TempDir()
	if status, _, errOut := offline(dir, "create", "savings"); status != 0 {
		t.Fatal(errOut)
	}
	junk, open, empty := filepath.Join(dir, "junk"), filepath.Join(dir, "open"), filepath.Join(dir, "empty")
	for path, text := range map[string]string{junk: "not a key", open: "four words and more\n", empty: "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		pass string
		args []string
		want string
	}{
		"name taken":     {"", []string{"create", "savings"}, "wallet list"},
		"no name":        {"", []string{"create", "My Savings"}, "use 1 to 64 of a-z"},
		"like address":   {"", []string{"create", "frm1mine"}, "would be taken for an address"},
		"short":          {"short", []string{"create", "x"}, "8 characters or more"},
		"wrong":          {"not the four words", []string{"export", "savings", "--out", filepath.Join(dir, "x.age")}, "wrong passphrase"},
		"unknown key":    {"", []string{"export", "nobody"}, "wallet list"},
		"no key file":    {"", []string{"import", "x", junk}, "or a file that `framemesh wallet export` wrote"},
		"no such file":   {"", []string{"import", "x", filepath.Join(dir, "none")}, "no such file"},
		"empty file":     {"", []string{"create", "x", "--passphrase-file", empty}, "is empty"},
		"neither":        {"", []string{"balance", "nobody"}, "neither an address"},
		"mistyped":       {"", []string{"balance", "frm1qqqq"}, "copied whole"},
		"no ledger":      {"", []string{"balance", "savings"}, "ledger.genesis"},
		"amount missing": {"", []string{"send", "savings", "frm1qqqq"}, "AMOUNT is missing"},
		"too much":       {"", []string{"send", "savings", "a", "1", "2"}, "one argument too many"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.pass != "" {
				t.Setenv(passphraseEnv, tc.pass)
			}
			status, out, errOut := offline(dir, tc.args...)
			if status != 1 || out != "" || !strings.Contains(errOut, tc.want) {
				t.Errorf("status %d, printed %q, said %q, want %q", status, out, errOut, tc.want)
			}
			if !strings.Contains(errOut, "try: ") && !strings.Contains(errOut, "; ") {
				t.Errorf("it does not say what to try: %q", errOut)
			}
		})
	}
	status, _, errOut := offline(dir, "create", "other", "--passphrase-file", open)
	if status != 0 || runtime.GOOS != "windows" && !strings.Contains(errOut, "chmod 600") {
		t.Errorf("status %d, no warning of a file that others can read: %q", status, errOut)
	}
	if err := os.Unsetenv(passphraseEnv); err != nil { // Setenv above puts it back
		t.Fatal(err)
	}
	if _, ok := terminal(os.Stdin); ok {
		t.Skip("standard input is a terminal: the passphrase would be asked for")
	}
	if status, _, errOut := offline(dir, "create", "third"); status != 1 || !strings.Contains(errOut, "--passphrase-file") {
		t.Errorf("status %d: nobody can be asked: %q", status, errOut)
	}
}

func TestWalletNamesComplete(t *testing.T) {
	quickWallets(t)
	t.Setenv(passphraseEnv, "four words and more")
	dir := t.TempDir()
	for _, n := range []string{"savings", "node-1"} {
		if status, _, errOut := offline(dir, "create", n); status != 0 {
			t.Fatal(errOut)
		}
	}
	for _, args := range [][]string{
		{"__complete", "wallet", "--data-dir", dir, "balance", ""},
		{"__complete", "wallet", "--data-dir", dir, "send", "savings", ""},
		{"__complete", "stake", "--data-dir", dir, "--wallet", ""},
	} {
		if status, out, _ := inProcess(args...); status != 0 || !strings.Contains(out, "savings\t") || !strings.Contains(out, "node-1\t") {
			t.Errorf("%v completes to %q", args, out)
		}
	}
}

func TestGenesisIsBuiltAndChecked(t *testing.T) {
	quickWallets(t)
	t.Setenv(passphraseEnv, "four words and more")
	dir := t.TempDir()
	status, text, errOut := offline(dir, "create", "owner", "--json")
	var owner keyRow
	if err := json.Unmarshal([]byte(text), &owner); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	var lead keyRow
	status, text, errOut = offline(dir, "create", "lead", "--json")
	if err := json.Unmarshal([]byte(text), &lead); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	status, entry, errOut := inProcess("ledger", "keys", "--data-dir", dir, "--owner", owner.Address.String())
	if status != 0 {
		t.Fatal(errOut)
	}
	if status, again, _ := inProcess("ledger", "keys", "--data-dir", dir, "--owner", owner.Address.String()); status != 0 || again != entry {
		t.Errorf("the keys changed: %s, then %s", entry, again)
	}
	var trusted genesis.Node
	status, text, errOut = inProcess("ledger", "keys", "--data-dir", dir, "--owner", owner.Address.String(), "--role", "container", "--rp", "100")
	if err := json.Unmarshal([]byte(text), &trusted); status != 0 || err != nil || trusted.RPMilli != 100_000 {
		t.Errorf("status %d, %v, %+v: %s", status, err, trusted, errOut)
	}
	for _, args := range [][]string{{"--rp", "100"}, {"--role", "container", "--rp", "4294968"}} {
		status, out, errOut := inProcess(append([]string{"ledger", "keys", "--data-dir", dir, "--owner", owner.Address.String()}, args...)...)
		if status != 1 || out != "" || !strings.Contains(errOut, "--rp") || !strings.Contains(errOut, "\n  try: ") {
			t.Errorf("%v: status %d, printed %q, said %q", args, status, out, errOut)
		}
	}
	// the entry is of what the node is configured to be: an indexer is no validator that never signs
	indexer := filepath.Join(dir, "indexer.toml")
	if err := os.WriteFile(indexer, []byte("roles = [\"indexer\", \"gateway\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var other genesis.Node
	status, text, errOut = inProcess("ledger", "keys", "--config", indexer, "--data-dir", dir, "--owner", owner.Address.String())
	if err := json.Unmarshal([]byte(text), &other); status != 0 || err != nil || economics.Role(other.Roles) != economics.RoleIndexer || other.Validates() ||
		!strings.Contains(errOut, "entry of indexer, with 10000 FRM") || strings.Contains(errOut, "ledger.peers") {
		t.Errorf("status %d, %v, %+v: %s", status, err, other, errOut)
	}
	file, path := filepath.Join(dir, "v.json"), filepath.Join(dir, "genesis.json")
	if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	build := func(args ...string) (int, string, string) {
		return inProcess(append([]string{"ledger", "genesis", "build", "--chain", "mine", "--time", "2027-01-01T00:00:00Z", "--out", path, "--json"}, args...)...)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no validator":  {nil, "ledger keys"},
		"bad parameter": {[]string{"--param", "fee=1"}, "one of epoch_seconds"},
		"out of bounds": {[]string{"--param", "fee_bps=5001"}, "0 to 5000"},
		"bad account":   {[]string{"--account", owner.Address.String()}, "ADDRESS=AMOUNT"},
		"bad amount":    {[]string{"--account", owner.Address.String() + "=1e3"}, "eight decimals"},
		"bad grant":     {[]string{"--grant", "teem:" + owner.Address.String() + "=1"}, "POOL:ADDRESS=AMOUNT"},
		"grant of all":  {[]string{"--node", file, "--grant", "team:" + owner.Address.String() + "=7350000001"}, "smaller amounts"},
		"too much":      {[]string{"--node", file, "--account", owner.Address.String() + "=4000000000"}, "--from"},
		"bad time":      {[]string{"--time", "tomorrow"}, "2027-01-01T00:00:00Z"},
		"bad node":      {[]string{"--node", path + ".none"}, "check the path"},
		"bad oracle":    {[]string{"--oracle", "me"}, "frm1"},
	} {
		status, out, errOut := build(tc.args...)
		if status != 1 || out != "" || !strings.Contains(errOut, tc.want) || !strings.Contains(errOut, "\n  try: ") {
			t.Errorf("%s: status %d, printed %q, said %q, want %q", name, status, out, errOut, tc.want)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("a refused plan left a file")
	}
	var r genesisRow
	status, text, errOut = build("--node", file, "--account", owner.Address.String()+"=12.00000001", "--oracle", owner.Address.String(), "--param", "oracle_min=1", "--param", "epoch_seconds=60", "--param", "tx_fee=0.00002",
		"--grant", "team:"+lead.Address.String()+"=7350000000")
	if err := json.Unmarshal([]byte(text), &r); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	if r.Chain != "mine" || r.Validators != 1 || r.Accounts != 2 || r.Epoch != 60 || r.Time != "2027-01-01T00:00:00Z" || r.Supply != 42e17 || r.Unstaked != 1 || errOut != "" {
		t.Errorf("%+v %q", r, errOut)
	}
	var checked genesisRow
	status, text, _ = inProcess("ledger", "genesis", "check", path, "--json")
	if err := json.Unmarshal([]byte(text), &checked); status != 0 || err != nil || checked != r {
		t.Errorf("status %d, %v: built %+v, read %+v", status, err, r, checked)
	}
	if status, _, errOut := inProcess("ledger", "genesis", "check", path); status != 0 || !strings.Contains(errOut, "1 of the oracles") || !strings.Contains(errOut, "name node keys") ||
		!strings.Contains(errOut, "the votes of 3") || strings.Contains(errOut, "pay fees") {
		t.Errorf("an oracle without stake, and one checker: status %d, %q", status, errOut)
	}
	poor := filepath.Join(dir, "poor.json")
	if status, _, errOut := inProcess("ledger", "genesis", "build", "--chain", "mine", "--node", file, "--out", poor); status != 0 || !strings.Contains(errOut, "--account "+owner.Address.String()+"=10") {
		t.Errorf("an owner that cannot pay fees: status %d, %q", status, errOut)
	}
	if status, _, errOut := build("--node", file); status != 1 || !strings.Contains(errOut, "stays as it is") {
		t.Errorf("a genesis file was overwritten: %q", errOut)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(raw, []byte(`"1200000001"`), []byte(`"1200000002"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errOut := inProcess("ledger", "genesis", "check", path); status != 1 || !strings.Contains(errOut, "does not sum") || !strings.Contains(errOut, "\n  try: ") {
		t.Errorf("one base unit too many: status %d, %q", status, errOut)
	}
}

func TestPercentIsExact(t *testing.T) {
	for text, want := range map[string]uint32{"0": 0, "2.5": 25_000, "100": 1_000_000, "0.0001": 1, "33.3333": 333_333} {
		if got, err := percent(text); err != nil || got != want {
			t.Errorf("%s%% is %d ppm, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "100.0001", "0.00001", "1e1", "2,5", "184467440737"} {
		if got, err := percent(text); err == nil {
			t.Errorf("%q is %d ppm", text, got)
		}
	}
}
