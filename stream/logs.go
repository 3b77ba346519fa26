package stream

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs sends what pion has to say to the node's log. Pion warns of everything that
// a hostile peer does, so nothing of it is above the debug level here: what matters
// comes back as an error or a state.
type pionLogs struct{ log *slog.Logger }

var _ logging.LoggerFactory = pionLogs{}

func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

type pionLog struct{ log *slog.Logger }

// Pion's traces and debug lines are for pion's authors, and per packet.
func (pionLog) Trace(string)          {}
func (pionLog) Tracef(string, ...any) {}
func (pionLog) Debug(string)          {}
func (pionLog) Debugf(string, ...any) {}
func (pionLog) Info(string)           {}
func (pionLog) Infof(string, ...any)  {}

func (l pionLog) Warn(msg string)                { l.log.Debug(msg) }
func (l pionLog) Warnf(format string, a ...any)  { l.format("warn", format, a) }
func (l pionLog) Error(msg string)               { l.log.Debug(msg, "pion_level", "error") }
func (l pionLog) Errorf(format string, a ...any) { l.format("error", format, a) }

func (l pionLog) format(level, format string, a []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(format, a...), "pion_level", level)
	}
}
