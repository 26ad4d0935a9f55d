package differ

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

type mediaKind uint8

const (
	binaryBody mediaKind = iota
	textBody
	htmlBody
	linesBody // one JSON value a line
	jsonBody
)

// mediaOf returns a content type in one spelling.
func mediaOf(contentType string) string {
	name, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return strings.ToLower(strings.TrimSpace(contentType))
	}
	if charset, ok := params["charset"]; ok {
		params["charset"] = strings.ToLower(charset)
	}
	return mime.FormatMediaType(name, params)
}

// bodyKind says how to read a body, by its content type or, without one, by its look.
func bodyKind(h http.Header, body []byte) mediaKind {
	name, _, _ := strings.Cut(mediaOf(h.Get("Content-Type")), ";")
	switch {
	case name == "application/json", name == "text/json", strings.HasSuffix(name, "+json"):
		return jsonBody
	case name == "application/x-ndjson", name == "application/jsonl", name == "application/ndjson":
		return linesBody
	case name == "text/html", name == "application/xhtml+xml":
		return htmlBody
	case name == "" && looksLikeJSON(body):
		return jsonBody
	case strings.HasPrefix(name, "text/"), strings.HasSuffix(name, "+xml"), name == "application/xml", name == "":
		return textBody
	case strings.HasSuffix(name, "javascript"), name == "application/x-www-form-urlencoded", name == "application/yaml":
		return textBody
	}
	return binaryBody
}

func looksLikeJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// body compares the bodies as what BEFORE's content type says they are.
func (w *walk) body() {
	w.part, w.path, w.label = InBody, w.path[:0], ""
	before, after := w.pair.Before.Body, w.pair.After.Body
	kind := bodyKind(w.pair.Before.Header, before)
	switch {
	case len(before)+len(after) == 0:
	case len(before) == 0 || len(after) == 0:
		w.bodyAbsent(before, after)
	case len(before) > w.d.limits.BodyBytes || len(after) > w.d.limits.BodyBytes:
		w.opaque(before, after, "; too large to be compared in parts")
	case kind == jsonBody || kind == linesBody:
		w.json(kind, string(before), string(after))
	case kind == htmlBody && bodyKind(w.pair.After.Header, after) == htmlBody && checkUTF8(string(before)) == nil && checkUTF8(string(after)) == nil:
		w.html(before, after)
	case kind == binaryBody:
		w.opaque(before, after, "")
	default:
		w.text(string(before), string(after))
	}
}

func (w *walk) bodyAbsent(before, after []byte) {
	known, _ := w.noise.at(w.place())
	a, b := textValue(string(before)), textValue(string(after))
	w.result.Leaves++
	switch {
	case w.mode == learning:
		w.learn(true, func(v *variation) { v.optional = true })
	case known.optional:
		w.accept("BEFORE has a body only sometimes")
	case len(after) == 0:
		w.find(Missing, Breaking, &a, nil, "AFTER has no body")
	default:
		w.find(Added, Additive, nil, &b, "only AFTER has a body")
	}
}

// json compares bodies that BEFORE's content type calls JSON.
func (w *walk) json(kind mediaKind, before, after string) {
	read := w.members.readJSON
	if kind == linesBody {
		read = w.members.readLines
	}
	a, errA := read(before, w.d.limits.Depth)
	b, errB := read(after, w.d.limits.Depth)
	switch {
	case errA == nil && errB == nil:
		w.node(a, b)
	case errA != nil && errB != nil:
		w.text(before, after)
	default:
		err, side := errA, "BEFORE"
		if errB != nil {
			err, side = errB, "AFTER"
		}
		w.result.Leaves++
		w.learn(true, func(v *variation) { v.masking = allMasked })
		if known, _ := w.noise.at(w.place()); known.masking == allMasked {
			w.accept("BEFORE is not always JSON, either")
			return
		}
		x, y := textValue(before), textValue(after)
		w.find(Malformed, Breaking, &x, &y, fmt.Sprintf("%s is no JSON: %s", side, err))
	}
}

// text compares text bodies line by line; generated values are unified, noise is masked.
func (w *walk) text(before, after string) {
	w.result.Leaves++
	if checkUTF8(before) != nil || checkUTF8(after) != nil {
		w.opaque([]byte(before), []byte(after), "")
		return
	}
	known, _ := w.noise.at(w.place())
	switch {
	case w.mode == binding:
		return
	case w.mode == learning:
		w.learn(before != after, func(v *variation) {
			for v.masking < allMasked && !w.masked(before, after, v.masking) {
				v.masking++
			}
		})
		return
	case w.masked(before, after, nothingMasked):
		return
	case known.masking > 0 && w.masked(before, after, known.masking):
		w.accept(fmt.Sprintf("BEFORE's text varied in %d of %d samples", known.varied, known.samples))
		return
	}
	if lineEnds(before) == lineEnds(after) {
		w.report(Finding{Kind: Format, Severity: Spelling, Explanation: "the line ends differ"})
		return
	}
	x, y, line := firstDifference(before, after)
	limit := w.d.limits.ShownText
	x, y = x[:min(len(x), limit+8192)], y[:min(len(y), limit+8192)] // far beyond what is shown
	f := Finding{
		Kind: Text, Severity: Breaking, Explanation: fmt.Sprintf("the texts differ from line %d on", line),
		Before: shorten(w.d.redact.Text(x), limit), After: shorten(w.d.redact.Text(y), limit),
	}
	if len(before)+len(after) <= maxUnified {
		f.Diff = shorten(udiff.Unified("before", "after", w.d.redact.Text(before), w.d.redact.Text(after)), 20*limit)
	}
	w.report(f)
}

// maxUnified bounds the text that a unified diff is made of.
const maxUnified = 256 << 10

func lineEnds(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
}

// firstDifference returns the first lines that differ, and their number.
func firstDifference(a, b string) (x, y string, line int) {
	for line = 1; ; line++ {
		var moreA, moreB bool
		x, a, moreA = strings.Cut(a, "\n")
		y, b, moreB = strings.Cut(b, "\n")
		if x != y || !moreA || !moreB {
			return x, y, line
		}
	}
}

// opaque compares bodies byte by byte.
func (w *walk) opaque(before, after []byte, why string) {
	w.result.Leaves++
	if w.mode == binding {
		return
	}
	differ := !bytes.Equal(before, after)
	w.learn(differ, func(v *variation) { v.masking = allMasked })
	if !differ || w.mode == learning {
		return
	}
	if known, _ := w.noise.at(w.place()); known.masking == allMasked {
		w.accept(fmt.Sprintf("BEFORE's bytes varied in %d of %d samples", known.varied, known.samples))
		return
	}
	at := 0
	for at < len(before) && at < len(after) && before[at] == after[at] {
		at++
	}
	w.report(Finding{
		Kind: Binary, Severity: Breaking, Before: digest(before), After: digest(after),
		Explanation: fmt.Sprintf("the bytes differ from byte %d on%s", at, why),
	})
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("%d bytes, sha256 %x", len(body), sum[:8])
}

// SyntaxErrorOf returns the position at which a body is no JSON, or nil if it is JSON
// within the limits.
func SyntaxErrorOf(body []byte, limits Limits) *SyntaxError {
	_, err := readJSON(string(body), limits.orDefault().Depth)
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return syntax
	}
	return nil
}
