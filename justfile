# framemesh: `just` lists what there is.

# this list
default:
    @just --list

# play: a mesh of peers in one process and a page in the browser
demo *args:
    go run ./cmd/framemesh demo {{args}}

# build the binary into ./framemesh
build:
    go build -trimpath -o framemesh ./cmd/framemesh

# all tests (what needs Chromium or protoc skips without them)
test *args:
    go test ./... {{args}}

# what must hold before a change lands; installs its tools with apt
ci:
    bash .ci/run

# formatting, vet and lint
lint:
    gofmt -l $(git ls-files '*.go')
    go vet ./...
    go tool staticcheck ./...

# regenerate generated code: protobuf messages, game modules
generate:
    go generate ./...

# Go benchmarks of every part (no browser)
bench pattern='.':
    go test -run '^$' -bench '{{pattern}}' -benchmem ./actors/... ./gpu/... ./ledger/... ./p2p/... ./stream/...

# the ledger's figures, transactions beside CometBFT's own example
bench-ledger:
    go test -run '^$' -bench 'Throughput/validators=1$' -benchtime 3x -timeout 20m ./ledger/chain
    go test -run '^$' -bench 'Throughput/validators=4$' -benchtime 1x -timeout 20m ./ledger/chain
    go test -run '^$' -bench BlockByAccounts -benchtime 100x -timeout 20m ./ledger/chain
    go test -run '^$' -bench 'BlockAfterRestart|Memory' -benchtime 1x -timeout 20m ./ledger/chain
    go test -run '^$' -bench 'Skip|Sequential|Memory' -benchtime 1x ./ledger/light
    go test -run '^$' -bench . ./ledger/key ./ledger/tx ./ledger/voucher ./ledger/vrf ./ledger/store/proof

# what a validator process takes of memory under transfers: accounts, transfers a second, seconds
bench-memory accounts='100000' rate='300' seconds='40':
    FRAMEMESH_MEMORY={{accounts}},{{rate}},{{seconds}} go test -count=1 -v -run TestAValidatorKeepsToItsMemory -timeout 60m ./cmd/framemesh

# how cheaters and honest nodes fare in the simulation, into the guide (minutes)
proof-table *args:
    go run ./cmd/prooftable {{args}}

# latency in real Chromium through the whole mesh; writes docs/benchmarks/latency.json
bench-latency *args:
    go run ./cmd/latencybench --out docs/benchmarks/latency.json {{args}}

# fuzz one target for a while, e.g. `just fuzz ./p2p/rpc FuzzFrame 60s`
fuzz package target time='30s':
    go test -run '^$' -fuzz '^{{target}}$' -fuzztime {{time}} -fuzzminimizetime 100x {{package}}
