// Package judge decides what a round of Proof of Render comes to: who checks whom, when,
// and what the votes of a committee say. Every node computes it alike from the ledger's seed
// and the votes: all functions are pure, in integers, and total on any input. It trusts no
// single vote; what one checker alone can prove is evidence (package proof) and does not
// pass through here. The rules are written out in docs/spec/proof.md.
package judge
