package node

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// ErrConfig is wrapped by everything that is wrong with a configuration.
var ErrConfig = errors.New("node: configuration")

// Role names a set of modules that a node runs.
type Role string

// The roles of a node. A player needs none: a browser plays through any gateway.
const (
	RoleContainer Role = "container"
	RoleIndexer   Role = "indexer"
	RoleChecker   Role = "checker"
	RoleGateway   Role = "gateway"
)

// Config is one node's configuration, as framemesh.toml holds it. The reference
// file with every key explained is ReferenceConfig.
type Config struct {
	Network   string          `toml:"network"`
	Region    string          `toml:"region"`
	DataDir   string          `toml:"data_dir"`
	Roles     []Role          `toml:"roles"`
	P2P       P2PConfig       `toml:"p2p"`
	Gateway   GatewayConfig   `toml:"gateway"`
	Container ContainerConfig `toml:"container"`
	Media     MediaConfig     `toml:"media"`
	Ledger    LedgerConfig    `toml:"ledger"`
	Proof     ProofConfig     `toml:"proof"`
	Debug     DebugConfig     `toml:"debug"`
	Log       LogConfig       `toml:"log"`
}

// P2PConfig is how the node meets others.
type P2PConfig struct {
	Profile   string   `toml:"profile"`   // home, server or loopback
	Listen    []string `toml:"listen"`    // IP addresses; empty = loopback only
	Port      int      `toml:"port"`      // TCP and UDP; 0 = any free port
	Bootstrap []string `toml:"bootstrap"` // multiaddrs ending in /p2p/<peer id>
}

// GatewayConfig is the HTTP side.
type GatewayConfig struct {
	Listen  string   `toml:"listen"`  // host:port; port 0 = any free port
	Hosts   []string `toml:"hosts"`   // names browsers may use besides localhost
	Origins []string `toml:"origins"` // web origins that may embed the WHEP endpoint
}

// ContainerConfig is what this machine offers.
type ContainerConfig struct {
	Slots     int    `toml:"slots"`                    // sessions at once; 0 = as many as the start benchmark measures
	Price     uint64 `toml:"price_micro_usd_per_hour"` // µUSD
	FetchApps bool   `toml:"fetch_apps"`               // fetch an app from other peers when a player asks for it
	Builtin   bool   `toml:"builtin_apps"`             // offer the games inside the binary
	MemoryMiB int    `toml:"memory_mib"`               // limit of one app's memory
	Encoder   string `toml:"encoder"`                  // "" = the best that works
}

// MediaConfig is how video leaves.
type MediaConfig struct {
	UDPPort    int      `toml:"udp_port"` // one port for all sessions; 0 = any
	STUN       []string `toml:"stun"`     // stun: URLs
	MinKbps    int      `toml:"min_kbps"`
	StartKbps  int      `toml:"start_kbps"`
	MaxKbps    int      `toml:"max_kbps"`
	GraceSecs  int      `toml:"grace_s"`      // how long a session outlives its page
	IdleEndMin int      `toml:"idle_end_min"` // minutes without input until a session ends
	MaxViewers int      `toml:"max_viewers"`  // peer connections per session
}

// LedgerConfig is this node's part in the ledger.
type LedgerConfig struct {
	Genesis     string   `toml:"genesis"`      // the network's genesis file; "" = no ledger, play is free
	Mode        string   `toml:"mode"`         // light, full or validator
	Listen      string   `toml:"listen"`       // host:port where validators meet; "" = dials only
	Peers       []string `toml:"peers"`        // id@host:port of validators and full nodes
	TrustHeight uint64   `toml:"trust_height"` // of a header known to be right; 0 = the genesis
	TrustHash   string   `toml:"trust_hash"`   // of that header, hex
	BlockMS     int      `toml:"block_ms"`     // pause between blocks
	PoolTxs     int      `toml:"pool_txs"`     // transactions that may wait for a block
	Snapshots   int      `toml:"snapshots"`    // blocks between snapshots; 0 = none
	KeepStates  int      `toml:"keep_states"`  // states that can be asked for; 0 = all
	CacheMiB    int      `toml:"cache_mib"`    // of nodes of the state; 0 = as much as it needs
	MemoryMiB   int      `toml:"memory_mib"`   // that the program keeps to beside that cache; 0 = 110
	FastSync    bool     `toml:"fast_sync"`    // begin from a snapshot of the peers
	OracleFile  string   `toml:"oracle_file"`  // holds FRM per US dollar; "" = this node is no oracle
}

