package admin

import (
	"encoding/json"
	"fmt"
	"time"
)

// A duration is one in JSON, a text as in the configuration file: "500ms", "5s".
type duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf(`a duration is a text such as "5s"`)
	}
	value, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration, such as 500ms or 5s", s)
	}
	*d = duration(value)
	return nil
}
