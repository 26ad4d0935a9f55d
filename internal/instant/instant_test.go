package instant_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/internal/instant"
)

func TestJSON(t *testing.T) {
	at := instant.From(time.Date(2026, 1, 31, 10, 30, 0, 1_999_999, time.FixedZone("", 3600)))
	data, err := json.Marshal(map[string]any{"at": at, "never": (*instant.Instant)(nil)})
	if want := `{"at":"2026-01-31T09:30:00.001Z","never":null}`; err != nil || string(data) != want {
		t.Fatalf("%s, %v; want %s", data, err, want)
	}
	var bad instant.Instant
	for _, text := range []string{`"yesterday"`, `7`, `""`} {
		if err := json.Unmarshal([]byte(text), &bad); err == nil {
			t.Errorf("%s was read as %s", text, bad)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := instant.Instant(rapid.Int64Range(-62_000_000_000_000, 250_000_000_000_000).Draw(t, "ms"))
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got instant.Instant
		if err := json.Unmarshal(data, &got); err != nil || got != want {
			t.Fatalf("%d became %d, %v", want, got, err)
		}
	})
}
