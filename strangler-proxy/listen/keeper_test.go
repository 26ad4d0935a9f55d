package listen_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/testcert"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

// shown is the name of the certificate that a client gets who asks for a name, and the
// error of the handshake.
func shown(h *house, config *tls.Config) (serial string, err error) {
	conn, err := tls.Dial("tcp", h.Addr().String(), config)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

func TestCertificateByName(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	shop, wild, strict := pairIn(t, "shop"), pairIn(t, "wild"), pairIn(t, "strict")
	strict.Min = tls.VersionTLS13
	s := plain()
	s.TLS = []listen.Pair{shop, wild, strict}
	serials := map[string]string{}
	for name, pair := range map[string]listen.Pair{"shop.example": shop, "*.shop.example": wild, "strict.example": strict} {
		serials[name] = write(t, ca, pair, name).SerialNumber.String()
	}
	h := open(t, s, nil)
	for name, want := range map[string]string{
		"shop.example": "shop.example", "SHOP.example": "shop.example", "a.shop.example": "*.shop.example", "strict.example": "strict.example",
		"a.b.shop.example": "shop.example", "other.example": "shop.example", "": "shop.example",
	} {
		if got, err := shown(h, &tls.Config{ServerName: name, InsecureSkipVerify: true}); err != nil || got != serials[want] {
			t.Errorf("%q: certificate %s (%v), want that of %s", name, got, err, want)
		}
	}
	for name, version := range map[string]uint16{"shop.example": tls.VersionTLS12, "strict.example": tls.VersionTLS13} {
		for _, v := range []uint16{tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			_, err := shown(h, &tls.Config{ServerName: name, RootCAs: ca.Pool, MinVersion: tls.VersionTLS10, MaxVersion: v})
			if (err == nil) != (v >= version) {
				t.Errorf("%s with %s: %v", name, tls.VersionName(v), err)
			}
		}
	}
	if _, err := shown(h, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}); err == nil {
		t.Error("an old cipher suite is accepted")
	}
	if _, err := shown(h, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"smtp"}}); err == nil {
		t.Error("an unknown protocol is accepted")
	}
}

