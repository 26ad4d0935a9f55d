package shadow

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
)

// inflated is how much larger than max_body a body may be without its content encoding.
const inflated = 8

var errTooLarge = errors.New("the body is too large without its content encoding")

// plainBody is a body without the framing of chunks and without content encoding.
func plainBody(a *Answer, limit int) ([]byte, error) {
	body, err := unframed(a.Body, a.Framed)
	if err != nil || len(body) == 0 {
		return body, err
	}
	for _, coding := range codings(a.header()) {
		if body, err = decode(coding, body, limit*inflated); err != nil {
			return nil, fmt.Errorf("content encoding %s: %w", coding, err)
		}
	}
	return body, nil
}

// unframed takes the framing of chunks away.
func unframed(body []byte, framed bool) ([]byte, error) {
	if !framed || len(body) == 0 {
		return body, nil
	}
	return io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
}

// codings lists the content encodings, the one to undo first first.
func codings(h http.Header) []string {
	var list []string
	for _, value := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.ToLower(strings.TrimSpace(coding)); coding != "" && coding != "identity" {
				list = append([]string{coding}, list...)
			}
		}
	}
	return list
}

func decode(coding string, body []byte, limit int) ([]byte, error) {
	var r io.Reader
	var err error
	switch coding {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // in practice with or without the envelope of zlib
		if r, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	default:
		return nil, errors.New("not known here")
	}
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(plain) > limit {
		return nil, errTooLarge
	}
	return plain, err
}