// Modes of LedgerConfig.
const (
	LedgerLight     = "light"
	LedgerFull      = "full"
	LedgerValidator = "validator"
)

// ProofConfig is this node's part in Proof of Render.
type ProofConfig struct {
	Enabled      bool   `toml:"enabled"`       // containers prove what they render, checkers check it
	Backend      string `toml:"backend"`       // of a container: auto, cpu or gpu
	Threads      int    `toml:"threads"`       // that render on the processor; 0 = one for each core
	CheckThreads int    `toml:"check_threads"` // of a checker

	PlayEvery    int      `toml:"play_every"`    // epochs in which a checker plays once as a customer, on average; 0 = never
	PlayGateways []string `toml:"play_gateways"` // URLs that it plays through
	PlayCeiling  uint64   `toml:"play_ceiling_micro_usd_per_hour"`
	PlayLimit    string   `toml:"play_limit"` // FRM that one such session may cost
}

// DebugConfig is what the node shows to its operator, on loopback only.
type DebugConfig struct {
	Listen string `toml:"listen"` // host:port of /metrics and /debug/pprof; "" = off
}

// LogConfig is what the node says of itself.
type LogConfig struct {
	Level  string `toml:"level"`  // debug, info, warn, error
	Format string `toml:"format"` // text or json
}

// ReferenceConfig is the commented configuration that `framemesh init` writes.
//
//go:embed framemesh.toml
var ReferenceConfig []byte

// DefaultConfig is the reference file's content.
func DefaultConfig() Config {
	c, err := ParseConfig(ReferenceConfig, "framemesh.toml")
	if err != nil {
		panic(err) // the embedded file is tested
	}
	return c
}

// maxConfig bounds the size of a configuration file in bytes.
const maxConfig = 1 << 20

// LoadConfig reads and validates the file at path.
func LoadConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("%w: %s does not exist; write one with `framemesh init --config %s`", ErrConfig, path, path)
	}
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if len(b) > maxConfig {
		return Config{}, fmt.Errorf("%w: %s is not a configuration file (over %d bytes); point --config at framemesh.toml", ErrConfig, path, maxConfig)
	}
	base, err := ParseConfig(ReferenceConfig, "framemesh.toml")
	if err != nil {
		return Config{}, err
	}
	c, err := parseOver(base, b, path)
	if err != nil {
		return c, err
	}
	return c, c.rooted(filepath.Dir(path))
}

// rooted takes relative paths of a file from the folder that it lies in: a node finds its data
// wherever it is started from.
func (c *Config) rooted(dir string) error {
	for _, p := range []*string{&c.DataDir, &c.Ledger.Genesis, &c.Ledger.OracleFile} {
		if *p == "" || filepath.IsAbs(*p) || strings.HasPrefix(*p, "~/") {
			continue
		}
		abs, err := filepath.Abs(filepath.Join(dir, *p))
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrConfig, *p, err)
		}
		*p = abs
	}
	return nil
}

// ParseConfig reads a complete configuration; unknown keys are refused with their line.
func ParseConfig(b []byte, name string) (Config, error) { return parseOver(Config{}, b, name) }

func parseOver(c Config, b []byte, name string) (Config, error) {
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%w: %s", ErrConfig, explain(err, name))
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%w (in %s)", err, name)
	}
	return c, nil
}

