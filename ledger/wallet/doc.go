// Package wallet keeps account keys in files, each encrypted with a passphrase (age,
// scrypt), none ever overwritten. The address of a key is readable without the passphrase,
// so that anyone can be told where to pay while nobody can spend. The package asks nobody
// for a passphrase and prints nothing: that is the command line's.
//
// A key named "savings" is two files in the wallet's folder, both of mode 0600:
//
//	savings.age   the secret: an armored age file that the age tool opens, too
//	savings.json  what may be known: address and time of creation
//
// Losing the second loses nothing: unlocking writes it again.
package wallet
