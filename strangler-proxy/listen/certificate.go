package listen

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
)

// Certificates are pairs as they were read, by the names in them. They are not changed.
type Certificates struct {
	list   []*certificate
	byName map[string][]*certificate
}

// A certificate is a pair in memory.
type certificate struct {
	pair Pair
	tls  tls.Certificate
	hash [sha256.Size]byte // of both files
}

// LoadCertificates reads pairs. The error names the first file that is wrong; without
// pairs the result is empty.
func LoadCertificates(pairs []Pair) (*Certificates, error) {
	var list []*certificate
	for _, p := range pairs {
		c, err := load(p, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return newCertificates(list), nil
}

func newCertificates(list []*certificate) *Certificates {
	s := &Certificates{list: list, byName: map[string][]*certificate{}}
	for _, c := range list {
		for _, name := range namesOf(c.tls.Leaf) {
			s.byName[name] = append(s.byName[name], c)
		}
	}
	return s
}

func namesOf(leaf *x509.Certificate) []string {
	names := make([]string, 0, len(leaf.DNSNames))
	for _, name := range leaf.DNSNames {
		names = append(names, strings.ToLower(strings.TrimSuffix(name, ".")))
	}
	return names
}

// load reads a pair, or returns before if the files are still the same.
func load(p Pair, before *certificate) (*certificate, error) {
	cert, err := readFile(p.Cert)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := readFile(p.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	hash := sha256.Sum256(bytes.Join([][]byte{cert, key}, []byte{0}))
	if before != nil && before.hash == hash {
		return before, nil
	}
	both, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %s", p.Cert, p.Key, strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &certificate{pair: p, tls: both, hash: hash}, nil
}

const limitFile = 1 << 20

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limitFile {
		return nil, fmt.Errorf("%s is no file of at most 1 MiB", path)
	}
	return os.ReadFile(path)
}

// pick finds the certificate for a client: of those with the name it asks for, one
// that it can verify; or else any such, or else the first.
func (s *Certificates) pick(hello *tls.ClientHelloInfo) *certificate {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	named := s.byName[name]
	if _, domain, ok := strings.Cut(name, "."); ok && len(named) == 0 {
		named = s.byName["*."+domain]
	}
	for _, c := range named {
		if hello.SupportsCertificate(&c.tls) == nil {
			return c
		}
	}
	if len(named) > 0 {
		return named[0]
	}
	for _, c := range s.list {
		if hello.SupportsCertificate(&c.tls) == nil {
			return c
		}
	}
	return s.list[0]
}
