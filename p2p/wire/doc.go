// Package wire holds the protobuf messages that peers exchange. It has no logic:
// sealing is p2p/seal, limits and framing are p2p/rpc and p2p/gossip. The messages,
// their limits and their codes are described in docs/spec/wire.md.
package wire

// The files are named to protoc from the module's root: protobuf's registry is global,
// and a plain rpc.proto is pubsub's.
//go:generate protoc -I ../.. --plugin=protoc-gen-go=./protoc-gen-go.sh --go_out=../.. --go_opt=paths=source_relative p2p/wire/sealed.proto p2p/wire/rpc.proto p2p/wire/play.proto p2p/wire/check.proto p2p/wire/audit.proto p2p/wire/account.proto
