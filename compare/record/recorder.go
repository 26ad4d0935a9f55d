package record

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// TestHeader is the header in which a test may say its name. It is not passed on.
const TestHeader = "X-Compare-Test"

// Options tune a Recorder. The zero value is fit for use.
type Options struct {
	MaxBody  int64            // bytes of a body that are kept; 0 means 1 MiB
	Redactor *differ.Redactor // nil hides secrets without telling equal ones
	Host     string           // Host that the target is asked for; empty passes on the client's
	Header   http.Header      // what each request is sent with besides its own; it is not recorded
	Patience time.Duration    // for the first byte of an answer; 0 means 5 minutes
	Now      func() time.Time // nil means time.Now
}

// A Recorder is a reverse proxy in front of one target. It takes out X-Compare-Test and
// Accept-Encoding (bodies are recorded as they read) and changes nothing else but what
// its Options say; the client's Host is passed on. Who opens it closes it.
type Recorder struct {
	URL string

	opts      Options
	service   string
	target    *url.URL
	sink      *sink
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	server    *http.Server
	served    chan struct{}
	open      sync.WaitGroup
}

// NewRecorder listens on a free port of this machine and writes exchanges into dir.
func NewRecorder(ctx context.Context, target, dir string, opts Options) (*Recorder, error) {
	opts = opts.orDefault()
	s, err := newSink(dir, opts)
	if err != nil {
		return nil, err
	}
	r, err := s.recorder(ctx, Service{Target: target}, opts)
	if err != nil {
		_, _, _ = s.close() // nothing was written
	}
	return r, err
}

// recorder puts a recorder before a service; what passes goes to the sink.
func (s *sink) recorder(ctx context.Context, service Service, opts Options) (*Recorder, error) {
	to, err := targetOf(service.Target)
	if err != nil {
		return nil, err
	}
	r := &Recorder{opts: opts, service: service.Name, target: to, sink: s, served: make(chan struct{})}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	r.URL = "http://" + listener.Addr().String()
	quiet := log.New(io.Discard, "", 0)
	r.transport = &http.Transport{
		MaxIdleConns: 512, MaxIdleConnsPerHost: 512, IdleConnTimeout: time.Minute, DisableCompression: true,
		ResponseHeaderTimeout: r.opts.Patience, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}
	r.proxy = &httputil.ReverseProxy{
		Rewrite: r.rewrite, Transport: r.transport, FlushInterval: -1, ErrorLog: quiet,
		ModifyResponse: r.answered, ErrorHandler: r.unanswered, BufferPool: &buffers{},
	}
	r.server = &http.Server{Handler: r, ErrorLog: quiet, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 1 << 20}
	go func() {
		defer close(r.served)
		_ = r.server.Serve(listener) // it ends by Close
	}()
	return r, nil
}

// targetOf reads the URL of a target. Recordings and reports name it, so it holds no password.
func targetOf(target string) (*url.URL, error) {
	to, err := url.Parse(target)
	switch {
	case err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https":
		return nil, fmt.Errorf("target %q: give a URL such as http://127.0.0.1:9000", target)
	case to.User != nil:
		return nil, fmt.Errorf("target %s: leave the name and the password out; the suite sends its own", to.Redacted())
	}
	return to, nil
}

