package testnet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/framemesh/framemesh/node"
)

// ledgerBound is what a node keeps that means something on one ledger only: the chain or its
// headers, rounds that are under way, sessions to settle and to show.
var ledgerBound = []string{"ledger", "rounds", "dues", "segments"}

// anew makes a directory in which a network ran before ready for the next one, which begins a
// ledger of its own. Keys, apps and fraud proofs stay; what belongs to the ledger that ended
// goes, with the wallets of its owners. A directory without a genesis file is left as it is.
func anew(dir string, names map[string][]node.Role) error {
	if _, err := os.Stat(filepath.Join(dir, genesisFile)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for name := range names {
		if err := node.InUse(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	var errs []error
	for name := range names {
		for _, kept := range ledgerBound {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, name, kept)))
		}
		proofs := node.ProofsDir(filepath.Join(dir, name))
		list, _ := os.ReadDir(proofs) // none is no error
		for _, e := range list {
			if strings.HasSuffix(e.Name(), ".ballot") { // votes on a batch of the old ledger's epochs, which the new one counts again
				errs = append(errs, os.Remove(filepath.Join(proofs, e.Name())))
			}
		}
	}
	for _, name := range append(sortedNames(names), faucetName) {
		if err := os.Remove(filepath.Join(dir, clientDir, "wallets", name+".age")); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
