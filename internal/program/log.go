package program

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
)

// Logger returns a logger on w. format is "text", "json" or "auto" (text on a
// terminal, JSON otherwise); level is debug, info, warn or error.
func Logger(w io.Writer, format, level string) (*slog.Logger, error) {
	var min slog.Level
	if err := min.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, Fail(Usage, "use debug, info, warn or error", "unknown log level %q", level)
	}
	tty := IsTerminal(w)
	switch format {
	case "text":
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: min})), nil
	case "auto", "":
		if !tty {
			return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: min})), nil
		}
	default:
		return nil, Fail(Usage, "use text, json or auto", "unknown log format %q", format)
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: min, TimeFormat: time.TimeOnly, NoColor: !tty})), nil
}

// LogsText reports whether Logger writes lines for people.
func LogsText(w io.Writer, format string) bool {
	return format == "text" || format != "json" && IsTerminal(w)
}

// IsTerminal reports whether a person reads what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Version is what every program prints for --version: the version of the module
// as the build recorded it.
func Version(name string) string {
	return fmt.Sprintf("%s %s", name, buildVersion())
}
