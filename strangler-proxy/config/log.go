package config

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

var logSection = Section{"log", "The line that each request leaves. Lines are written several times a second; if they cannot be written, because the disk is full, requests go on and the lost lines are counted. A `{token}` in a route's path keeps the path out of the log.", []Key{
	{Name: "access", Type: "text or off", Default: "auto", Doc: "`json`, `text` for people, `off`, or `auto`: the form of the program's other log lines."},
	{Name: "path", Type: "text", Default: "stderr", Doc: "A file to append to; SIGHUP opens it again. Relative paths begin in the folder of this file."},
	{Name: "query", Type: "boolean", Default: "false", Doc: "Whether the query is shown, without the values of parameters that are named like secrets."},
}}

// An AccessLog says what is written about each request, and where.
type AccessLog struct {
	Format LogFormat
	Path   string // of a file; "" means standard error
	Query  bool   // also the query, with secrets taken out
}

// A LogFormat is the form of a line.
type LogFormat string

// The formats.
const (
	LogAuto LogFormat = "auto" // whatever the program's other log lines have
	LogJSON LogFormat = "json"
	LogText LogFormat = "text" // for people
	LogOff  LogFormat = "off"
)

func logFormats() []string {
	return []string{string(LogAuto), string(LogJSON), string(LogText), string(LogOff)}
}

// log reads the mapping; nil means the defaults.
func (c *checker) log(n *yamldoc.Node) AccessLog {
	s := AccessLog{Format: LogAuto}
	if n == nil {
		return s
	}
	keys, ok := c.section(n, logSection, "log")
	if !ok {
		return s
	}
	if k := keys["access"]; k != nil {
		s.Format = c.logFormat(k)
	}
	if k := keys["path"]; k != nil {
		s.Path = c.text(k, "log.path")
		switch {
		case s.Path == "stderr":
			s.Path = ""
		case s.Path != "" && !filepath.IsAbs(s.Path):
			s.Path = filepath.Join(c.folder, s.Path)
		}
	}
	if k := keys["query"]; k != nil {
		if k.Kind != yamldoc.Bool {
			c.add(k.Pos, "", "log.query must be true or false, this is %s", k.Kind)
		}
		s.Query = k.Text == "true"
	}
	return s
}

func (c *checker) logFormat(n *yamldoc.Node) LogFormat {
	text := n.Text
	if n.Kind == yamldoc.Bool && text == "false" {
		text = string(LogOff)
	} else if text = c.text(n, "log.access"); text == "" {
		return LogAuto
	}
	if !slices.Contains(logFormats(), text) {
		c.add(n.Pos, yamldoc.DidYouMean(text, logFormats()), "log.access: %q is no form of the access log", text)
	}
	return LogFormat(text)
}

// LogText is the section in the spelling of the file.
func (c *Config) LogText() string {
	s := c.AccessLog
	text := "access: " + string(s.Format)
	if s.Path != "" {
		text += fmt.Sprintf(", path: %q", s.Path)
	}
	return fmt.Sprintf("{ %s, query: %v }", text, s.Query)
}
