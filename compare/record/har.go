package record

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

const maxHAR = 2 << 30

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
		return nil, fmt.Errorf("%s: %d bytes; a HAR of at most %d is read", path, info.Size(), maxHAR)
	}
	h := &har{path: path, redact: differ.NewRedactor([]byte("har")), rec: &Recording{Dir: path}}
	dec := json.NewDecoder(f)
	if err := h.enter(dec, "log"); err != nil {
		return nil, h.bad(dec, err)
	}
	if err := h.enter(dec, "entries"); err != nil {
		return nil, h.bad(dec, err)
	}
	if err := delimiter(dec, '['); err != nil {
		return nil, h.bad(dec, err)
	}
	for dec.More() {
		var e harEntry
		if err := dec.Decode(&e); err != nil {
			return nil, h.bad(dec, err)
		}
		if err := h.add(&e); err != nil {
			return nil, h.bad(dec, err)
		}
	}
	if err := delimiter(dec, ']'); err != nil {
		return nil, h.bad(dec, err)
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

	headers interner
}

func (h *har) bad(dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it is cut off")
	}
	return fmt.Errorf("%s is no HAR 1.2 file: near byte %d: %w", h.path, dec.InputOffset(), err)
}

// enter goes into an object, up to the value of the member name.
func (h *har) enter(dec *json.Decoder, name string) error {
	if err := delimiter(dec, '{'); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if key == name {
			return nil
		}
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return err
		}
	}
	return fmt.Errorf("it has no %q", name)
}

func delimiter(dec *json.Decoder, want json.Delim) error {
	token, err := dec.Token()
	if err == nil && token != want {
		err = fmt.Errorf("%v stands where %v has to be", token, want)
	}
	return err
}

func (h *har) add(e *harEntry) error {
	if len(h.rec.Exchanges) >= maxExchanges {
		return fmt.Errorf("more than %d entries", maxExchanges)
	}
	u, err := url.Parse(e.Request.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("entry %d: the URL %q is none", len(h.rec.Exchanges), e.Request.URL)
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
