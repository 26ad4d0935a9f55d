package outcome

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A junitCase is a <testcase> as the producers write it.
type junitCase struct {
	Name      string       `xml:"name,attr"`
	ClassName string       `xml:"classname,attr"`
	File      string       `xml:"file,attr"`
	Time      string       `xml:"time,attr"`
	Status    string       `xml:"status,attr"`
	Failures  []junitFault `xml:"failure"`
	Errors    []junitFault `xml:"error"`
	Skipped   *struct{}    `xml:"skipped"`
}

type junitFault struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Limits of JUnit files.
const (
	maxReports     = 10_000
	maxReportBytes = 256 << 20
	maxSuites      = 64 // within each other
)

// JUnitFiles reads the files that fit pattern, a glob in which ** stands for any folders.
// No file is an error.
func JUnitFiles(pattern string) (Outcomes, error) {
	paths, err := globFiles(pattern)
	if err != nil {
		return Outcomes{}, err
	}
	if len(paths) == 0 {
		return Outcomes{}, fmt.Errorf("no JUnit report at %s; does the command write one?", pattern)
	}
	var g gather
	for _, path := range paths {
		if err := g.junitFile(path); err != nil {
			return Outcomes{}, err
		}
	}
	return g.outcomes(), nil
}

// JUnit reads one JUnit report.
func JUnit(r io.Reader) (Outcomes, error) {
	var g gather
	if err := g.junit(r); err != nil {
		return Outcomes{}, err
	}
	return g.outcomes(), nil
}

func globFiles(pattern string) ([]string, error) {
	root, below, deep := strings.Cut(pattern, "**/")
	if !deep {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		return limited(paths)
	}
	if _, err := filepath.Match(below, ""); err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	if root == "" {
		root = "."
	}
	var paths []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be looked into holds no report
		}
		if ok, _ := filepath.Match(below, filepath.Base(path)); ok && !d.IsDir() {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return limited(paths)
}

func limited(paths []string) ([]string, error) {
	if len(paths) > maxReports {
		return nil, fmt.Errorf("%d JUnit reports; at most %d are read", len(paths), maxReports)
	}
	slices.Sort(paths)
	return paths, nil
}

func (g *gather) junitFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	} else if info.Size() > maxReportBytes {
		return fmt.Errorf("%s: %d bytes; at most %d are read", path, info.Size(), maxReportBytes)
	}
	if err := g.junit(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// junit goes through a report. Suites nest; some producers name the class only in the suite.
func (g *gather) junit(r io.Reader) error {
	dec := xml.NewDecoder(r)
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		return latin(charset, in)
	}
	var suites junitSuites
	found := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) && found && len(suites) == 0 {
			return nil
		}
		if err != nil {
			line, column := dec.InputPos()
			return fmt.Errorf("not a JUnit report: line %d, column %d: %w", line, column, noEOF(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "testsuites":
				found = true
			case "testsuite":
				found = true
				if suites = append(suites, junitSuite{name: attribute(t, "name"), broken: faulty(t)}); len(suites) > maxSuites {
					return fmt.Errorf("not a JUnit report: more than %d suites within each other", maxSuites)
				}
			case "testcase":
				var c junitCase
				if err := dec.DecodeElement(&c, &t); err != nil {
					return fmt.Errorf("not a JUnit report: %w", noEOF(err))
				}
				test := c.test(suites.path())
				suites.ended(test.Status)
				if err := g.add(test); err != nil {
					return err
				}
			default:
				if !found {
					return fmt.Errorf("not a JUnit report: it begins with <%s>", t.Name.Local)
				}
			}
		case xml.EndElement:
			if t.Name.Local == "testsuite" && len(suites) > 0 {
				if err := g.suite(suites); err != nil {
					return err
				}
				suites = suites[:len(suites)-1]
			}
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// latin reads the two charsets besides UTF-8 that reports come in.
func latin(charset string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		return &latinReader{in: in}, nil
	}
	return nil, fmt.Errorf("charset %q is not known; write the report as UTF-8", charset)
}

type latinReader struct {
	in   io.Reader
	rest []byte
}

// Read turns each byte into the character of that number.
func (l *latinReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		buffer := make([]byte, 4096)
		n, err := l.in.Read(buffer)
		if n == 0 {
			return 0, err
		}
		for _, b := range buffer[:n] {
			l.rest = append(l.rest, string(rune(b))...)
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (c *junitCase) test(suite string) Test {
	home := c.ClassName
	if home == "" || home == "test" { // what node --test says of each test
		home = suite
	}
	t := Test{Name: strings.TrimPrefix(home+"/"+c.Name, "/"), Status: Pass}
	if c.File != "" && !strings.Contains(home, c.File) {
		t.Name = c.File + ": " + t.Name
	}
	t.Seconds, _ = strconv.ParseFloat(strings.ReplaceAll(c.Time, ",", ""), 64) // a time is a hint
	faults := append(c.Failures, c.Errors...)
	switch status := strings.ToLower(c.Status); {
	case len(faults) > 0 || status == "failed" || status == "error":
		t.Status = Fail
	case c.Skipped != nil || status == "skipped" || status == "disabled" || status == "notrun":
		t.Status = Skip
	}
	for _, f := range faults {
		t.Message += strings.TrimSpace(f.Message+"\n"+strings.TrimSpace(f.Text)) + "\n"
	}
	t.Message = strings.TrimSpace(t.Message)
	return t
}
