package outcome

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

var (
	tapPlan   = regexp.MustCompile(`^1\.\.(\d+)\s*(#.*)?\s*$`)
	tapResult = regexp.MustCompile(`^( *)(not )?ok\b *(\d+)? *-? *(.*)$`)
	tapSub    = regexp.MustCompile(`^( *)# Subtest: (.*)$`)
	tapSkip   = regexp.MustCompile(`(?i)(?:^|\s)#\s*(skip|todo)\S*`)
)

// tap reads a stream of the Test Anything Protocol, with subtests as Node and Perl write them.
type tap struct {
	gather
	names   []string // of the subtests that are open, by depth
	parents map[string]bool
	plan    int
	results int
	any     bool
	detail  bool // within a block of details
	indent  int
	bail    string
}

// TAP reads the output of a command that writes the Test Anything Protocol.
func TAP(r io.Reader) (Outcomes, error) {
	t := &tap{plan: -1, parents: map[string]bool{}}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		text, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return Outcomes{}, fmt.Errorf("read TAP: %w", err)
		}
		if err := t.line(strings.TrimRight(string(text), "\r\n")); err != nil {
			return Outcomes{}, err
		}
		if err != nil {
			break
		}
	}
	if !t.any {
		return Outcomes{}, errors.New("no result of the Test Anything Protocol in the output")
	}
	if t.bail != "" || t.plan >= 0 && t.results < t.plan {
		message := "Bail out! " + t.bail
		if t.bail == "" {
			message = fmt.Sprintf("the plan says %d tests, %d ended", t.plan, t.results)
		}
		if err := t.add(Test{Name: "the plan", Status: Fail, Message: message}); err != nil {
			return Outcomes{}, err
		}
	}
	return t.outcomes(), nil
}

func (t *tap) line(text string) error {
	trimmed := strings.TrimLeft(text, " ")
	depth := (len(text) - len(trimmed)) / 4
	switch {
	case t.detail:
		t.detail = trimmed != "..." || len(text)-len(trimmed) != t.indent
	case trimmed == "---":
		t.detail, t.indent = true, len(text)-len(trimmed)
	case strings.HasPrefix(trimmed, "Bail out!"):
		t.any, t.bail = true, strings.TrimSpace(strings.TrimPrefix(trimmed, "Bail out!"))+" "
	default:
		if m := tapSub.FindStringSubmatch(text); m != nil {
			t.names = append(t.names[:min(depth, len(t.names))], m[2])
			return nil
		}
		if m := tapPlan.FindStringSubmatch(text); m != nil {
			t.any = true
			t.plan, _ = strconv.Atoi(m[1])
			return nil
		}
		if m := tapResult.FindStringSubmatch(text); m != nil {
			return t.result(depth, m)
		}
	}
	return nil
}

func (t *tap) result(depth int, m []string) error {
	t.any = true
	if depth == 0 {
		t.results++
	}
	test := Test{Name: strings.TrimSpace(m[4]), Status: Pass}
	if m[2] != "" {
		test.Status = Fail
	}
	if at := tapSkip.FindStringIndex(test.Name); at != nil {
		test.Name, test.Status = strings.TrimSpace(test.Name[:at[0]]), Skip
	}
	if test.Name == "" {
		test.Name = "test " + m[3]
	}
	home := t.names[:min(depth, len(t.names))]
	path := strings.Join(append(append([]string{}, home...), test.Name), " / ")
	t.names = home
	test.Name = path
	return t.add(test)
}
