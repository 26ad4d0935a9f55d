// Package instant is the one form of a moment in the shop: milliseconds since 1970
// in a database, RFC 3339 in UTC with milliseconds in JSON.
package instant

import (
	"encoding/json"
	"fmt"
	"time"
)

const layout = "2006-01-02T15:04:05.000Z"

// An Instant is a moment in milliseconds since 1970 (UTC). Use *Instant where there
// may be none.
type Instant int64

// From returns the instant of t, cut to the millisecond.
func From(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time returns the instant as a time in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// String returns the RFC 3339 form.
func (i Instant) String() string { return i.Time().Format(layout) }

// MarshalJSON writes the RFC 3339 form.
func (i Instant) MarshalJSON() ([]byte, error) { return json.Marshal(i.String()) }

// UnmarshalJSON reads any RFC 3339 time.
func (i *Instant) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("time %q: %w", text, err)
	}
	*i = From(t)
	return nil
}
