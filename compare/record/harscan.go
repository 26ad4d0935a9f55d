package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A scanner goes through a JSON text of any size and holds no more of it than a value that
// it is asked for: what stands before the entries of a HAR may be large, and nobody reads it.
type scanner struct {
	in     *bufio.Reader
	offset int64 // of the next byte
}

var (
	errCutOff  = errors.New("it is cut off; export it again")
	errTooLong = errors.New("too long")
)

func newScanner(in io.Reader) *scanner {
	s := &scanner{in: bufio.NewReaderSize(in, 64<<10)}
	if mark, _ := s.in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) { // some exporters write a byte order mark
		s.take(3)
	}
	return s
}

// chunk returns what is at hand, at least a byte; take goes past some of it.
func (s *scanner) chunk() ([]byte, error) {
	if _, err := s.in.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			err = errCutOff
		}
		return nil, err
	}
	return s.in.Peek(s.in.Buffered())
}

func (s *scanner) take(n int) {
	n, _ = s.in.Discard(n) // of what chunk has shown
	s.offset += int64(n)
}

// next goes past white space and returns the byte behind it, which is not taken.
func (s *scanner) next() (byte, error) {
	for {
		chunk, err := s.chunk()
		if err != nil {
			return 0, err
		}
		rest := bytes.TrimLeft(chunk, " \t\r\n")
		s.take(len(chunk) - len(rest))
		if len(rest) > 0 {
			return rest[0], nil
		}
	}
}

// expect takes a delimiter.
func (s *scanner) expect(want byte) error {
	c, err := s.next()
	if err == nil && c != want {
		err = fmt.Errorf("%q stands where %q has to be", c, want)
	}
	if err != nil {
		return err
	}
	s.take(1)
	return nil
}

// more reports whether the list or object goes on, and takes the comma before what comes, or
// its end.
func (s *scanner) more(first *bool, end byte) (bool, error) {
	c, err := s.next()
	if err != nil {
		return false, err
	}
	if c == end {
		s.take(1)
		return false, nil
	}
	if !*first {
		if err := s.expect(','); err != nil {
			return false, err
		}
	}
	*first = false
	return true, nil
}

// members calls do with the name of each member of an object; do takes the value.
func (s *scanner) members(do func(name string) error) error {
	const longestName = 1 << 16
	if err := s.expect('{'); err != nil {
		return err
	}
	for first := true; ; {
		if more, err := s.more(&first, '}'); err != nil || !more {
			return err
		}
		var name string
		if err := s.decode(&name, longestName); err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := do(name); err != nil {
			return err
		}
	}
}

// elements calls do for each element of a list; do takes it.
func (s *scanner) elements(do func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	for first := true; ; {
		if more, err := s.more(&first, ']'); err != nil || !more {
			return err
		}
		if err := do(); err != nil {
			return err
		}
	}
}

// decode reads a value of at most most bytes.
func (s *scanner) decode(into any, most int) error {
	var text bytes.Buffer
	if err := s.value(&text, most); err != nil {
		return err
	}
	return json.Unmarshal(text.Bytes(), into)
}

// skip goes past a value.
func (s *scanner) skip() error { return s.value(nil, 0) }

// value goes past a value, and keeps up to most bytes of it if there is where to.
func (s *scanner) value(keep *bytes.Buffer, most int) error {
	if _, err := s.next(); err != nil {
		return err
	}
	var e extent
	for {
		chunk, err := s.chunk()
		if err != nil {
			return err
		}
		n, ended := e.end(chunk)
		if keep != nil {
			if keep.Len()+n > most {
				return errTooLong
			}
			_, _ = keep.Write(chunk[:n])
		}
		s.take(n)
		if ended {
			return nil
		}
	}
}

// extent finds the end of a JSON value, piece by piece.
type extent struct {
	depth           int
	quoted, escaped bool
}

// end returns how many bytes of a piece belong to the value, and whether it ends there.
func (e *extent) end(piece []byte) (n int, ended bool) {
	for i, c := range piece {
		switch {
		case e.escaped:
			e.escaped = false
		case e.quoted:
			e.escaped = c == '\\'
			if e.quoted = c != '"'; !e.quoted && e.depth == 0 {
				return i + 1, true
			}
		case c == '"':
			e.quoted = true
		case c == '{' || c == '[':
			e.depth++
		case e.depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']' || c <= ' '): // behind a number, true, null
			return i, true
		case c == '}' || c == ']':
			if e.depth--; e.depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(piece), false
}
