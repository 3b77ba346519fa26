// Package proof is what containers and checkers sign about rendering: the statements of
// Proof of Render, how they are encoded and signed, and what of them is evidence. It
// decides nothing; package judge does.
package proof

//go:generate protoc -I ../.. --plugin=protoc-gen-go=./protoc-gen-go.sh --go_out=../.. --go_opt=paths=source_relative ledger/proof/proof.proto
