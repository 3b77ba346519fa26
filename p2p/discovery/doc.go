// Package discovery finds the peers of a mesh: containers, indexers, checkers and
// gateways by role and region, and any node's addresses by its peer id. It uses a
// Kademlia DHT of the network's own and a file of peers that were good before.
//
// What it answers are hints. Provider records are not signed by the peer they name,
// so a caller fetches something that peer has sealed before believing one. Node
// records are sealed. A lookup takes up to seconds: it is for meeting and for
// recovery and is never on the path from a click to a picture.
package discovery
