package outcome

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json.
type event struct {
	Time    time.Time
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

// A goTest gathers events until the tests have ended.
type goTest struct {
	gather
	cached  []string
	output  map[string][]byte    // of tests that run
	running map[string]time.Time // since when; paused tests do not run
	windows []Window
	failed  map[string]bool // packages that have a failed test
	any     bool
}

// GoTest reads the events of go test -json; what stands between them is left out. Tests are
// named package/Test; a package that fails without a failed test (it does not build, it
// panics) counts as a test of its own.
func GoTest(r io.Reader) (Outcomes, error) {
	g := &goTest{output: map[string][]byte{}, running: map[string]time.Time{}, failed: map[string]bool{}}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		text, err := readLine(in)
		var e event
		if len(text) > 0 && text[0] == '{' && json.Unmarshal(text, &e) == nil && e.Action != "" {
			if err := g.event(e); err != nil {
				return Outcomes{}, err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Outcomes{}, fmt.Errorf("read go test -json: %w", err)
		}
	}
	if !g.any {
		return Outcomes{}, errors.New("no event of go test -json in the output; does the command run go test -json?")
	}
	return g.finish()
}

// finish notes the tests that never ended as failed.
func (g *goTest) finish() (Outcomes, error) {
	var left []string
	for name := range g.running {
		left = append(left, name)
	}
	slices.Sort(left)
	for _, name := range left {
		if err := g.add(Test{Name: name, Status: Fail, Message: "it did not end\n" + string(g.output[name])}); err != nil {
			return Outcomes{}, err
		}
	}
	o := g.outcomes()
	o.Cached, o.Windows = g.cached, g.windows
	slices.Sort(o.Cached)
	return o, nil
}

func (g *goTest) event(e event) error {
	g.any = true
	name := e.Package
	if e.Test != "" {
		name += "/" + e.Test
	}
	switch e.Action {
	case "run", "cont":
		g.running[name] = e.Time
	case "pause":
		g.leave(name, e.Time)
		g.running[name] = time.Time{} // it waits
	case "output":
		if e.Test == "" && strings.HasPrefix(e.Output, "ok") && strings.Contains(e.Output, "\t(cached)") {
			g.cached = append(g.cached, e.Package)
		}
		if kept := g.output[name]; len(kept) < 2*maxMessage {
			g.output[name] = append(kept, e.Output...)
		}
	case "build-output":
		g.output[name] = append(g.output[name], e.Output...)
	case "pass", "fail", "skip":
		return g.end(e, name)
	}
	return nil
}

func (g *goTest) end(e event, name string) error {
	g.leave(name, e.Time)
	text := strings.TrimSpace(string(g.output[name]))
	delete(g.output, name)
	if e.Test == "" {
		if e.Action != "fail" || g.failed[e.Package] {
			return nil
		}
		return g.add(Test{Name: name, Status: Fail, Seconds: e.Elapsed, Message: text})
	}
	t := Test{Name: name, Status: Status(e.Action), Seconds: e.Elapsed}
	if t.Status == Fail {
		t.Message, g.failed[e.Package] = text, true
	}
	return g.add(t)
}

func (g *goTest) leave(name string, at time.Time) {
	if from := g.running[name]; !from.IsZero() && !at.IsZero() {
		g.windows = append(g.windows, Window{name, from, at})
	}
	delete(g.running, name)
}

// Detect tells how to read the output of a command: "gotest", "tap" or "exit".
func Detect(output []byte) string {
	for line := range bytes.Lines(output) {
		var e event
		switch {
		case len(line) > 0 && line[0] == '{' && json.Unmarshal(line, &e) == nil && e.Action != "" && e.Package != "":
			return "gotest"
		case bytes.HasPrefix(line, []byte("TAP version ")), tapPlan.Match(line):
			return "tap"
		}
	}
	return "exit"
}

const maxLine = 16 << 20

func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		text = append(text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
		if len(text) > maxLine {
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
	}
}
