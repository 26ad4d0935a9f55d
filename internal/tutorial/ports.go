package tutorial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
)

// Ports maps the default ports, which the text names, to free ports of this machine,
// so that chapters run beside each other and beside the reader's own demo.
type Ports struct {
	toActual, toText map[string]string
}

var portInText = regexp.MustCompile(`\b(?:127\.0\.0\.1|localhost):[0-9]{4}\b`)

// FreePorts returns sets of ports, all different, each with a free port for every one
// of defaults. The free ports have four digits like the default ones, so that tables
// are as wide as in the text.
func FreePorts(ctx context.Context, sets int, defaults ...string) ([]Ports, error) {
	taken := map[string]bool{}
	for _, d := range defaults {
		taken[d] = true
	}
	all := make([]Ports, sets)
	for i := range all {
		p := Ports{map[string]string{}, map[string]string{}}
		for _, d := range defaults {
			port, err := freePort(ctx, taken)
			if err != nil {
				return nil, err
			}
			p.toActual[d], p.toText[port] = port, d
		}
		all[i] = p
	}
	return all, nil
}

func freePort(ctx context.Context, taken map[string]bool) (string, error) {
	for range 1000 {
		port := fmt.Sprint(2000 + rand.IntN(7000))
		if taken[port] || strings.HasPrefix(port, "808") || strings.HasPrefix(port, "90") {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		l.Close()
		taken[port] = true
		return port, nil
	}
	return "", errors.New("no free port with four digits")
}

// Of returns the free port that stands for the default port d.
func (p Ports) Of(d string) string { return p.toActual[d] }

// Actual returns s with the ports of the text replaced by the free ones.
func (p Ports) Actual(s string) string { return replace(s, p.toActual) }

// Text returns s with the free ports replaced by those of the text.
func (p Ports) Text(s string) string { return replace(s, p.toText) }

func replace(s string, by map[string]string) string {
	return portInText.ReplaceAllStringFunc(s, func(address string) string {
		host, port := address[:len(address)-4], address[len(address)-4:]
		if other, ok := by[port]; ok {
			return host + other
		}
		return address
	})
}
