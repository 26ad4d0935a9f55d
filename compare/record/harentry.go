package record

import (
	"encoding/base64"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// harEntry is an entry of a HAR 1.2 file. The members whose names begin with _ are ours; the
// format leaves such to whoever writes a file.
type harEntry struct {
	Started  time.Time   `json:"startedDateTime"`
	Time     float64     `json:"time"` // milliseconds
	Request  harRequest  `json:"request"`
	Response harResponse `json:"response"`
	Cache    struct{}    `json:"cache"`
	Timings  harTimings  `json:"timings"`
	Comment  string      `json:"comment,omitempty"`
	Own      *harOwn     `json:"_compare,omitempty"`
}

type harRequest struct {
	Method      string       `json:"method"`
	URL         string       `json:"url"`
	HTTPVersion string       `json:"httpVersion"`
	Cookies     []harHeader  `json:"cookies"`
	Headers     []harHeader  `json:"headers"`
	Query       []harHeader  `json:"queryString"`
	PostData    *harPostData `json:"postData,omitempty"`
	HeadersSize int          `json:"headersSize"`
	BodySize    int64        `json:"bodySize"`
}

type harPostData struct {
	MimeType string      `json:"mimeType"`
	Text     string      `json:"text"`
	Encoding string      `json:"_encoding,omitempty"` // base64; some write encoding
	Foreign  string      `json:"encoding,omitempty"`
	Params   []harHeader `json:"params,omitempty"`
}

type harResponse struct {
	Status      int         `json:"status"`
	StatusText  string      `json:"statusText"`
	HTTPVersion string      `json:"httpVersion"`
	Cookies     []harHeader `json:"cookies"`
	Headers     []harHeader `json:"headers"`
	Content     harContent  `json:"content"`
	RedirectURL string      `json:"redirectURL"`
	HeadersSize int         `json:"headersSize"`
	BodySize    int64       `json:"bodySize"`
}

type harContent struct {
	Size     int64  `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Encoding string `json:"encoding,omitempty"`
}

type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type harHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// harOwn is what a recording knows of an exchange and HAR has no place for.
type harOwn struct {
	Seq          int    `json:"seq"`
	Service      string `json:"service,omitempty"`
	Test         string `json:"test,omitempty"`
	Path         string `json:"path"` // as it was sent
	Opaque       bool   `json:"opaque,omitempty"`
	Error        string `json:"error,omitempty"`
	RequestHash  string `json:"request_sha256,omitempty"`
	ResponseHash string `json:"response_sha256,omitempty"`
}

// harOf is an exchange of a run as an entry.
func harOf(e *Exchange, info *Info) *harEntry {
	target := strings.TrimRight(info.TargetOf(e.Service), "/")
	milliseconds := float64(e.Duration.Microseconds()) / 1000
	h := &harEntry{
		Started: info.Started.Add(e.Start), Time: milliseconds, Timings: harTimings{Wait: milliseconds}, Comment: e.Error,
		Request: harRequest{
			Method: e.Method, URL: target + e.Path, HTTPVersion: "HTTP/1.1", Cookies: []harHeader{}, Headers: headersOf(e.Request.Header),
			Query: queryOf(e.Path), HeadersSize: -1, BodySize: e.Request.Length,
		},
		Response: harResponse{
			Status: e.Status, StatusText: http.StatusText(e.Status), HTTPVersion: "HTTP/1.1", Cookies: []harHeader{}, Headers: headersOf(e.Response.Header),
			Content:     harContent{Size: int64(len(e.Response.Body)), MimeType: e.Response.Header.Get("Content-Type")},
			RedirectURL: e.Response.Header.Get("Location"), HeadersSize: -1, BodySize: e.Response.Length,
		},
		Own: &harOwn{
			Seq: e.Seq, Service: e.Service, Test: e.Test, Path: e.Path, Opaque: e.Opaque, Error: e.Error,
			RequestHash: e.Request.Hash, ResponseHash: e.Response.Hash,
		},
	}
	if !e.Response.kept() {
		h.Response.Content.Size = e.Response.Length
	}
	h.Response.Content.Text, h.Response.Content.Encoding = textOf(e.Response.Body)
	if len(e.Request.Body) > 0 {
		h.Request.PostData = &harPostData{MimeType: e.Request.Header.Get("Content-Type")}
		h.Request.PostData.Text, h.Request.PostData.Encoding = textOf(e.Request.Body)
	}
	return h
}

func textOf(body []byte) (text, encoding string) {
	if utf8.Valid(body) {
		return string(body), ""
	}
	return base64.StdEncoding.EncodeToString(body), "base64"
}

func headersOf(h http.Header) []harHeader {
	list := []harHeader{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			list = append(list, harHeader{name, v})
		}
	}
	return list
}

func queryOf(path string) []harHeader {
	list := []harHeader{}
	_, query, _ := strings.Cut(path, "?")
	for field := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(field, "=")
		plainName, err := url.QueryUnescape(name)
		plainValue, errValue := url.QueryUnescape(value)
		if name == "" || err != nil || errValue != nil {
			continue // what does not parse stands in the URL alone
		}
		list = append(list, harHeader{plainName, plainValue})
	}
	return list
}

// took is how long an exchange lasted.
func (e *harEntry) took() time.Duration {
	return time.Duration(math.Round(e.Time*1000)) * time.Microsecond
}

// bodies returns what was sent and what was answered.
func (e *harEntry) bodies() (request, response []byte, err error) {
	if p := e.Request.PostData; p != nil {
		if request, err = harBody(p.Text, p.Encoding+p.Foreign); err != nil {
			return nil, nil, err
		}
		if len(request) == 0 && len(p.Params) > 0 {
			form := url.Values{}
			for _, f := range p.Params {
				form.Add(f.Name, f.Value)
			}
			request = []byte(form.Encode())
		}
	}
	response, err = harBody(e.Response.Content.Text, e.Response.Content.Encoding)
	return request, response, err
}

func harBody(text, encoding string) ([]byte, error) {
	if encoding != "base64" {
		return []byte(text), nil
	}
	return base64.StdEncoding.DecodeString(text)
}

func harHeaders(list []harHeader) http.Header {
	h := http.Header{}
	for _, one := range list {
		if !strings.HasPrefix(one.Name, ":") { // of HTTP/2
			h.Add(one.Name, one.Value)
		}
	}
	return h
}
