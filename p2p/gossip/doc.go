// Package gossip spreads small signed messages to every peer that asked for their
// topic: the containers' ads today, votes and ledger news on the same pipeline later.
//
// Whatever arrives is judged before it is passed on: size, decoding, signature,
// sequence, lifetime, registration, in this order, cheapest first. What no honest
// peer could have forwarded is rejected and counts against the sender; what depends
// on the moment or on what a peer knows is ignored without blame. See
// docs/spec/gossip.md for the order, the score parameters and the reasons.
//
// Delivery is best effort: a message may arrive late or never, so whoever publishes
// repeats it.
package gossip
