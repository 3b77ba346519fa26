package sim

import (
	"fmt"
	"slices"
	"strings"
)

// Large is a network of that many nodes in a calm epoch of the main network, in which
// every container has a standing.
func Large(containers, checkers, frames int) Config {
	c := Default()
	c.Containers, c.Checkers, c.Frames = containers, checkers, frames
	c.Trials, c.Established = true, true
	c.Net = Net{LatencyMS: 80, JitterMS: 60}
	return c
}

// gossiped says which kinds go to every checker.
func gossiped(kind string) bool {
	return kind == "nonce_commit" || kind == "nonce" || kind == "vote_commit" || kind == "vote" || kind == "draft"
}

// Traffic is a table of what an epoch sends, by kind of message, from the encoded sizes;
// liveness is counted by its number (pings of each checker to each of its containers).
func (w *World) Traffic() string {
	var kinds []string
	for k := range w.report.Bytes {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	epochs := max(w.report.Epochs, 1)
	var b strings.Builder
	b.WriteString("| message | from | way | messages per epoch | mean bytes | MB per epoch |\n|---|---|---|---|---|---|\n")
	gossip, direct := [2]int{}, map[string]int{}
	for _, k := range kinds {
		t := w.report.Bytes[k]
		way := "direct"
		switch {
		case gossiped(k):
			way = "gossip"
			gossip[0] += t.Messages / epochs
			gossip[1] += t.Bytes / epochs
		case k == "certificate":
			way = "ledger"
		default:
			direct[t.By] += t.Bytes / epochs
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %.2f |\n", k, t.By, way, t.Messages/epochs, t.Bytes/max(t.Messages, 1), float64(t.Bytes)/float64(epochs)/1e6)
	}
	fmt.Fprintf(&b, "\nA container sends %.1f KB in an epoch. A checker hears %d gossiped messages, %.1f MB (each counted once), and gets %.0f KB directly.\n",
		float64(direct["container"])/float64(len(w.containers))/1e3, gossip[0], float64(gossip[1])/1e6,
		float64(direct["container"])/float64(len(w.checkers))/1e3)
	return b.String()
}
