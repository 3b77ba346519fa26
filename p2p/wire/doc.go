// Package wire holds the protobuf messages that peers exchange. It has no logic:
// sealing is p2p/seal, limits and framing are p2p/rpc and p2p/gossip. The messages,
// their limits and their codes are described in docs/spec/wire.md.
package wire

//go:generate protoc --plugin=protoc-gen-go=./protoc-gen-go.sh --go_out=. --go_opt=paths=source_relative sealed.proto rpc.proto play.proto
