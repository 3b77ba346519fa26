// Package proof is what containers and checkers sign about rendering: the statements of
// Proof of Render, how they are encoded and signed, and what of them is evidence that
// anybody can recompute. It decides nothing that needs more than one witness; package judge
// does. The rules are written out in docs/spec/proof.md.
//
// A message that this package refuses is a message nobody sent: a refusal is never a
// verdict about its sender, or junk in a node's name could cost it its reward.
package proof

//go:generate protoc -I ../.. --plugin=protoc-gen-go=./protoc-gen-go.sh --go_out=../.. --go_opt=paths=source_relative ledger/proof/proof.proto
