package forwarded

import (
	"iter"
	"net/netip"
	"strings"
)

// backwards yields the entries of a list that is spread over fields, the last one
// first, at most limitHops of them, empty ones counted.
func backwards(fields []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		left := limitHops
		for i := len(fields) - 1; i >= 0; i-- {
			rest, more := fields[i], true
			for more && left > 0 {
				var entry string
				entry, rest, more = cutLast(rest)
				if left--; entry != "" && !yield(entry) {
					return
				}
			}
		}
	}
}

// cutLast cuts the entry behind the last comma off.
func cutLast(list string) (entry, rest string, more bool) {
	comma := strings.LastIndexByte(list, ',')
	if comma < 0 {
		return strings.Trim(list, " \t"), "", false
	}
	return strings.Trim(list[comma+1:], " \t"), list[:comma], true
}

// at returns what was said about the client: proxies that append to a list speak of
// the hop before them, so it stands as far from the right as the client's address. A
// list that is shorter was not appended to by all of them; its first entry then is
// about the hop that is furthest back.
func at(fields []string, depth int) string {
	found := ""
	for entry := range backwards(fields) {
		found = entry
		if depth--; depth <= 0 {
			break
		}
	}
	return found
}

// limitNode bounds an address with brackets, port and quotes.
const limitNode = 64

// parseNode reads an address of X-Forwarded-For or Forwarded, with or without a port:
// 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1], [2001:db8::1]:4711.
func parseNode(text string) (netip.Addr, bool) {
	if text == "" || len(text) > limitNode {
		return netip.Addr{}, false
	}
	host := text
	if text[0] == '[' {
		end := strings.IndexByte(text, ']')
		if end < 0 || !validPort(text[end+1:]) {
			return netip.Addr{}, false
		}
		host = text[1:end]
		if strings.IndexByte(host, ':') < 0 {
			return netip.Addr{}, false
		}
	} else if colon := strings.IndexByte(text, ':'); colon >= 0 && colon == strings.LastIndexByte(text, ':') {
		if !validPort(text[colon:]) {
			return netip.Addr{}, false
		}
		host = text[:colon]
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return plain(addr), true
}

// validPort takes nothing, or a colon and digits.
func validPort(text string) bool {
	if text == "" {
		return true
	}
	if text[0] != ':' || len(text) < 2 || len(text) > len(":65535") {
		return false
	}
	for i := 1; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

const limitHost = 255

// validHost takes what may stand in a Host field: a name or an address, and a port.
func validHost(text string) bool {
	if text == "" || len(text) > limitHost {
		return false
	}
	if text[0] == '[' {
		_, ok := parseNode(text)
		return ok
	}
	name, port := text, ""
	if colon := strings.IndexByte(text, ':'); colon >= 0 {
		name, port = text[:colon], text[colon:]
	}
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return name != "" && validPort(port)
}
