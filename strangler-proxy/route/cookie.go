package route

import "strings"

// cookie finds a cookie in all lines of the head that hold some: clients send one, but
// what stands between may split it.
func (h *Head) cookie(name string) (value string, found bool) {
	for i := 0; ; i++ {
		line, more := h.value("Cookie", i)
		if !more {
			return "", false
		}
		if value, found = cookie(line, name); found {
			return value, true
		}
	}
}

// cookie finds a cookie by its name in the value of a Cookie header; of several, the
// first. It takes no memory.
func cookie(header, name string) (value string, found bool) {
	for header != "" {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		pair = strings.TrimLeft(pair, " \t")
		if len(pair) > len(name) && pair[len(name)] == '=' && pair[:len(name)] == name {
			return strings.TrimRight(pair[len(name)+1:], " \t"), true
		}
	}
	return "", false
}
