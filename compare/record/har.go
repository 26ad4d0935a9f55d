package record

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/outcome"
)

// Limits of a HAR: of the file, and of one entry, all of which is in memory at a time.
const (
	maxHAR   = 2 << 30
	maxEntry = 64 << 20
)

// OpenHAR reads a HAR 1.2 file, entry by entry, as a recording. Secrets are hidden as in one.
// Exchanges that say no test in X-Compare-Test belong to none. The run.har of a recording says
// all that its folder does, but for the state of databases.
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
	own    *harRun // of a file that compare wrote

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
			switch name {
			case "entries":
				found = true
				return h.in.elements(h.entry)
			case "_compare":
				return h.in.decode(&h.own, maxEntry)
			}
			return h.in.skip()
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
	x := Exchange{
		Seq: len(h.rec.Exchanges) + 1, Method: strings.ToUpper(e.Request.Method), Status: e.Response.Status, Duration: e.took(),
		Request:  Message{Header: harHeaders(e.Request.Headers)},
		Response: Message{Header: harHeaders(e.Response.Headers), Length: e.Response.Content.Size},
	}
	x.Test = x.Request.Header.Get(TestHeader)
	x.ServedBy, x.Route = x.Response.Header.Get("X-Strangler-Served-By"), x.Response.Header.Get("X-Strangler-Route")
	var err error
	if x.Request.Body, x.Response.Body, err = e.bodies(); err != nil {
		return err
	}
	if h.own != nil && e.Own != nil {
		h.ours(&x, e)
	} else if err := h.foreign(&x, e); err != nil {
		return err
	}
	x.Request.Header, x.Response.Header = h.headers.header(x.Request.Header), h.headers.header(x.Response.Header)
	h.rec.Exchanges = append(h.rec.Exchanges, x)
	return nil
}

// foreign fills in what an entry of another program says.
func (h *har) foreign(x *Exchange, e *harEntry) error {
	u, err := url.Parse(e.Request.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("the URL %q is none", e.Request.URL)
	}
	x.Path = u.RequestURI()
	if h.origin == "" {
		h.origin = u.Scheme + "://" + u.Host
		h.rec.Info.Started = e.Started
	}
	if h.origin != u.Scheme+"://"+u.Host {
		x.Path = u.Scheme + "://" + u.Host + x.Path // of another system: told apart
	}
	x.Start = e.Started.Sub(h.rec.Info.Started)
	if end := e.Started.Add(x.Duration); end.After(h.ended) {
		h.ended = end
	}
	hide(h.redact, x)
	return nil
}

// ours fills in what an entry of a recording says. Its secrets are hidden already, and equal
// ones of several runs have to stay equal.
func (h *har) ours(x *Exchange, e *harEntry) {
	own := e.Own
	x.Seq, x.Service, x.Test, x.Path, x.Opaque, x.Error = own.Seq, own.Service, own.Test, own.Path, own.Opaque, own.Error
	x.Start = e.Started.Sub(h.own.Run.Started)
	x.Request.Length, x.Request.Hash = e.Request.BodySize, own.RequestHash
	x.Response.Length, x.Response.Hash = e.Response.BodySize, own.ResponseHash
}

func (h *har) finish() {
	if h.own != nil {
		h.rec.Info, h.rec.Outcomes = h.own.Run, h.own.Outcomes
		slices.SortStableFunc(h.rec.Exchanges, func(a, b Exchange) int { return a.Seq - b.Seq })
		return
	}
	h.rec.Info = Info{
		Schema: 1, Name: strings.TrimSuffix(filepath.Base(h.path), ".har"), Target: h.origin, Started: h.rec.Info.Started,
		Ended: h.ended, Status: Complete, Exchanges: len(h.rec.Exchanges), Results: NoResults, Command: []string{},
	}
	h.rec.Outcomes.Tests = []outcome.Test{}
}
