package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// A Problem is a line that is not as it was written, or not where.
type Problem struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// A Report says how a log stands.
type Report struct {
	Lines    int       // all of them
	Unlinked int       // of those: without a chain, from an older version
	Torn     []int     // lines whose writer was killed; the line after vouches for them
	Problems []Problem // in the order of their lines
	Head     string    // the hash of the newest line; "" for an empty log
	NewHash  string    // of the configuration after the newest entry
	Seen     bool      // whether the line with the wanted hash is there
}

// Verify checks every line of the log at path. A log that does not exist is empty. If
// head is not empty, the report says whether a line has this hash: that finds out
// whether lines at the end are missing that once were there.
func Verify(path, head string) (Report, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Report{}, nil
	}
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	v := verifier{want: head}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			v.line(line)
		}
		if errors.Is(err, io.EOF) {
			v.end()
			return v.report, nil
		}
		if err != nil {
			return v.report, fmt.Errorf("read %s: %w", path, err)
		}
	}
}

// A verifier walks through the lines.
type verifier struct {
	report  Report
	want    string
	chained bool   // a line with a chain was there
	before  []byte // what the next entry links to, see sumBefore
	odd     []int  // lines since the newest entry that could not be read
	ended   bool   // the last line has its end
}

func (v *verifier) line(text []byte) {
	v.report.Lines++
	line, ended := bytes.CutSuffix(text, []byte("\n"))
	v.ended = ended
	entry, err := parse(line)
	switch {
	case err != nil:
		v.odd = append(v.odd, v.report.Lines)
	case entry.Prev != "":
		v.link(line, entry)
	case v.chained:
		v.problem(v.report.Lines, "it has no link to the line before")
	default:
		v.report.Unlinked++
		v.report.NewHash = entry.NewHash
	}
	if err == nil {
		v.odd = nil
		if v.chained {
			v.before = v.before[:0]
		}
	}
	v.before = append(v.before, text...)
	v.report.Head = sum(line)
	v.report.Seen = v.report.Seen || v.want == v.report.Head
}

// link checks an entry that belongs to the chain. A good one vouches for the lines
// before it that could not be read: they stood there when it was written.
func (v *verifier) link(line []byte, entry Entry) {
	linked := entry.Prev == sumBefore(v.before, v.chained)
	v.chained = true
	switch {
	case !genuine(line, entry.Hash):
		v.problem(v.report.Lines, "it was changed: its own hash does not fit")
	case !linked:
		v.problem(v.report.Lines, "it does not follow the line before: one was changed, moved or taken out")
	default:
		v.report.Torn = append(v.report.Torn, v.odd...)
		v.report.NewHash = entry.NewHash
		return
	}
	v.refuse()
}

// refuse names the lines that nobody vouches for.
func (v *verifier) refuse() {
	for _, n := range v.odd {
		v.problem(n, "it is not an entry")
	}
}

func (v *verifier) end() {
	if n := len(v.odd); n > 0 && !v.ended {
		v.odd = v.odd[:n-1]
		v.problem(v.report.Lines, "it is incomplete: its writer was stopped; the next entry will vouch for it")
	}
	v.refuse()
	slices.SortStableFunc(v.report.Problems, func(a, b Problem) int { return a.Line - b.Line })
}

func (v *verifier) problem(line int, text string) {
	v.report.Problems = append(v.report.Problems, Problem{line, text})
}
