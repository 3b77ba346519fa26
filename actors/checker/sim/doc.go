// Package sim is a whole network of rounds in virtual time: the real rounds and provers,
// the real judge, real signatures, and a model of everything between them. It says how
// honest nodes fare under jitter, loss, load, wrong clocks and crashes, how soon cheaters are
// caught, and what a round costs each role in messages and bytes. The same seed gives the
// same run.
//
// The model: a message between two nodes takes the sum of their latencies and jitter, is
// lost or comes twice by chance; gossip reaches each subscriber by itself, its losses being
// those that its own repair leaves. A ledger in one place takes certificates and fraud
// proofs, the latter judged by proof.Check, a block later.
package sim
