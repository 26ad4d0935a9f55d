package yamldoc

import "github.com/goccy/go-yaml/token"

// flows counts, token by token, the keys in { } that have no value.
type flows struct {
	nulls int
	open  []flow
	last  token.Type
}

// A flow is a bracket that is open.
type flow struct {
	mapping bool
	colon   bool // of the entry that is being read
}

func (f *flows) next(t *token.Token) {
	switch t.Type {
	case token.CommentType:
		return
	case token.MappingStartType, token.SequenceStartType:
		f.open = append(f.open, flow{mapping: t.Type == token.MappingStartType})
	case token.MappingEndType, token.SequenceEndType:
		f.endEntry()
		f.open = f.open[:max(0, len(f.open)-1)]
	case token.CollectEntryType:
		f.endEntry()
	case token.MappingValueType:
		if n := len(f.open); n > 0 {
			f.open[n-1].colon = true
		}
	default:
	}
	f.last = t.Type
}

func (f *flows) endEntry() {
	n := len(f.open)
	if n == 0 {
		return
	}
	empty := f.last == token.MappingStartType || f.last == token.CollectEntryType
	if f.open[n-1].mapping && !empty && (!f.open[n-1].colon || f.last == token.MappingValueType) {
		f.nulls++
	}
	f.open[n-1].colon = false
}
