package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"
)

// MaxBody is the largest request body that is read, in bytes.
const MaxBody = 1 << 20

// Decode reads the JSON body of r into dst, strictly. It answers for the request
// with a *Problem: 413 above MaxBody, 415 for another content type, 400 with line
// and column for malformed JSON, 422 with the field for an unknown field or a
// wrong type. The caller passes it to Fail.
func Decode(w http.ResponseWriter, r *http.Request, dst any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return Problemf(http.StatusUnsupportedMediaType, "unsupported_media_type", "send the body as application/json")
	}
	body, err := ReadBody(w, r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return Problemf(http.StatusBadRequest, "malformed_json", "the body is empty; a JSON object is expected")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return explainDecode(body, dec.InputOffset(), reflect.TypeOf(dst), err)
	}
	if dec.Decode(&struct{}{}) != io.EOF {
		return malformed(body, dec.InputOffset(), "unexpected data after the JSON value")
	}
	return nil
}

// ReadBody returns the whole body, or a 413 Problem above MaxBody.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := Problemf(http.StatusRequestEntityTooLarge, "body_too_large", "the body is larger than %d bytes", MaxBody)
	if r.ContentLength > MaxBody {
		return nil, tooLarge // refused before a byte of it is read
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var max *http.MaxBytesError
	if errors.As(err, &max) {
		return nil, tooLarge
	}
	if errors.Is(err, errBusy) {
		return nil, Problemf(http.StatusServiceUnavailable, "unavailable", "%v; try again in a moment", err)
	}
	if err != nil {
		return nil, Problemf(http.StatusBadRequest, "bad_request", "the body ended early")
	}
	return body, nil
}

func explainDecode(body []byte, offset int64, dst reflect.Type, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return malformed(body, syntax.Offset-1, syntax.Error()) // Offset counts the bytes read, the bad one too
	case errors.As(err, &kind):
		field := clientField(dst, kind.Field)
		if field == "" {
			field = "(body)"
		}
		return Invalid(Field{field, fmt.Sprintf("must be %s, not %s", kindName(kind.Type), kind.Value)})
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed(body, int64(len(body))-1, "unexpected end of JSON input")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Invalid(Field{strings.Trim(name, `"`), "unknown field"})
	}
	return malformed(body, offset, err.Error())
}

// clientField returns the path of a field as the client knows it: encoding/json
// names embedded structs of ours in it, too.
func clientField(t reflect.Type, path string) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	first, rest, _ := strings.Cut(path, ".")
	if t == nil || t.Kind() != reflect.Struct {
		return path
	}
	if f, ok := t.FieldByName(first); ok && f.Anonymous && f.Tag.Get("json") == "" {
		return clientField(f.Type, rest)
	}
	return path
}

// malformed names the line and column of the byte at offset.
func malformed(body []byte, offset int64, reason string) error {
	before := body[:max(0, min(offset, int64(len(body))))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return Problemf(http.StatusBadRequest, "malformed_json", "malformed JSON at line %d, column %d: %s", line, column, reason)
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindName(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

func etagMatches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
