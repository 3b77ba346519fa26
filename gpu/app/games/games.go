// Package games holds the apps that come with every node: two games and the
// latency card, as source, as built modules and with their pictures.
//
// The modules are committed so that a node needs no WebAssembly toolchain; a
// test builds them again and compares the bytes.
package games

import "embed"

//go:generate go run ./mkgames

// FS holds one folder per app with module.wasm, app.toml and picture.png.
//
//go:embed */module.wasm */app.toml */picture.png
var FS embed.FS

// Names lists the apps in the order of the catalogue; each is a folder of FS.
func Names() []string {
	return []string{"novareef", "cometcup", "latency", "latency-30", "latency-720"}
}
