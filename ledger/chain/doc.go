// Package chain makes many copies of the ledger agree: CometBFT runs inside the process,
// unmodified, and drives the state machine of ledger/state over the tree of ledger/store.
// A validator proposes and votes; a full node follows and answers with proofs. A network
// of one validator (solo) is the same code.
//
// What it promises: a block that Head has shown is on disk and comes back after a crash at
// any instant; all nodes have one root per height; nothing a peer sends is believed before
// two thirds of the voting power signed for it.
//
// What it never does: listen beyond the address it was given, open a port for queries, or
// decide anything from its own clock. Block time is the median of the validators' clocks.
//
// A validator that is alone knows the seed of every epoch before anybody else, since it
// alone makes the proofs that the seed is made of. What is drawn from the seed is
// unpredictable only where several validators of different owners take turns.
package chain