func (o Options) orDefault() Options {
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	if o.Redactor == nil {
		o.Redactor = differ.NewRedactor(nil)
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Close stops listening, waits for exchanges in flight until ctx ends, and completes the
// file. It returns how many exchanges were written and how many could not be.
func (r *Recorder) Close(ctx context.Context) (written, lost int, err error) {
	r.stop(ctx)
	return r.sink.close()
}

// stop stops listening and waits for exchanges in flight until ctx ends.
func (r *Recorder) stop(ctx context.Context) {
	if err := r.server.Shutdown(ctx); err != nil {
		_ = r.server.Close() // whoever still waits is cut off
	}
	<-r.served
	r.transport.CloseIdleConnections()
	r.open.Wait()
}

// A passage is an exchange on its way through.
type passage struct {
	Exchange
	request, response *tee
	began             time.Time
	lasting           bool // the body of the request may outlast the answer
	upload            http.ResponseWriter
}

type passageKey struct{}

// ServeHTTP passes one request on and notes what happened.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.open.Add(1)
	defer r.open.Done()
	p := &passage{began: r.opts.Now()}
	p.Seq, p.Service = int(r.sink.next.Add(1)), r.service
	p.Test, p.Method, p.Path = req.Header.Get(TestHeader), req.Method, req.RequestURI
	p.Start = p.began.Sub(r.sink.began)
	req.Header.Del(TestHeader)
	p.Request.Header = req.Header.Clone()
	body := req.Body
	r.takeBody(w, req, p)
	defer func() {
		r.finish(p)
		p.drain(body)
	}()
	r.proxy.ServeHTTP(&watched{ResponseWriter: w}, req.WithContext(context.WithValue(req.Context(), passageKey{}, p)))
}

// takeBody lets the body of a request pass. Go's server takes what is unread of a body away
// as soon as the answer begins, which would cut off the exchange with a target that answers
// early. So a short body is read first; a long one, or one of unknown length, flows in both
// directions, and its connection is not used again.
func (r *Recorder) takeBody(w http.ResponseWriter, req *http.Request, p *passage) {
	if req.Body == nil || req.Body == http.NoBody {
		return
	}
	p.request = newTee(req.Body, r.opts.MaxBody)
	req.Body = p.request
	if req.ContentLength >= 0 && req.ContentLength <= r.opts.MaxBody {
		body, err := io.ReadAll(p.request)
		if err != nil {
			req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		return
	}
	p.lasting = http.NewResponseController(w).EnableFullDuplex() == nil
	p.request.ReadCloser = io.NopCloser(p.request.ReadCloser) // drain closes it
	p.upload = w
}

// The most that a client may still send of a body after the answer to it.
const (
	mostLate    = 1 << 30
	lateSeconds = 10
)

// drain takes the rest of an upload that was answered early: a connection that is closed
// with unread data takes the answer with it.
func (p *passage) drain(body io.Reader) {
	if !p.lasting {
		return
	}
	p.request.end()
	_ = http.NewResponseController(p.upload).SetReadDeadline(time.Now().Add(lateSeconds * time.Second))
	_, _ = io.CopyN(io.Discard, body, mostLate)
}

// failing is a body that breaks off.
type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (r *Recorder) rewrite(p *httputil.ProxyRequest) {
	p.SetURL(r.target)
	p.Out.URL.RawQuery = p.In.URL.RawQuery // SetURL keeps it; a query that does not parse has to pass, too
	p.Out.Host = p.In.Host
	if r.opts.Host != "" {
		p.Out.Host = r.opts.Host
	}
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := p.In.Header[name]; ok {
			p.Out.Header[name] = values // a suite may test what these do
		}
	}
	maps.Copy(p.Out.Header, r.opts.Header)
	p.Out.Header.Del("Accept-Encoding")
	if _, ok := p.Out.Header["User-Agent"]; !ok {
		p.Out.Header.Set("User-Agent", "") // not Go's
	}
}

func (r *Recorder) answered(res *http.Response) error {
	p, _ := res.Request.Context().Value(passageKey{}).(*passage)
	p.Status, p.Response.Header = res.StatusCode, res.Header.Clone()
	p.ServedBy, p.Route = res.Header.Get("X-Strangler-Served-By"), res.Header.Get("X-Strangler-Route")
	if res.StatusCode == http.StatusSwitchingProtocols || strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		p.Opaque = true
		return nil
	}
	if p.lasting {
		res.Header.Set("Connection", "close")
	}
	p.response = newTee(res.Body, r.opts.MaxBody)
	res.Body = p.response
	return nil
}

func (r *Recorder) unanswered(w http.ResponseWriter, req *http.Request, err error) {
	p, _ := req.Context().Value(passageKey{}).(*passage)
	p.Error = err.Error()
	if errors.Is(err, context.Canceled) {
		p.Error = "the client left"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusBadGateway)
	fmt.Fprintf(w, "recorder: %s: %v\n", r.target.Host, err)
}

// finish runs when the answer is out, also when the copy was cut off by a panic.
func (r *Recorder) finish(p *passage) {
	p.Duration = r.opts.Now().Sub(p.began)
	if p.request != nil {
		p.request.into(&p.Request)
	}
	if p.response != nil {
		if p.response.into(&p.Response); p.response.failed != nil && p.Error == "" {
			p.Error = "the answer was cut off: " + p.response.failed.Error()
		}
	}
	e := p.Exchange
	r.sink.out.put(&e)
}

// watched flushes an answer as soon as it is complete, so that the client does not wait for
// the bookkeeping.
type watched struct{ http.ResponseWriter }

// Unwrap lets http.ResponseController reach the writer.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush sends what was written.
func (w *watched) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack gives the connection away, for upgrades.
func (w *watched) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

type buffers struct{ pool sync.Pool }

// Get returns a buffer.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

// Put takes one back.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
