// Package light lets a node that keeps no chain use the ledger without trusting
// whom it asks: headers are verified from the genesis file on, values come with proofs,
// transactions go through any peer. It knows no transport; the node hands one in.
package light

//go:generate protoc -I ../.. --plugin=protoc-gen-go=./protoc-gen-go.sh --go_out=../.. --go_opt=paths=source_relative ledger/light/ledger.proto
