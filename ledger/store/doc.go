// Package store keeps the ledger on disk: one Badger database that holds the state tree
// (iavl, one version per height) and the stores of CometBFT. A version is there whole or
// not at all, whenever the process dies. It knows nothing of what is stored, and it never
// repairs by guessing: what it cannot do it refuses, and says why.
package store
