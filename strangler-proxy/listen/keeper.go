package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	protoHTTP1 = "http/1.1"
	protoHTTP2 = "h2"
)

// A Keeper has the certificates in use and follows their files. It may be used from
// several goroutines.
type Keeper struct {
	log     *slog.Logger
	current atomic.Pointer[Certificates]
	configs [2]*tls.Config // without and with HTTP/2

	mu       sync.Mutex        // one change at a time; guards what follows
	problems map[string]string // by certificate file: why it could not be read again
}

// NewKeeper returns a Keeper of certificates. log may be nil.
func NewKeeper(certificates *Certificates, log *slog.Logger) *Keeper {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{log: log, problems: map[string]string{}}
	k.configs = [2]*tls.Config{k.newConfig(protoHTTP1), k.newConfig(protoHTTP2, protoHTTP1)}
	k.Use(certificates)
	return k
}

// Use puts certificates in place of those in use.
func (k *Keeper) Use(certificates *Certificates) {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.problems)
	k.current.Store(certificates)
	for _, c := range certificates.list {
		if left := time.Until(c.tls.Leaf.NotAfter); left <= 0 {
			k.log.Warn("the certificate has expired", "cert", c.pair.Cert, "not_after", c.tls.Leaf.NotAfter)
		}
	}
}

// config is for a new connection; nil means plain.
func (k *Keeper) config(http2 bool) *tls.Config {
	switch {
	case len(k.current.Load().list) == 0:
		return nil
	case http2:
		return k.configs[1]
	}
	return k.configs[0]
}

// newConfig makes a configuration that always shows the certificates in use. Of TLS 1.2
// it takes the suites that keep a secret when the key gets known later.
func (k *Keeper) newConfig(protocols ...string) *tls.Config {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			s := k.current.Load()
			if len(s.list) == 0 { // TLS was turned off meanwhile
				return nil, errors.New("no certificate")
			}
			return &s.pick(hello).tls, nil
		},
	}
	strict := base.Clone()
	strict.MinVersion = tls.VersionTLS13
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		s := k.current.Load()
		if len(s.list) > 0 && s.pick(hello).pair.MinVersion() == tls.VersionTLS13 {
			return strict, nil
		}
		return nil, nil
	}
	return base
}

// Look reads the files again. A pair that is good and new is used from now on; one
// that is not stays as it is, and is among the problems that the error joins.
func (k *Keeper) Look() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.current.Load()
	list := make([]*certificate, len(s.list))
	var problems []error
	changed := false
	clear(k.problems)
	for i, before := range s.list {
		now, err := load(before.pair, before)
		if err != nil {
			problems = append(problems, err)
			k.problems[before.pair.Cert] = err.Error()
			now = before
		}
		if list[i] = now; now != before {
			changed = true
			k.log.Info("certificate taken over", "cert", now.pair.Cert, "not_after", now.tls.Leaf.NotAfter)
		}
	}
	if changed {
		k.current.Store(newCertificates(list))
	}
	return errors.Join(problems...)
}

// settle is how long the two files of a pair may contradict each other while somebody
// writes them.
const settle = 300 * time.Millisecond

// Run looks again and again until ctx ends. What is wrong, it logs once.
func (k *Keeper) Run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	logged := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := k.Look()
		if err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
				err = k.Look()
			}
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != "" && text != logged {
			k.log.Error("certificate rejected, the last good one stays in use", "err", text)
		}
		logged = text
	}
}

// A CertificateStatus is how a certificate stands.
type CertificateStatus struct {
	Cert     string    `json:"cert"`
	Names    []string  `json:"names"`
	NotAfter time.Time `json:"not_after"`
	Problem  string    `json:"problem,omitempty"` // why its files are not in use as they are now
}

// Status lists the certificates in use.
func (k *Keeper) Status() []CertificateStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := []CertificateStatus{}
	for _, c := range k.current.Load().list {
		list = append(list, CertificateStatus{
			Cert: c.pair.Cert, Names: namesOf(c.tls.Leaf), NotAfter: c.tls.Leaf.NotAfter, Problem: k.problems[c.pair.Cert],
		})
	}
	return list
}

// These are constants in all but name.
var (
	notAfter = prometheus.NewDesc("strangler_certificate_not_after_seconds", "When a certificate expires, as a Unix time.", []string{"cert"}, nil)
	wellRead = prometheus.NewDesc("strangler_certificate_last_reload_successful", "1 if the files of a certificate are in use as they are now, else 0.", []string{"cert"}, nil)
)

// Describe implements prometheus.Collector.
func (k *Keeper) Describe(ch chan<- *prometheus.Desc) {
	ch <- notAfter
	ch <- wellRead
}

// Collect implements prometheus.Collector.
func (k *Keeper) Collect(ch chan<- prometheus.Metric) {
	for _, s := range k.Status() {
		good := 1.0
		if s.Problem != "" {
			good = 0
		}
		ch <- prometheus.MustNewConstMetric(notAfter, prometheus.GaugeValue, float64(s.NotAfter.Unix()), s.Cert)
		ch <- prometheus.MustNewConstMetric(wellRead, prometheus.GaugeValue, good, s.Cert)
	}
}
