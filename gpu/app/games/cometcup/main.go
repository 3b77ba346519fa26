// Command cometcup is Comet Cup, a duel for two: bounce the comet into the
// other's gate, first to five. Two play on one keyboard or from two places;
// whoever is missing is played by the machine. The longer a rally lasts, the
// more comets fly.
package main

import "github.com/framemesh/framemesh/gpu/app/sdk"

func init() { sdk.Register(&game{}) }

func main() { sdk.Main() }
