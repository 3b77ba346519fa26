package chain

import "context"

// startEvil starts a validator that does what evil says.
func startEvil(ctx context.Context, c Config, evil string) (*Chain, error) { return Start(ctx, c) }
