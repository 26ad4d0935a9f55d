package http1_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// A parser is what requests and responses have in common.
type parser interface {
	Parse(buf []byte) (bool, error)
}

// feed parses data that arrives in pieces cut at the offsets, each time in another buffer.
func feed(t *testing.T, p parser, data []byte, cuts ...int) (done bool, err error) {
	t.Helper()
	for _, cut := range append(cuts, len(data)) {
		piece := bytes.Clone(data[:cut])
		if done, err = p.Parse(piece[:len(piece):len(piece)]); done || err != nil {
			break
		}
	}
	if again, err2 := p.Parse(data); done && (!again || err2 != nil) || err != nil && !errors.Is(err2, err) {
		t.Errorf("%.80q: %v %v, and asked again: %v %v", data, done, err, again, err2)
	}
	return done, err
}

func everyByte(data []byte) []int {
	cuts := make([]int, len(data))
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

// outcome is all that can be seen of a request after parsing.
func outcome(r *http1.Request, done bool, err error) string {
	if !done || err != nil {
		return fmt.Sprintf("%v %v", done, err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%q %q %q %q %v %q %q minor %d framing %d length %d keep %v expect %v trailers %v websocket %v\n%d\n",
		r.Method, r.Target, r.Path, r.Query, r.HasQuery, r.Authority, r.Host, r.Minor, r.Framing, r.ContentLength,
		r.KeepAlive, r.ExpectContinue, r.AcceptsTrailers, r.WebSocket, r.Len)
	writeFields(&s, &r.Fields)
	return s.String()
}

func responseOutcome(r *http1.Response, done bool, err error) string {
	if !done || err != nil {
		return fmt.Sprintf("%v %v", done, err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d %q minor %d framing %d length %d keep %v interim %v\n%d\n",
		r.Status, r.Reason, r.Minor, r.Framing, r.ContentLength, r.KeepAlive, r.Interim, r.Len)
	writeFields(&s, &r.Fields)
	return s.String()
}

func writeFields(s *strings.Builder, f *http1.Fields) {
	for i := range f.Count() {
		fmt.Fprintf(s, "%q %q %d %b\n", f.Name(i), f.Value(i), f.Kind(i), f.Marks(i))
	}
}

// drain passes what follows a head through its body, in pieces of the given size. It
// returns what was handed on and how much was consumed.
func drain(b *http1.Body, data []byte, pieceBytes int) (passed []byte, consumed int, err error) {
	var held []byte
	for rest := data; ; {
		for {
			pass, n, err := b.Step(held)
			passed = append(passed, pass...)
			consumed += n
			held = held[n:]
			if err != nil {
				return passed, consumed, err
			}
			if n == 0 || b.Done() {
				break
			}
		}
		if b.Done() || len(rest) == 0 {
			return passed, consumed, nil
		}
		n := min(len(rest), max(1, pieceBytes))
		held = append(bytes.Clone(held), rest[:n]...)
		rest = rest[n:]
	}
}

func reasonOf(t *testing.T, err error) *http1.Error {
	t.Helper()
	var refused *http1.Error
	if !errors.As(err, &refused) {
		t.Fatalf("%v is no *http1.Error", err)
	}
	return refused
}
