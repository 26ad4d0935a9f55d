package differ

// members is the memory of the values of one walk. A comparison reads each body several
// times, and what it reads would be most of what it allocates. The zero value is ready.
type members struct {
	open []member // of containers that are still being read
	kept []member // of those that are read; its rest is free
}

const (
	firstMembers = 256
	mostMembers  = 1 << 15 // of which the memory is used again: 2 MiB
)

// keep copies a list to where it stays until the members are given back.
func (m *members) keep(list []member) []member {
	if len(list) > cap(m.kept)-len(m.kept) { // what was kept before stays where it is
		m.kept = make([]member, 0, max(2*cap(m.kept), len(list), firstMembers))
	}
	start := len(m.kept)
	m.kept = append(m.kept, list...)
	return m.kept[start:len(m.kept):len(m.kept)]
}

// close keeps what was read of a container since start.
func (m *members) close(start int) []member {
	list := m.keep(m.open[start:])
	clear(m.open[start:]) // or the texts of the bodies would stay
	m.open = m.open[:start]
	return list
}

// lend returns memory that an earlier walk has given back, or new one.
func (d *Differ) lend() *members {
	if m, ok := d.members.Get().(*members); ok {
		return m
	}
	return new(members)
}

// giveBack lets another walk use the memory; no value of this one may be used any more.
func (d *Differ) giveBack(m *members) {
	if max(cap(m.open), cap(m.kept)) > mostMembers {
		return
	}
	clear(m.open)
	clear(m.kept)
	m.open, m.kept = m.open[:0], m.kept[:0]
	d.members.Put(m)
}
