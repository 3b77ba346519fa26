// Package apart renders the proof kernel in a process of its own.
//
// A renderer inside a node would hold the Go scheduler's processors for ten
// milliseconds at a time, and at the lowest priority also its garbage collector, while
// the same process sends players their pictures; and a graphics driver that crashes would take the
// node along. In another process the system's scheduler keeps them apart. Only
// leaves come back, 1/64 of a frame's words.
package apart
