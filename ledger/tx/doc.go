// Package tx is what accounts tell the ledger: the transactions, their limits, their
// signatures. It decodes bytes of strangers, so every field is bounded before it is
// looked at; what a transaction does is package state's.
package tx

//go:generate protoc -I ../.. --plugin=protoc-gen-go=./protoc-gen-go.sh --go_out=../.. --go_opt=paths=source_relative ledger/tx/tx.proto
