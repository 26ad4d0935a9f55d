package compare

import "github.com/stranglerfig/toolkit/compare/differ"

func (j *judge) state() {}

func (j *judge) learnState(suite *differ.Suite, first, other *side) {}
