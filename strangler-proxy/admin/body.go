package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// Limits of a request's body.
const (
	limitBody = 16 << 10
	bodyTime  = 10 * time.Second
)

// readAll reads the body, which must arrive in time.
func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limitBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "the body is larger than 16 KiB"}
	case err != nil:
		return nil, &problem{Status: http.StatusBadRequest, Code: "bad_body", Message: "the body did not arrive"}
	}
	return body, nil
}

// decodeStrictly reads one JSON object: no unknown or repeated keys, nothing after it.
func decodeStrictly(body []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return invalidJSON(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return invalidJSON(errors.New("something follows it"))
	}
	if key := repeated(json.NewDecoder(bytes.NewReader(body))); key != "" {
		return invalidJSON(errors.New("key " + key + " stands twice"))
	}
	return nil
}

// repeated returns a key that an object of the valid JSON text has twice, or "". Which
// of the two values counts differs between programs.
func repeated(d *json.Decoder) string {
	type level struct {
		keys  map[string]bool // nil within a list
		value bool            // a value is next, not a key
	}
	var open []level
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		top := len(open) - 1
		switch t := token.(type) {
		case json.Delim:
			if t == ']' || t == '}' {
				open = open[:top]
				continue
			}
			if top >= 0 {
				open[top].value = false
			}
			open = append(open, level{})
			if t == '{' {
				open[top+1].keys = map[string]bool{}
			}
		case string:
			if top >= 0 && open[top].keys != nil && !open[top].value {
				if open[top].keys[t] {
					return t
				}
				open[top].keys[t], open[top].value = true, true
				continue
			}
			if top >= 0 {
				open[top].value = false
			}
		default:
			if top >= 0 {
				open[top].value = false
			}
		}
	}
}

func mediaType(contentType string) string {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind
}
