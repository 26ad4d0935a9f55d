package record

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/outcome"
)

// harEntry is what is read of an entry of a HAR 1.2 file.
type harEntry struct {
	Started time.Time `json:"startedDateTime"`
	Time    float64   `json:"time"` // milliseconds
	Request struct {
		Method   string      `json:"method"`
		URL      string      `json:"url"`
		Headers  []harHeader `json:"headers"`
		PostData struct {
			Text     string      `json:"text"`
			Encoding string      `json:"encoding"`
			Params   []harHeader `json:"params"`
		} `json:"postData"`
	} `json:"request"`
	Response struct {
		Status  int         `json:"status"`
		Headers []harHeader `json:"headers"`
		Content struct {
			Size     int64  `json:"size"`
			Text     string `json:"text"`
			Encoding string `json:"encoding"`
		} `json:"content"`
	} `json:"response"`
}

type harHeader struct{ Name, Value string }

// Limits of a HAR: of the file, and of one entry, all of which is in memory at a time.
const (
	maxHAR   = 2 << 30
	maxEntry = 64 << 20
)

// OpenHAR reads a HAR 1.2 file, entry by entry, as a recording. Secrets are hidden as in one.
// Exchanges that say no test in X-Compare-Test belong to none.
func OpenHAR(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Size() > maxHAR {
		return nil, fmt.Errorf("%s has %d bytes, and a HAR of at most %d is read; export fewer requests, or use compare record", path, info.Size(), maxHAR)
	}
	h := &har{path: path, redact: differ.NewRedactor([]byte("har")), rec: &Recording{Dir: path}, in: newScanner(f)}
	if err := h.read(); err != nil {
		return nil, h.bad(err)
	}
	h.finish()
	return h.rec, nil
}

type har struct {
	path   string
	redact *differ.Redactor
	rec    *Recording
	origin string
	ended  time.Time
	in     *scanner

	headers interner
}

// bad says where the file is not what it has to be, and what to do.
func (h *har) bad(err error) error {
	entry := len(h.rec.Exchanges) + 1
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("%s: entry %d, from about byte %d on, is longer than %d bytes; take it out, or use compare record", h.path, entry, h.in.offset, maxEntry)
	}
	return fmt.Errorf("%s is no HAR 1.2 file, as browsers and proxies export them: entry %d, near byte %d: %w", h.path, entry, h.in.offset, err)
}

// read goes through the file; there has to be a log, and entries in it.
func (h *har) read() error {
	found := false
	err := h.in.members(func(name string) error {
		if name != "log" {
			return h.in.skip()
		}
		return h.in.members(func(name string) error {
			if name != "entries" {
				return h.in.skip()
			}
			found = true
			return h.in.elements(h.entry)
		})
	})
	if err == nil && !found {
		err = errors.New("it has no log.entries")
	}
	return err
}

func (h *har) entry() error {
	var e harEntry
	if err := h.in.decode(&e, maxEntry); err != nil {
		return err
	}
	return h.add(&e)
}

func (h *har) add(e *harEntry) error {
	if len(h.rec.Exchanges) >= maxExchanges {
		return fmt.Errorf("more than %d entries; export fewer requests", maxExchanges)
	}
	u, err := url.Parse(e.Request.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("the URL %q is none", e.Request.URL)
	}
	if h.origin == "" {
		h.origin = u.Scheme + "://" + u.Host
		h.rec.Info.Started = e.Started
	}
	x := Exchange{
		Seq: len(h.rec.Exchanges) + 1, Method: strings.ToUpper(e.Request.Method), Path: u.RequestURI(), Status: e.Response.Status,
		Start: e.Started.Sub(h.rec.Info.Started), Duration: time.Duration(e.Time * float64(time.Millisecond)),
		Request:  Message{Header: harHeaders(e.Request.Headers)},
		Response: Message{Header: harHeaders(e.Response.Headers), Length: e.Response.Content.Size},
	}
	if h.origin != u.Scheme+"://"+u.Host {
		x.Path = u.Scheme + "://" + u.Host + x.Path // of another system: told apart
	}
	x.Test = x.Request.Header.Get(TestHeader)
	x.ServedBy, x.Route = x.Response.Header.Get("X-Strangler-Served-By"), x.Response.Header.Get("X-Strangler-Route")
	if x.Request.Body, err = harBody(e.Request.PostData.Text, e.Request.PostData.Encoding); err != nil {
		return err
	}
	if x.Response.Body, err = harBody(e.Response.Content.Text, e.Response.Content.Encoding); err != nil {
		return err
	}
	if len(x.Request.Body) == 0 && len(e.Request.PostData.Params) > 0 {
		form := url.Values{}
		for _, p := range e.Request.PostData.Params {
			form.Add(p.Name, p.Value)
		}
		x.Request.Body = []byte(form.Encode())
	}
	hide(h.redact, &x)
	x.Request.Header, x.Response.Header = h.headers.header(x.Request.Header), h.headers.header(x.Response.Header)
	if end := e.Started.Add(x.Duration); end.After(h.ended) {
		h.ended = end
	}
	h.rec.Exchanges = append(h.rec.Exchanges, x)
	return nil
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

func (h *har) finish() {
	h.rec.Info = Info{
		Schema: 1, Name: strings.TrimSuffix(filepath.Base(h.path), ".har"), Target: h.origin, Started: h.rec.Info.Started,
		Ended: h.ended, Status: Complete, Exchanges: len(h.rec.Exchanges), Results: NoResults, Command: []string{},
	}
	h.rec.Outcomes.Tests = []outcome.Test{}
}
