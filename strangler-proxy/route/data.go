package route

// Data says where the data behind a route is, which decides about the requests that
// may change it: reads move before writes.
type Data int

// Where the data is.
const (
	DataUnsaid Data = iota // nobody says: it counts as the monolith's
	DataNone               // the service has none that could diverge from the monolith's
	DataSplit              // a split moves it; until the split says otherwise, the monolith owns it
	DataMoved              // a split has moved it: the service owns it, the monolith's copy is sealed
)

// splits reports whether a split keeps the data. Then a request that changes something
// never falls back: by the time a route is live, the monolith's copy is sealed.
func (d Data) splits() bool { return d == DataSplit || d == DataMoved }
