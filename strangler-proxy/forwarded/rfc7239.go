package forwarded

import "strings"

// believeForwarded reads Forwarded (RFC 7239) in place of the X-Forwarded fields that
// are not there. What goes upstream are X-Forwarded fields all the same.
func (o *Origin) believeForwarded(trust Trust, said *Said) {
	var host, proto string
	for element := range backwards(said.Forwarded) {
		if h, ok := parameter(element, "host"); ok {
			host = h
		}
		if p, ok := parameter(element, "proto"); ok {
			proto = p
		}
		// A comma within quotes cuts an element in two; no address holds one, so such an
		// element is not understood, and that ends the walk.
		node, _ := parameter(element, "for")
		addr, ok := parseNode(node)
		if !ok {
			break
		}
		o.Client = addr
		if !trust.Has(addr) {
			break
		}
	}
	if o.Client != o.peer {
		o.kept[0], o.n = o.Client.String(), 1
	}
	o.believe(at(said.FromHost, 1), at(said.FromProto, 1))
	o.believe(host, proto)
}

// parameter finds name=value or name="value" in an element. A name that stands twice
// says nothing.
func parameter(element, name string) (value string, found bool) {
	for more := true; more; {
		var pair string
		pair, element, more = strings.Cut(element, ";")
		key, text, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.Trim(key, " \t"), name) {
			continue
		}
		if found {
			return "", false
		}
		value, found = strings.Trim(text, " \t"), true
	}
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return value, found && value != "" && !strings.ContainsAny(value, `"\`)
}
