// Package device finds out what this machine can render: its processors and
// graphics cards, and how many sessions it really carries.
//
// Inventory reads names and sizes. Measure runs a short benchmark in a process of
// its own and keeps the result on disk, since the same machine gives the same
// answer; Rate turns it into slots and a score by a formula that is written down
// there.
//
// Sessions are rendered and coded on the processor. Graphics cards are listed as
// facts about the machine and carry no slots.
package device