func TestCertificatesAreFollowed(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	pair, other := pairIn(t, "shop"), pairIn(t, "other")
	first := write(t, ca, pair, "shop.example")
	write(t, ca, other, "other.example")
	s := plain()
	s.TLS = []listen.Pair{pair, other}
	h := open(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { h.keeper.Run(ctx, 10*time.Millisecond); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	is := func(want string) func() bool {
		return func() bool {
			got, err := shown(h, &tls.Config{ServerName: "shop.example", RootCAs: ca.Pool})
			if err != nil {
				t.Errorf("no handshake: %v", err)
			}
			return got == want
		}
	}
	kept := client(t, ca.Pool, true) // its connection goes on over all changes
	get(t, kept, "https://"+h.Addr().String())
	await(t, "the first certificate", is(first.SerialNumber.String()))
	second := write(t, ca, pair, "shop.example")
	await(t, "the second certificate", is(second.SerialNumber.String()))
	if good := metric(t, h.keeper, "strangler_certificate_last_reload_successful"); good != 2 {
		t.Errorf("%v certificates are good", good)
	}
	if at := metric(t, h.keeper, "strangler_certificate_not_after_seconds"); at < float64(2*time.Now().Unix()) {
		t.Errorf("they expire at %v together", at)
	}

	for _, bad := range []struct {
		name  string
		spoil func()
	}{
		{"a key of another", func() {
			text, err := os.ReadFile(other.Key)
			if err != nil {
				t.Fatal(err)
			}
			put(t, pair.Key, text)
		}},
		{"garbage", func() { put(t, pair.Cert, []byte("garbage")) }},
		{"nothing", func() { _ = os.Remove(pair.Cert) }},
		{"a folder", func() {
			if err := os.Mkdir(pair.Cert, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		bad.spoil()
		await(t, bad.name+": the problem", func() bool { return h.keeper.Status()[0].Problem != "" })
		if !is(second.SerialNumber.String())() {
			t.Errorf("%s: the certificate in use is another", bad.name)
		}
		if good := metric(t, h.keeper, "strangler_certificate_last_reload_successful"); good != 1 {
			t.Errorf("%s: %v certificates are good", bad.name, good)
		}
	}
	await(t, "the log", func() bool { return strings.Contains(h.log.String(), "certificate rejected") })
	_ = os.Remove(pair.Cert)
	third := write(t, ca, pair, "shop.example")
	await(t, "the third certificate", is(third.SerialNumber.String()))
	if p := h.keeper.Status()[0].Problem; p != "" {
		t.Errorf("the problem stays: %s", p)
	}
	get(t, kept, "https://"+h.Addr().String())
}

// Someone who exchanges the two files one after the other is not reported.
func TestHalfAnExchangeIsNotReported(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	pair, next := pairIn(t, "shop"), pairIn(t, "shop")
	write(t, ca, pair, "shop.example")
	s := plain()
	s.TLS = []listen.Pair{pair}
	h := open(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { h.keeper.Run(ctx, 5*time.Millisecond); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	after := write(t, ca, next, "shop.example")
	if err := os.Rename(next.Cert, pair.Cert); err != nil {
		t.Fatal(err)
	}
	await(t, "a look at half of it", func() bool { return h.keeper.Status()[0].Problem != "" })
	if err := os.Rename(next.Key, pair.Key); err != nil {
		t.Fatal(err)
	}
	await(t, "the new pair", func() bool {
		got, err := shown(h, &tls.Config{ServerName: "shop.example", RootCAs: ca.Pool})
		return err == nil && got == after.SerialNumber.String()
	})
	if strings.Contains(h.log.String(), "rejected") {
		t.Errorf("reported: %s", h.log)
	}
}

func TestTLSIsTurnedOnAndOff(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	pair := pairIn(t, "shop")
	write(t, ca, pair, "shop.example")
	with, err := listen.LoadCertificates([]listen.Pair{pair})
	if err != nil {
		t.Fatal(err)
	}
	without, _ := listen.LoadCertificates(nil)
	h := open(t, plain(), nil)
	before := dial(t, h)
	ask(t, before)
	h.keeper.Use(with)
	if got := get(t, client(t, ca.Pool, true), "https://"+h.Addr().String()); got != "HTTP/2.0 tls=true" {
		t.Errorf("on: %q", got)
	}
	if got := ask(t, before); got != "HTTP/1.1 tls=false" {
		t.Errorf("the connection from before: %q", got)
	}
	h.keeper.Use(without)
	if got := get(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+h.Addr().String()); got != "HTTP/1.1 tls=false" {
		t.Errorf("off: %q", got)
	}
}

func TestBadPairsAreNamed(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	good, expired, other := pairIn(t, "good"), pairIn(t, "expired"), pairIn(t, "other")
	write(t, ca, good, "shop.example")
	write(t, ca, other, "other.example")
	ca.WriteLasting(t, expired.Cert, expired.Key, -time.Hour, "shop.example")
	for _, bad := range []listen.Pair{
		{Cert: "/none.pem", Key: good.Key}, {Cert: good.Cert, Key: "/none.key"}, {Cert: good.Cert, Key: other.Key}, {Cert: good.Key, Key: good.Cert}, {Cert: t.TempDir(), Key: good.Key},
	} {
		if _, err := listen.LoadCertificates([]listen.Pair{other, bad}); err == nil || !strings.Contains(err.Error(), bad.Cert) && !strings.Contains(err.Error(), bad.Key) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	s := plain()
	s.TLS = []listen.Pair{expired}
	if h := open(t, s, nil); !strings.Contains(h.log.String(), "has expired") {
		t.Error("nobody says that the certificate has expired")
	}
}
