// Package state is the ledger as a function: from a state and a transaction to the next
// state and events, or to a refusal with a number. It reads no clock, starts nothing,
// touches no disk and uses no randomness; time, seeds and storage come in as arguments, so
// that every node that is given the same blocks holds the same bytes.
//
// A Machine works on an Overlay above a Store. Money moves only from one purse to another
// by Machine.move, which keeps the running totals; at the end of each block they must sum to
// the supply. Keys and values are written out in docs/spec/ledger-state.md.
package state
