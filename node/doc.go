// Package node is the only place where things are wired: it reads a configuration,
// builds the modules of each role on one libp2p host, and starts and stops them in
// order with deadlines.
package node
