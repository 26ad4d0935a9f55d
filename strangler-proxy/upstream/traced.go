package upstream

// traced makes an attempt that the exchange's trace knows of, if it has one.
func (c *Call) traced(q asking, a attempt) answer {
	t := c.Exchange.Trace
	if t == nil {
		return c.try(a)
	}
	t.Attempt(q.target.Name, a.origin.Name, c.Exchange.Fallback != "")
	result := c.try(a)
	if result.failure != nil {
		t.EndAttempt(0, result.failure.Reason)
	} else {
		t.EndAttempt(c.response.Status, "")
	}
	return result
}