// explain turns a TOML error into one sentence with the line.
func explain(err error, name string) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		row, _ := e.Position()
		return fmt.Sprintf("%s:%d: unknown key %q; remove it or see `framemesh init --print` for every key there is", name, row, strings.Join(e.Key(), "."))
	}
	var dec *toml.DecodeError
	if errors.As(err, &dec) {
		row, col := dec.Position()
		return fmt.Sprintf("%s:%d:%d: %s; compare with `framemesh init --print`", name, row, col, plain(dec))
	}
	return fmt.Sprintf("%s: %v; compare with `framemesh init --print`", name, err)
}

// wrongType is how the decoder says that a value does not fit its key, in the words of Go.
var wrongType = regexp.MustCompile(`^cannot decode TOML \w+ into .* of type (\S+)$`)

// wanted says how a value of a Go type is written in the file. What is not here is a section.
var wanted = map[string]string{"int": "a whole number", "uint64": "a whole number, 0 or more", "string": `text in "quotes"`, "node.Role": `text in "quotes"`,
	"bool": "true or false", "[]string": `a list such as ["a", "b"]`, "[]node.Role": `a list such as ["container", "gateway"]`}

// plain says what is wrong with a value in words of the file, not of Go.
func plain(dec *toml.DecodeError) string {
	text := strings.TrimPrefix(dec.Error(), "toml: ")
	key := strings.Join(dec.Key(), ".")
	switch m := wrongType.FindStringSubmatch(text); {
	case m != nil && wanted[m[1]] != "":
		return fmt.Sprintf("%s takes %s", key, wanted[m[1]])
	case m != nil:
		return fmt.Sprintf("%s is a section: write [%s] on a line of its own and its keys below", key, key)
	case strings.HasSuffix(text, "cannot be stored in uint64"):
		return fmt.Sprintf("%s takes %s", key, wanted["uint64"])
	case strings.HasPrefix(text, "expected keyword"), strings.HasSuffix(text, "at start of value"):
		return `this is no value; text needs "quotes"`
	}
	return text
}

