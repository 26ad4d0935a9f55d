package gateway

// An HTTPRoute is the part of gateway.networking.k8s.io/v1 that an export uses.
type HTTPRoute struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names an HTTPRoute.
type Metadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// A Spec says whose requests an HTTPRoute takes and where they go.
type Spec struct {
	ParentRefs []ParentRef `json:"parentRefs"`
	Hostnames  []string    `json:"hostnames,omitempty"`
	Rules      []Rule      `json:"rules"`
}

// A ParentRef is a Gateway.
type ParentRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// A Rule sends the requests of its matches to its backends.
type Rule struct {
	Matches     []Match      `json:"matches"`
	Filters     []Filter     `json:"filters,omitempty"`
	BackendRefs []BackendRef `json:"backendRefs"`
	Timeouts    *Timeouts    `json:"timeouts,omitempty"`

	// Comment says which route of the proxy this is.
	Comment string `json:"-"`
}

// A Match is what a request has to fulfil.
type Match struct {
	Path    PathMatch    `json:"path"`
	Headers []ValueMatch `json:"headers,omitempty"`
	Query   []ValueMatch `json:"queryParams,omitempty"`
	Method  string       `json:"method,omitempty"`
}

// A PathMatch compares paths.
type PathMatch struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// A ValueMatch compares a header or a query parameter.
type ValueMatch struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Filter copies requests.
type Filter struct {
	Type   string `json:"type"`
	Mirror Mirror `json:"requestMirror"`
}

// A Mirror is the target of copies.
type Mirror struct {
	Backend  BackendRef `json:"backendRef"`
	Percent  *int       `json:"percent,omitempty"`
	Fraction *Fraction  `json:"fraction,omitempty"`
}

// A Fraction is a share that is no whole percentage.
type Fraction struct {
	Numerator   int `json:"numerator"`
	Denominator int `json:"denominator"`
}

// A BackendRef is a Service and, among the backends of a rule, its share.
type BackendRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Port      int    `json:"port"`
	Weight    *int   `json:"weight,omitempty"`
}

// Timeouts bound what a backend may take.
type Timeouts struct {
	BackendRequest string `json:"backendRequest"`
}
