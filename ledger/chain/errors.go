package chain

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Errors of this package. What wraps them says what to try.
var (
	ErrConfig     = errors.New("chain: bad configuration")
	ErrPort       = errors.New("chain: cannot listen")
	ErrGenesis    = errors.New("chain: the data belongs to another genesis file")
	ErrKey        = errors.New("chain: the validator's key cannot be used")
	ErrClock      = errors.New("chain: this machine's clock is wrong")
	ErrBusy       = errors.New("chain: too busy to take the transaction")
	ErrCatchingUp = errors.New("chain: still catching up with the network")
	ErrStopped    = errors.New("chain: stopped")
	ErrHalted     = errors.New("chain: halted")
	ErrNotFound   = errors.New("chain: not found")
	ErrPruned     = errors.New("chain: older than what is kept")
	ErrRefused    = errors.New("chain: the transaction was refused")
)

// Refusal is why a transaction was not taken: a rule of the ledger, by its code.
type Refusal struct {
	Code uint32 // as in the result of a transaction in a block; never 0
	Text string // one sentence
}

func (r *Refusal) Error() string { return ErrRefused.Error() + ": " + r.Text }

// Unwrap makes errors.Is(err, ErrRefused) true.
func (r *Refusal) Unwrap() error { return ErrRefused }

// explain turns what the engine said at its start into what a person can act on.
func explain(err error, c Config) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w on %s: another program, or another node, uses the port; stop it or set another port: %w", ErrPort, c.Listen, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w on %s: set an address of this machine and a port above 1023: %w", ErrPort, c.Listen, err)
	case errors.Is(err, syscall.ENOSPC), strings.Contains(err.Error(), "no space left on device"):
		return fmt.Errorf("chain: the disk of %s is full; free some space and start again, nothing that was committed is lost: %w", c.Dir, err)
	case strings.Contains(err.Error(), "address already in use"):
		return fmt.Errorf("%w on %s: another program, or another node, uses the port; stop it or set another port: %w", ErrPort, c.Listen, err)
	}
	return err
}