var hashRule = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Validate reports the first thing that is wrong and what to write instead.
func (c *Config) Validate() error {
	bad := func(key, why string) error { return fmt.Errorf("%w: %s: %s", ErrConfig, key, why) }
	switch {
	case !nameRule.MatchString(c.Network):
		return bad("network", "use 1 to 32 of a-z, 0-9 and -, for example \"main\"")
	case !nameRule.MatchString(c.Region):
		return bad("region", "use 1 to 32 of a-z, 0-9 and -, for example \"eu-west\"")
	case len(c.Roles) == 0:
		return bad("roles", `name at least one of "container", "indexer", "checker", "gateway"`)
	case !slices.Contains([]string{"home", "server", "loopback"}, c.P2P.Profile):
		return bad("p2p.profile", `use "home", "server" or "loopback"`)
	case c.P2P.Port < 0 || c.P2P.Port > 65535:
		return bad("p2p.port", "use 0 to 65535")
	case c.Container.Slots < 0 || c.Container.Slots > 256:
		return bad("container.slots", "use 0 (measured) to 256")
	case c.Container.MemoryMiB < 16 || c.Container.MemoryMiB > 512:
		return bad("container.memory_mib", "use 16 to 512")
	case c.Media.UDPPort < 0 || c.Media.UDPPort > 65535:
		return bad("media.udp_port", "use 0 to 65535")
	case c.Media.MinKbps < 100 || c.Media.MinKbps > c.Media.StartKbps || c.Media.StartKbps > c.Media.MaxKbps || c.Media.MaxKbps > 100_000:
		return bad("media.min_kbps, start_kbps, max_kbps", "use 100 ≤ min ≤ start ≤ max ≤ 100000")
	case c.Media.GraceSecs < 1 || c.Media.GraceSecs > 600:
		return bad("media.grace_s", "use 1 to 600")
	case c.Media.IdleEndMin < 1 || c.Media.IdleEndMin > 24*60:
		return bad("media.idle_end_min", "use 1 to 1440")
	case c.Media.MaxViewers < 1 || c.Media.MaxViewers > 64:
		return bad("media.max_viewers", "use 1 to 64")
	case !slices.Contains([]string{LedgerLight, LedgerFull, LedgerValidator}, c.Ledger.Mode):
		return bad("ledger.mode", `use "light", "full" or "validator"`)
	case (c.Ledger.TrustHeight == 0) != (c.Ledger.TrustHash == ""):
		return bad("ledger.trust_height, trust_hash", "give both, or neither to start from the genesis")
	case c.Ledger.TrustHash != "" && !hashRule.MatchString(c.Ledger.TrustHash):
		return bad("ledger.trust_hash", "use the 64 hex digits of a header's hash, as `framemesh ledger block` prints it")
	case c.Ledger.BlockMS < 50 || c.Ledger.BlockMS > 60_000:
		return bad("ledger.block_ms", "use 50 to 60000")
	case c.Ledger.PoolTxs < 100 || c.Ledger.PoolTxs > 200_000:
		return bad("ledger.pool_txs", "use 100 to 200000")
	case c.Ledger.Snapshots < 0 || c.Ledger.KeepStates < 0:
		return bad("ledger.snapshots, keep_states", "use 0 or more")
	case c.Ledger.CacheMiB != 0 && (c.Ledger.CacheMiB < 8 || c.Ledger.CacheMiB > 65_536):
		return bad("ledger.cache_mib", "use 0 (as much as the state needs) or 8 to 65536")
	case c.Ledger.MemoryMiB != 0 && (c.Ledger.MemoryMiB < leastLedgerMemoryMiB || c.Ledger.MemoryMiB > 65_536):
		return bad("ledger.memory_mib", fmt.Sprintf("use 0 (%d, right for most) or %d to 65536: with less the collector would run all the time; a smaller ledger.cache_mib or ledger.pool_txs saves memory too", ledgerMemoryMiB, leastLedgerMemoryMiB))
	case !slices.Contains([]string{BackendAuto, BackendCPU, BackendGPU}, c.Proof.Backend):
		return bad("proof.backend", `use "auto", "cpu" or "gpu"`)
	case c.Proof.Threads < 0 || c.Proof.Threads > 256:
		return bad("proof.threads", "use 0 (one for each core) to 256")
	case c.Proof.CheckThreads < 1 || c.Proof.CheckThreads > 64:
		return bad("proof.check_threads", "use 1 to 64")
	}
	if where, try := c.Proof.checkPlay(); where != "" {
		return bad(where, try)
	}
	switch {
	case c.Debug.Listen != "" && !loopback(c.Debug.Listen):
		return bad("debug.listen", `use an address of this machine alone, for example "127.0.0.1:6060", or "" for none`)
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level):
		return bad("log.level", `use "debug", "info", "warn" or "error"`)
	case !slices.Contains([]string{"text", "json"}, c.Log.Format):
		return bad("log.format", `use "text" or "json"`)
	}
	for _, r := range c.Roles {
		if !slices.Contains([]Role{RoleContainer, RoleIndexer, RoleChecker, RoleGateway}, r) {
			return bad("roles", fmt.Sprintf(`%q is none of "container", "indexer", "checker", "gateway"`, r))
		}
	}
	return nil
}

// Has says whether the node runs the role.
func (c *Config) Has(r Role) bool { return slices.Contains(c.Roles, r) }

// Dir returns the data directory with ~ and "" resolved.
func (c *Config) Dir() (string, error) {
	d := c.DataDir
	home, err := os.UserHomeDir()
	if d == "" {
		if err != nil {
			return "", fmt.Errorf("%w: data_dir: no home directory here; name one in the file or by --data-dir", ErrConfig)
		}
		return filepath.Join(home, ".framemesh"), nil
	}
	if rest, ok := strings.CutPrefix(d, "~/"); ok {
		if err != nil {
			return "", fmt.Errorf("%w: data_dir: no home directory here; write it out", ErrConfig)
		}
		return filepath.Join(home, rest), nil
	}
	return filepath.Abs(d)
}
