package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/wallet"
)

// walletOptions are the wallet's, apart from tests.
var walletOptions wallet.Options

// walletFlags say which keys are meant, and how to open them.
type walletFlags struct {
	dir            string
	passphraseFile string
}

func (f *walletFlags) add(c *cobra.Command) {
	p := c.PersistentFlags()
	p.StringVar(&f.dir, "wallets", "", "folder of the keys (default <data_dir>/wallets)")
	p.StringVar(&f.passphraseFile, "passphrase-file", "", "file with the passphrase on its first line (default: "+passphraseEnv+", or asked for)")
}

// open finds the wallet's folder.
func (f *walletFlags) open(c *cobra.Command, l *ledgerFlags) (*wallet.Wallet, error) {
	dir := f.dir
	if dir == "" {
		cfg, err := l.load(c)
		if err != nil {
			return nil, err
		}
		data, err := cfg.Dir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(data, "wallets")
	}
	return wallet.Open(dir, walletOptions)
}

// names completes names of keys.
func (f *walletFlags) names(l *ledgerFlags) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		w, err := f.open(c, l)
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		list, _ := w.List()
		for _, e := range list {
			out = append(out, cobra.CompletionWithDesc(e.Name, e.Address.String()))
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// choose is the key of that name; without a name, the only one there is.
func (f *walletFlags) choose(w *wallet.Wallet, name string) (wallet.Entry, error) {
	if name != "" {
		e, err := w.Lookup(name)
		return e, explainWallet(err, name)
	}
	list, err := w.List()
	switch len(list) {
	case 0:
		return wallet.Entry{}, withHint(errors.Join(errors.New("there is no key in this wallet"), err), "`framemesh wallet create NAME`, or --wallets with another folder")
	case 1:
		return list[0], nil
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return wallet.Entry{}, withHint(fmt.Errorf("there are %d keys in this wallet", len(list)), "--wallet with one of "+strings.Join(names, ", "))
}

// unlock gives the private key of a name out.
func (f *walletFlags) unlock(c *cobra.Command, w *wallet.Wallet, name string) (ed25519.PrivateKey, error) {
	p, err := passphrase(c, f.passphraseFile, "passphrase of "+name, false)
	if err != nil {
		return nil, err
	}
	k, err := w.Unlock(name, p)
	return k, explainWallet(err, name)
}

// explainWallet adds what to try to the errors of a wallet that do not say it.
func explainWallet(err error, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wallet.ErrNotFound):
		return withHint(fmt.Errorf("no key here is called %q: %w", name, err), "`framemesh wallet list` shows the names; --wallets names another folder")
	case errors.Is(err, wallet.ErrWeak):
		return withHint(err, fmt.Sprintf("%d characters or more; several words that nobody else would put together", wallet.MinPassphrase))
	case errors.Is(err, wallet.ErrSeed):
		return withHint(err, "64 hex digits, or a file that `framemesh wallet export` wrote")
	}
	return err
}

// addressArg is who an argument names: an address, or a key of the wallet.
func addressArg(w *wallet.Wallet, text string) (key.Address, error) {
	if strings.HasPrefix(strings.ToLower(text), key.Prefix+"1") {
		a, err := key.ParseAddress(text)
		return a, withHint(err, "the address again, copied whole: its last six characters are a checksum, so a mistyped one is nobody's")
	}
	e, err := w.Lookup(text)
	if err != nil {
		return key.Address{}, withHint(fmt.Errorf("%q is neither an address (%s1…) nor a key of this wallet", text, key.Prefix), "`framemesh wallet list` shows the names")
	}
	return e.Address, nil
}

func walletCommand() *cobra.Command {
	var l ledgerFlags
	var f walletFlags
	c := group(&cobra.Command{
		Use:   "wallet",
		Short: "Make and keep keys, see what they own, and pay",
		Long: `wallet keeps account keys in files, each under a passphrase of its own. Whoever has file
and passphrase has the money; whoever lost one of them has not. There is nobody to ask for
a new one: keep an export elsewhere.`,
		Example: `  framemesh wallet create savings
  framemesh wallet balance
  framemesh wallet send savings frm1… 12.5`,
	})
	l.add(c)
	f.add(c)
	c.AddCommand(walletCreate(&l, &f), walletImport(&l, &f), walletExport(&l, &f), walletList(&l, &f), walletBalance(&l, &f), walletSend(&l, &f))
	return c
}

// keyRow is a key as commands show it.
type keyRow struct {
	Name    string      `json:"name"`
	Address key.Address `json:"address"`
	Created string      `json:"created,omitempty"`
}

// free refuses a name that is taken, before anybody types a passphrase for it, and one that
// reads like an address.
func free(w *wallet.Wallet, name string) error {
	if strings.HasPrefix(name, key.Prefix+"1") {
		return withHint(fmt.Errorf("a key called %q would be taken for an address", name), "another name")
	}
	if _, err := w.Lookup(name); err == nil || errors.Is(err, wallet.ErrDamaged) {
		return withHint(fmt.Errorf("there is a key called %s already, and nothing is ever overwritten", name), "another name; `framemesh wallet list` shows those in use")
	}
	return nil
}

// made says which key was written.
func made(c *cobra.Command, asJSON bool, verb, name string, a key.Address) error {
	if asJSON {
		return printJSON(c.OutOrStdout(), keyRow{Name: name, Address: a})
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s %s\n  %s\nThis is where others pay to. Keep a copy: `framemesh wallet export %s --out FILE`\n", verb, name, a, name)
	return err
}

func walletCreate(l *ledgerFlags, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a new key under a passphrase",
		Example: "  framemesh wallet create savings\n  framemesh wallet create node-1 --passphrase-file ~/node-1.pass --json",
		Args:    oneArg("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			w, err := f.open(c, l)
			if err != nil {
				return err
			}
			if err := free(w, args[0]); err != nil {
				return err
			}
			p, err := passphrase(c, f.passphraseFile, "new passphrase for "+args[0], true)
			if err != nil {
				return err
			}
			a, err := w.Create(args[0], p)
			if err != nil {
				return explainWallet(err, args[0])
			}
			return made(c, l.json, "created", args[0], a)
		},
	}
}

