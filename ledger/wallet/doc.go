// Package wallet keeps account keys in files: each encrypted with a passphrase, none ever
// overwritten. The address is readable without the passphrase.
package wallet
