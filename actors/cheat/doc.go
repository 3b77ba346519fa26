// Package cheat is every way in which a container, a checker or an indexer is known to
// lie about rendering, so that a network can be shown to catch it: in the simulation, in tests, and in
// a demo that somebody asked for by name. Each cheat is the honest behaviour with one thing
// changed. A node that runs without the option never comes here.
package cheat
