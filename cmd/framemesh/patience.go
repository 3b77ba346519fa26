package main

import "time"

// For how long commands wait for others before they say what may be wrong. Tests have them wait
// longer: on a machine that stands still for seconds nothing is wrong yet.
var (
	lookFor     = 30 * time.Second // for the ledger, and then for answers, without --timeout
	stopTimeout = 20 * time.Second // for a node or a demo to end well
	examineFor  = 20 * time.Second // doctor, for an encoder or a worker to show a picture
)
