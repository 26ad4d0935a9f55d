package differ

// A Suite compares the pairs of one run without holding all of them: first every pair is
// bound, in the order in which they happened, then each is compared. Compare may be called
// by any number of goroutines once the last Bind has returned.
type Suite struct {
	d     *Differ
	noise *Noise
	ids   *identities
}

// Suite returns a Suite that knows BEFORE's noise; noise may be nil.
func (d *Differ) Suite(noise *Noise) *Suite { return &Suite{d, noise, newIdentities()} }

// Bind is pass 1: it binds the identifiers that the pair minted.
func (s *Suite) Bind(pair Pair) {
	s.ids.racing = pair.Raced
	w := s.d.walk(binding, s.noise, s.ids, pair)
	w.exchange()
	w.finish()
}

// Compare is pass 2: it compares a pair under the identifiers that were bound.
func (s *Suite) Compare(pair Pair) Result {
	w := s.d.walk(comparing, s.noise, s.ids, pair)
	w.exchange()
	return w.finish()
}

// Learn notes where two answers of BEFORE differ by more than the identifiers that were
// bound. The two come from two runs of BEFORE, and so do all pairs that were bound.
func (s *Suite) Learn(noise *Noise, pair Pair) {
	w := s.d.walk(learning, noise, s.ids, pair)
	w.exchange()
	w.finish()
}