func walletImport(l *ledgerFlags, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "import NAME [FILE]",
		Short: "Keep a key that comes from elsewhere",
		Long: `import takes a file that export wrote, which keeps its passphrase, or a seed of 64 hex
digits, which gets a new one. Without FILE the seed is read from standard input, so that it
is in no list of commands.`,
		Example: `  framemesh wallet import savings savings.age
  framemesh wallet import old < seed.txt`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return oneArg("NAME")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			w, err := f.open(c, l)
			if err != nil {
				return err
			}
			name, path := args[0], "-"
			if err := free(w, name); err != nil {
				return err
			}
			if len(args) == 2 {
				path = args[1]
			}
			text, err := readSeed(c, path)
			if err != nil {
				return err
			}
			sealed := path != "-" && strings.HasPrefix(text, "-----BEGIN AGE")
			prompt := "new passphrase for " + name
			if sealed {
				prompt = "passphrase of " + path
			}
			p, err := passphrase(c, f.passphraseFile, prompt, !sealed)
			if err != nil {
				return err
			}
			var a key.Address
			if sealed {
				a, err = w.ImportFile(name, path, p)
			} else {
				a, err = w.ImportSeed(name, text, p)
			}
			if err != nil {
				return explainWallet(err, name)
			}
			return made(c, l.json, "imported", name, a)
		},
	}
}

// maxKeyText bounds what is read of a seed or an exported key, in bytes.
const maxKeyText = 16 << 10

// readSeed reads a file, or standard input for "-"; at a terminal, without echo.
func readSeed(c *cobra.Command, path string) (string, error) {
	if path != "-" {
		b, err := readLimited(path, maxKeyText)
		return strings.TrimSpace(string(b)), err
	}
	if fd, ok := terminal(c.InOrStdin()); ok {
		s, err := ask(c.Context(), c.ErrOrStderr(), fd, "seed, 64 hex digits")
		return strings.TrimSpace(s), err
	}
	return typed(c.Context(), func() (string, error) {
		b, err := io.ReadAll(io.LimitReader(c.InOrStdin(), maxKeyText))
		return strings.TrimSpace(string(b)), err
	})
}

func walletExport(l *ledgerFlags, f *walletFlags) *cobra.Command {
	var out, newFile string
	c := &cobra.Command{
		Use:   "export NAME",
		Short: "Write a copy of a key to keep elsewhere, still encrypted",
		Long: `export writes an armored age file: import reads it, and so does ` + "`age --decrypt`" + `. It has
the key's passphrase, or the one in --new-passphrase-file.`,
		Example:           "  framemesh wallet export savings --out /media/stick/savings.age",
		Args:              oneArg("NAME"),
		ValidArgsFunction: f.names(l),
		RunE: func(c *cobra.Command, args []string) error {
			w, err := f.open(c, l)
			if err != nil {
				return err
			}
			name := args[0]
			e, err := w.Lookup(name)
			if err != nil && !errors.Is(err, wallet.ErrDamaged) {
				return explainWallet(err, name)
			}
			path := out
			if path == "" {
				path = name + ".age"
			}
			if _, err := os.Lstat(path); err == nil {
				return withHint(fmt.Errorf("%s is already there and stays as it is", path), "another name with --out")
			}
			p, err := passphrase(c, f.passphraseFile, "passphrase of "+name, false)
			if err != nil {
				return err
			}
			next := p
			if newFile != "" {
				if next, err = passphraseFrom(c.ErrOrStderr(), newFile); err != nil {
					return err
				}
			}
			if err := w.Export(name, p, path, next); err != nil {
				return explainWallet(err, name)
			}
			if l.json {
				return printJSON(c.OutOrStdout(), struct {
					keyRow
					File string `json:"file"`
				}{keyRow{Name: name, Address: e.Address}, path})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s\nWho has it and its passphrase has the money of %s.\n", path, name)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "where to write it (default NAME.age here)")
	c.Flags().StringVar(&newFile, "new-passphrase-file", "", "file with another passphrase for the copy")
	return c
}

func walletList(l *ledgerFlags, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys and their addresses; no passphrase is needed",
		Example: "  framemesh wallet list --json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := f.open(c, l)
			if err != nil {
				return err
			}
			list, damaged := w.List()
			if l.json {
				rows := []keyRow{}
				for _, e := range list {
					rows = append(rows, keyRow{e.Name, e.Address, e.Created.UTC().Format(time.RFC3339)})
				}
				problems := []string{}
				if damaged != nil {
					problems = strings.Split(damaged.Error(), "\n")
				}
				return printJSON(c.OutOrStdout(), map[string]any{"keys": rows, "problems": problems})
			}
			if len(list) == 0 && damaged == nil {
				_, err := fmt.Fprintln(c.OutOrStdout(), "no keys here yet; `framemesh wallet create NAME` makes one")
				return err
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tADDRESS\tCREATED")
			for _, e := range list {
				fmt.Fprintf(t, "%s\t%s\t%s\n", e.Name, e.Address, e.Created.Local().Format(time.DateOnly))
			}
			if err := t.Flush(); err != nil {
				return err
			}
			if damaged != nil {
				fmt.Fprintf(c.ErrOrStderr(), "cannot be read: %v\n", damaged)
			}
			return nil
		},
	}
}
