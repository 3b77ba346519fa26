#!/bin/sh
# The generator that go.mod pins, for protoc --plugin: nothing has to be in the PATH.
exec go tool protoc-gen-go "$@"
