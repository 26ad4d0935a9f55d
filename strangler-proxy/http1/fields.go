package http1

import "cmp"

// Fields are the field lines of a head, in their order. They are views into the
// buffer that was parsed and hold until it changes.
type Fields struct {
	buf  []byte
	list []field
	facts

	// Where scanning goes on.
	first int // the block of lines begins here
	line  int // the current line begins here
	colon int // of the current line; 0 before it was seen
	at    int // the first byte not yet looked at
}

// A field is one line by its offsets. The name is [start:colon], the line [start:next].
type field struct {
	start, colon, value, end, next uint32
	kind                           Kind
	marks                          Marks
}

// Count returns the number of field lines.
func (f *Fields) Count() int { return len(f.list) }

// Lines returns all lines as they were sent, each with its end: a view, too.
func (f *Fields) Lines() []byte { return f.buf[f.first:f.line] }

// Name returns the i-th field's name as it was sent.
func (f *Fields) Name(i int) []byte { return f.buf[f.list[i].start:f.list[i].colon] }

// Value returns the i-th field's value without the white space around it.
func (f *Fields) Value(i int) []byte { return f.buf[f.list[i].value:f.list[i].end] }

// Kind returns what the i-th field means.
func (f *Fields) Kind(i int) Kind { return f.list[i].kind }

// Marks returns why the i-th field might not pass.
func (f *Fields) Marks(i int) Marks { return f.list[i].marks }

// Index returns the first field from the i-th on with the name, which must be in
// lower case, or -1.
func (f *Fields) Index(name string, i int) int {
	for ; i < len(f.list); i++ {
		if l := &f.list[i]; int(l.colon-l.start) == len(name) && equalFold(f.buf[l.start:l.colon], name) {
			return i
		}
	}
	return -1
}

// Lookup is Index for a name in any case.
func (f *Fields) Lookup(name string, i int) int {
	for ; i < len(f.list); i++ {
		l := &f.list[i]
		if int(l.colon-l.start) != len(name) {
			continue
		}
		same := true
		for k, c := range f.buf[l.start:l.colon] {
			if c != name[k] && lower(c) != lower(name[k]) {
				same = false
				break
			}
		}
		if same {
			return i
		}
	}
	return -1
}

// DropField marks the i-th field as meant for one connection only.
func (f *Fields) DropField(i int) { f.list[i].marks |= HopByHop }

// Drop marks all fields of a kind as meant for one connection only.
func (f *Fields) Drop(kind Kind) {
	for i := range f.list {
		if f.list[i].kind == kind {
			f.list[i].marks |= HopByHop
		}
	}
}

// AppendFields appends the lines that bear none of the marks.
func (f *Fields) AppendFields(dst []byte, drop Marks) []byte {
	from := uint32(f.first)
	for i := range f.list {
		if l := &f.list[i]; l.marks&drop != 0 {
			dst = append(dst, f.buf[from:l.start]...)
			from = l.next
		}
	}
	return append(dst, f.buf[from:f.line]...)
}

// Scan reads lines that are known to be good, without an empty one behind them.
func (f *Fields) Scan(lines []byte) {
	f.begin(0)
	_, _ = f.scan(lines, Limits{})
}

// begin makes ready for lines that start at an offset; the room for them is kept.
func (f *Fields) begin(first int) {
	*f = Fields{buf: f.buf, list: f.list[:0], first: first, line: first, at: first, facts: facts{length: -1}}
}

// scan goes on over the lines in buf, whose beginning was the same at the last call.
// It reports whether the empty line was reached; f.at is then behind it. All lines
// are judged strictly from left to right, so that it makes no difference where the
// input was split.
func (f *Fields) scan(buf []byte, limits Limits) (done bool, _ Reason) {
	f.buf = buf
	window, full := buf, false
	if end := f.first + cmp.Or(limits.HeaderBytes, defaultHeaderBytes); len(buf) >= end {
		window, full = buf[:end], true
	}
	for {
		whole, reason := true, Reason(0)
		if f.colon == 0 {
			done, whole, reason = f.scanName(window, cmp.Or(limits.Fields, defaultFields))
		}
		if !done && whole && reason == 0 {
			whole, reason = f.scanValue(window)
		}
		switch {
		case done || reason != 0:
			return done, reason
		case !whole && full:
			return false, LargeHeader
		case !whole:
			return false, 0
		}
	}
}

// scanName goes on at or behind the beginning of a line: up to its colon, or over the
// empty line.
func (f *Fields) scanName(b []byte, limitFields int) (done, whole bool, _ Reason) {
	if f.at == f.line {
		if f.at == len(b) {
			return false, false, 0
		}
		switch b[f.at] {
		case '\r':
			whole, reason := f.scanLineEnd(b)
			return whole && reason == 0, whole, reason
		case '\n':
			return false, false, BadLineEnd
		case ' ', '\t':
			return false, false, FoldedLine
		}
		if len(f.list) >= limitFields {
			return false, false, ManyFields
		}
	}
	f.at = endOfToken(b, f.at)
	switch {
	case f.at == len(b):
		return false, false, 0
	case b[f.at] != ':' || f.at == f.line:
		return false, false, BadFieldName
	}
	f.colon = f.at
	f.at++
	return false, true, 0
}

// scanValue goes on behind the colon of a line, up to the next line.
func (f *Fields) scanValue(b []byte) (whole bool, _ Reason) {
	f.at = endOfText(b, f.at)
	if f.at < len(b) && b[f.at] != '\r' && b[f.at] != '\n' {
		return false, BadFieldValue
	}
	end := f.at
	if whole, reason := f.scanLineEnd(b); !whole || reason != 0 {
		return whole, reason
	}
	value := f.colon + 1
	for value < end && isSpace(b[value]) {
		value++
	}
	for end > value && isSpace(b[end-1]) {
		end--
	}
	kind, marks := classify(b[f.line:f.colon])
	f.list = append(f.list, field{
		start: uint32(f.line), colon: uint32(f.colon), value: uint32(value), end: uint32(end), next: uint32(f.at),
		kind: kind, marks: marks,
	})
	f.line, f.colon = f.at, 0
	return true, 0
}

// scanLineEnd goes over CR LF, as a whole.
func (f *Fields) scanLineEnd(b []byte) (whole bool, _ Reason) {
	switch {
	case f.at == len(b):
		return false, 0
	case b[f.at] != '\r':
		return false, BadLineEnd
	case f.at+1 == len(b):
		return false, 0
	case b[f.at+1] != '\n':
		f.at++
		return false, BadLineEnd
	}
	f.at += 2
	return true, 0
}
