// Package testcert issues certificates for tests.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"testing"
	"time"
)

// An Authority issues certificates that Pool verifies.
type Authority struct {
	Pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

// New returns an Authority of its own.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{Pool: x509.NewCertPool()}
	a.cert, a.key = a.issue(t, nil, time.Hour)
	a.Pool.AddCert(a.cert)
	return a
}

// Write issues a certificate for names, good for an hour, and writes it and its key to
// files.
func (a *Authority) Write(t testing.TB, certFile, keyFile string, names ...string) *x509.Certificate {
	t.Helper()
	return a.WriteLasting(t, certFile, keyFile, time.Hour, names...)
}

// WriteLasting is Write for another time, which may be over already.
func (a *Authority) WriteLasting(t testing.TB, certFile, keyFile string, lasts time.Duration, names ...string) *x509.Certificate {
	t.Helper()
	cert, key := a.issue(t, names, lasts)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert.Raw}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert
}

// issue makes a certificate for names; without names, the authority's own.
func (a *Authority) issue(t testing.TB, names []string, lasts time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: fmt.Sprint("test ", a.next)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(lasts), DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer := a.cert, a.key
	if names == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
