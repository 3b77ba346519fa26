package chain

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// Messages by which the engine says that it has given up. It has no other way to tell:
// it recovers the panic, writes the line and stays silent for ever.
const (
	saysHalted   = "CONSENSUS FAILURE!!!"
	saysNoSync   = "State sync failed"
	saysNoBoot   = "Failed to bootstrap node with new state"
	saysNoBlocks = "Failed to switch to block sync"
)

// engineLog gives the engine's lines to slog. Its Info is what an operator would call
// debugging, so it is lowered by one level; warnings and errors stay.
type engineLog struct {
	log   *slog.Logger
	fault func(error) // called for the messages above
}

func newEngineLog(log *slog.Logger, fault func(error)) cmtlog.Logger {
	return &engineLog{log: log, fault: fault}
}

func (l *engineLog) Debug(msg string, kv ...any) { l.write(slog.LevelDebug-4, msg, kv) }
func (l *engineLog) Info(msg string, kv ...any)  { l.write(slog.LevelDebug, msg, kv) }
func (l *engineLog) Warn(msg string, kv ...any)  { l.write(slog.LevelWarn, msg, kv) }

func (l *engineLog) Error(msg string, kv ...any) {
	switch msg {
	case saysHalted, saysNoSync, saysNoBoot, saysNoBlocks:
		l.fault(fmt.Errorf("%w: %s: %v", ErrHalted, strings.ToLower(strings.TrimRight(msg, "!")), valueOf(kv, "err")))
		l.write(slog.LevelDebug, msg, kv) // with the stack
		msg, kv = "the ledger has halted", []any{"err", valueOf(kv, "err")}
	}
	l.write(levelOf(msg), msg, kv)
}

// levelOf lowers errors that are the peer's fault or ordinary weather: a closed connection
// is no error of this node, nor is what the engine complains of while it stops.
func levelOf(msg string) slog.Level {
	if strings.HasPrefix(msg, "Not stopping ") || strings.HasPrefix(msg, "Error stopping ") {
		return slog.LevelDebug
	}
	switch msg {
	case "Connection failed @ recvRoutine (reading byte)", "Stopping peer for error",
		"Error dialing peer", "failed to process message", "Error on broadcastTxRoutine",
		"Connection failed @ sendRoutine", "Failed to reconnect to peer. Beginning exponential backoff",
		"Error attempting to reconnect to peer", "Stopped accept routine, as transport is closed",
		"Won't start a peer - switch is not running", "SendTimeout", "Failed to add block":
		return slog.LevelDebug
	}
	return slog.LevelError
}

func (l *engineLog) write(level slog.Level, msg string, kv []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, msg, kv...)
	}
}

// With implements cmtlog.Logger. Keys are kept once: the engine repeats "module".
func (l *engineLog) With(kv ...any) cmtlog.Logger {
	return &engineLog{log: l.log.With(kv...), fault: l.fault}
}

func valueOf(kv []any, key string) any {
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i] == key {
			return kv[i+1]
		}
	}
	return "no reason given"
}
