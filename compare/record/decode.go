package record

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// maxEncodings bounds how often a body may have been packed: a list of encodings is the
// sender's, and each costs a pass.
const maxEncodings = 4

// setBody puts a body into m as it reads, without its content encodings. Of one that cannot
// be decoded, or that unfolds beyond limit, only length and hash are kept: it may hold
// secrets that nobody can find in it.
func (m *Message) setBody(body []byte, limit int64) {
	m.Body, m.Hash = nil, ""
	if len(body) == 0 {
		return
	}
	plain, ok := decode(body, m.Header["Content-Encoding"], limit)
	if !ok || wide(m.Header.Get("Content-Type")) {
		sum := sha256.Sum256(body)
		m.Hash = hex.EncodeToString(sum[:])
		return
	}
	m.Body = plain
}

// wide reports whether text of a content type is in units of more than a byte, in which no
// secret is recognised.
func wide(contentType string) bool {
	_, charset, _ := strings.Cut(strings.ToLower(contentType), "charset=")
	charset = strings.Trim(charset, `" `)
	return strings.HasPrefix(charset, "utf-16") || strings.HasPrefix(charset, "utf-32") || strings.HasPrefix(charset, "ucs-")
}

// decode takes off the content encodings that a header names. It reports false for one it
// does not know, a body that is damaged, and one that is beyond limit in any of its forms.
func decode(body []byte, header []string, limit int64) ([]byte, bool) {
	names := strings.Split(strings.ToLower(strings.Join(header, ",")), ",")
	if len(names) > maxEncodings {
		return nil, false
	}
	for _, name := range slices.Backward(names) { // the last one was put on last
		in, err := decoder(strings.TrimSpace(name), body, limit)
		if err != nil {
			return nil, false
		}
		plain, err := io.ReadAll(io.LimitReader(in, limit+1))
		if err != nil || int64(len(plain)) > limit {
			return nil, false
		}
		body = plain
	}
	return body, true
}

// zstdWindow is the window that RFC 9659 lets the encoding zstd of HTTP have.
const zstdWindow = 8 << 20

func decoder(name string, body []byte, limit int64) (io.Reader, error) {
	in := bytes.NewReader(body)
	switch name {
	case "", "identity":
		return in, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(in)
	case "deflate":
		if z, err := zlib.NewReader(in); err == nil {
			return z, nil
		}
		return flate.NewReader(bytes.NewReader(body)), nil // some leave the frame out
	case "br":
		return brotli.NewReader(in), nil
	case "zstd":
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(uint64(limit)+1))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		plain, err := d.DecodeAll(body, nil)
		return bytes.NewReader(plain), err
	}
	return nil, fmt.Errorf("the content encoding %q is not known", name)
}
