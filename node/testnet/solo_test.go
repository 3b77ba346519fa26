package testnet

import "testing"

// One process that is gateway, indexer and container is a whole network: its page finds its own
// indexer, which matches its own container, and nobody else is there.
func TestOnePeerAloneIsANetwork(t *testing.T) {
	n := start(t, Options{Solo: true, Containers: 1, Slots: 1})
	if peers := n.Peers(); len(peers) != 1 || n.Find("gateway-1") != n.Find("container-1") || n.Find("gateway-1") != n.Find("indexer-1") {
		t.Fatalf("%d peers", len(peers))
	}
	_, goesOn := honest(t, n)
	goesOn("playing alone")
	me := n.Find(solo)
	if c := n.Connections(); c != 0 {
		t.Errorf("%d connections of a peer that is alone", c)
	}
	// what passed through the loopback was counted as any stream is
	for _, protocol := range []string{"app", "match", "reserve", "signal"} {
		if figure(t, me, "framemesh_rpc_requests_total", protocol, "OK") < 1 {
			t.Errorf("no %s was counted", protocol)
		}
	}
}

// The same with money: the one peer makes the blocks too, is drawn as indexer by them, and is
// paid for the seconds that were played.
func TestOnePeerAloneIsPaid(t *testing.T) {
	n := start(t, Options{Solo: true, Containers: 1, Checkers: 1, Slots: 1, Money: &Money{EpochSeconds: 5, BlockMS: 250}})
	_, _, goesOn := honestPayer(t, n, nil, nil)
	goesOn("playing alone")
	supplyIsExact(t, n)
}
