// Package accept keeps the differences that people have accepted, with the reason, in a
// file that belongs into version control. Nothing is ever accepted by itself, and a rule
// that expired or matches nothing is reported.
package accept

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/glob"
)

// A Rule accepts the differences that fit all it names; * stands for any text.
type Rule struct {
	Route  string `json:"route"`           // "GET /orders/{}"
	Class  string `json:"class"`           // the place: "/items/*/total"
	Kind   string `json:"kind,omitempty"`  // status, missing, value, …; empty is any
	Part   string `json:"part,omitempty"`  // status, header or body; empty is any
	Reason string `json:"reason"`          // required
	Owner  string `json:"owner,omitempty"` // who answers for it
	Until  string `json:"until,omitempty"` // the last day it holds, as 2026-12-31
}

// file is compare.accept.json.
type file struct {
	Schema int    `json:"schema"`
	Rules  []Rule `json:"rules"`
}

// Name is the file that commands read unless told otherwise.
const Name = "compare.accept.json"

const maxRules = 10_000

// Read reads an accept file. One that is not there holds no rules.
func Read(path string) ([]Rule, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Schema != 1 {
		return nil, fmt.Errorf("%s: schema %d; write \"schema\": 1", path, f.Schema)
	}
	if len(f.Rules) > maxRules {
		return nil, fmt.Errorf("%s: %d rules; at most %d are read", path, len(f.Rules), maxRules)
	}
	var problems []error
	for i, r := range f.Rules {
		if err := r.Check(); err != nil {
			problems = append(problems, fmt.Errorf("%s: rules[%d]: %w", path, i, err))
		}
	}
	return f.Rules, errors.Join(problems...)
}

// Add appends a rule to the file, which is made if need be.
func Add(path string, r Rule) error {
	if err := r.Check(); err != nil {
		return err
	}
	rules, err := Read(path)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(file{1, append(rules, r)}, "", "  ")
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name()) //nolint:errcheck // it is gone once renamed
	_, err = part.Write(append(text, '\n'))
	if err = errors.Join(err, part.Chmod(0o644), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}

// Check reports all that is wrong with a rule.
func (r Rule) Check() error {
	var problems []error
	if r.Route == "" {
		problems = append(problems, errors.New(`route: empty; name one, or "*" for every route`))
	}
	if r.Class == "" && r.Part != "status" && r.Part != "call" && r.Part != "test" {
		problems = append(problems, errors.New(`class: empty; name the place, or "*" for every place`))
	}
	if strings.TrimSpace(r.Reason) == "" {
		problems = append(problems, errors.New("reason: empty; say why the difference is wanted"))
	}
	if r.Until != "" {
		if _, err := time.Parse(time.DateOnly, r.Until); err != nil {
			problems = append(problems, fmt.Errorf("until: %q is no day such as 2026-12-31", r.Until))
		}
	}
	return errors.Join(problems...)
}

// Expired reports whether the rule no longer holds today; the zero time is before every day.
func (r Rule) Expired(today time.Time) bool {
	return r.Until != "" && !today.IsZero() && today.Format(time.DateOnly) > r.Until
}

// Matches reports whether the rule accepts a difference.
func (r Rule) Matches(route, class, kind, part string) bool {
	return glob.Match(r.Route, route) && (r.Kind == "" || r.Kind == kind) && (r.Part == "" || r.Part == part) &&
		(r.Class == class || glob.Match(r.Class, class))
}
