// Package p2p makes a node's place in the mesh: its key, its libp2p host and the
// DHT it meets others through. Two sub-packages stand on it: discovery finds peers
// and remembers them, gossip spreads signed messages. wire, seal, rpc and blob hold
// what is said.
//
// The package never listens beyond loopback unless the operator names an address,
// never runs without resource limits, and knows nothing of games, sessions or money.
package p2p
