package route

// ComparePath is negative when the path of t is preferred to that of o: the first
// segment that is of another kind decides, a literal before a placeholder before **.
func (t Template) ComparePath(o Template) int { return t.compare(o) }

// CompareConditions orders templates of one path and method the way a table tries them:
// negative when t asks for more than o.
func (t Template) CompareConditions(o Template) int { return t.compareConditions(o) }
