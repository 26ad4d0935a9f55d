package route

import "net/netip"

// A Cohort is a kind of clients that a canary sends to the service whatever its share.
// Whoever fulfils all that it asks for belongs to it.
type Cohort struct {
	Header Condition    // without a name: none is asked for
	Peers  netip.Prefix // the zero value: any address
}

// Has reports whether the client of a request belongs to the cohort.
func (c *Cohort) Has(head *Head) bool {
	if c.Header.Name != "" && !c.Header.inHeader(head) {
		return false
	}
	if c.Peers.IsValid() && !c.Peers.Contains(head.Peer.Unmap().WithZone("")) {
		return false
	}
	return c.Header.Name != "" || c.Peers.IsValid()
}

// HasMember reports whether the client of a request belongs to a cohort of the route.
func (r *Route) HasMember(head *Head) bool {
	for i := range r.Cohorts {
		if r.Cohorts[i].Has(head) {
			return true
		}
	}
	return false
}
