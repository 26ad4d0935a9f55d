// Package audit keeps the log of who changed a configuration file, when and why: one
// JSON line a change in CONFIG.audit.jsonl. Each line holds a hash of itself and of
// the line before, so a line that was edited, taken out or moved is found; what a
// chain cannot show, that the last lines are missing, shows when the log is compared
// with the file. Lines are appended under a lock that all processes share, are on disk
// before the caller goes on, and are never changed. The package promises nothing
// against somebody who writes the whole log anew; keep a copy of the newest hash
// elsewhere for that.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// An Entry is a line of the log.
type Entry struct {
	Time    time.Time `json:"time"`
	Actor   string    `json:"actor"` // cli:USER, token:NAME, file, or auto:WHY
	Action  string    `json:"action,omitempty"`
	Route   string    `json:"route,omitempty"`
	Group   string    `json:"group,omitempty"`  // whose stage it is; Route then is empty
	Routes  []string  `json:"routes,omitempty"` // of the group
	From    string    `json:"from"`
	To      string    `json:"to"`
	Reason  string    `json:"reason"`
	Forced  []string  `json:"forced,omitempty"` // the objections that were overridden
	OldHash string    `json:"old_config_hash"`
	NewHash string    `json:"new_config_hash"`
	Prev    string    `json:"prev,omitempty"` // SHA-256 of the line before; of all before in the first line that has it
	Hash    string    `json:"hash,omitempty"` // SHA-256 of this line without this field
}

// About reports whether the entry is about a route or group: itself, or the group that
// had its stage.
func (e Entry) About(name string) bool {
	return e.Route == name || e.Group == name || slices.Contains(e.Routes, name)
}

// The actions. A line without one is a move.
const (
	Move     = ""          // a stage was set
	Rollback = "rollback"  // a stage was set back; automation rests until somebody moves the route
	Panicked = "panic"     // every route was sent to the monolith
	Calmed   = "panic-end" // and back to its stage
	Edit     = "edit"      // the file changed in another way
	Pause    = "pause"     // automation rests
	Resume   = "resume"    // and goes on
	Confirm  = "confirm"   // somebody says that the route shall stay where it is
)

// ByFile is the actor of a change that was made in the file itself.
const ByFile = "file"

// Limits of a line. They keep a log readable whose reasons come from outside.
const (
	LimitReason = 1000 // bytes
	limitLine   = 64 << 10
)

// Path is the log that belongs to the configuration file at path.
func Path(path string) string { return path + ".audit.jsonl" }

// CheckReason says what is wrong with a reason that somebody gives.
func CheckReason(reason string) error {
	switch {
	case len(reason) > LimitReason:
		return fmt.Errorf("the reason has %d bytes, the limit is %d", len(reason), LimitReason)
	case !utf8.ValidString(reason):
		return fmt.Errorf("the reason is not UTF-8 text")
	}
	return nil
}

// marshal is e as a line without its end, chained to what is before.
func (e Entry) marshal(prev string) ([]byte, error) {
	e.Time, e.Prev, e.Hash = e.Time.UTC(), prev, ""
	bare, err := encode(e)
	if err != nil {
		return nil, err
	}
	e.Hash = sum(bare)
	line, err := encode(e)
	if err == nil && len(line) > limitLine {
		err = fmt.Errorf("the entry has %d bytes, the limit is %d", len(line), limitLine)
	}
	return line, err
}

// encode is JSON that a person can read: < and > stay as they are.
func encode(e Entry) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// parse reads a line. It accepts the lines of older versions, without the hashes.
func parse(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, err
	}
	if e.Time.IsZero() || e.Actor == "" {
		return Entry{}, fmt.Errorf("it has no time or no actor")
	}
	return e, nil
}

// genuine reports whether the line's own hash is right: the hash is the last field,
// so the line without it is the line as far as the comma before.
func genuine(line []byte, hash string) bool {
	field := []byte(`,"hash":"` + hash + `"}`)
	bare, ok := bytes.CutSuffix(line, field)
	return ok && sum(append(bytes.Clone(bare), '}')) == hash
}

// sumBefore is what the next line links to: the newest entry, and lines after it that
// are none. Where the chain begins it is everything before.
func sumBefore(text []byte, chained bool) string {
	if chained {
		text = bytes.TrimSuffix(text, []byte("\n"))
	}
	return sum(text)
}

func sum(b []byte) string {
	hash := sha256.Sum256(b)
	return hex.EncodeToString(hash[:])
}
