package shadow

import (
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// perform sends the copy, compares and notes what came of it.
func (t *Ticket) perform() {
	st := t.route.stats
	st.sent.Add(1)
	t.primary.Fields, t.primary.Body = t.fields.bytes, t.response.bytes
	body, err := unframed(t.request.bytes, t.framed)
	if err != nil {
		t.note(outcome{verdict: Failed, failure: unreadable}, nil)
		return
	}
	pool := &t.shadow.buffers
	head := copyHead(pool.get(len(t.head.bytes)+len(Marker)+64), t.head.bytes, len(body))
	defer pool.put(head)
	answer, failed := t.ask(t.lane.side, head, body)
	defer t.release(&answer)
	t.times(&answer, failed)
	if failed != noFailure {
		t.note(outcome{failure: failed}, nil)
		return
	}
	baseline := t.route.Settings.Baseline > 0 && route.Safe(t.method)
	sampled := baseline && t.shadow.opts.Draw()*100 < t.route.Settings.Baseline
	if !sampled && t.same(&answer) { // nearly all are: nothing in them needs a look
		if baseline {
			t.route.stats.learned.between(differ.Result{})
		}
		t.note(outcome{verdict: Match}, nil)
		return
	}
	c, failed, detail := newComparison(t, requestTarget(t.head.bytes), body, &answer)
	if failed != noFailure {
		t.note(outcome{failure: failed, detail: detail}, nil)
		return
	}
	if !baseline || c.size != nil {
		t.note(t.compare(c), c)
		return
	}
	t.note(t.judge(c, sampled, head, body), c)
}

// ask sends head and body to a side. The answer's memory must be released.
func (t *Ticket) ask(side string, head, body []byte) (Answer, failure) {
	s := t.shadow
	fields, buffer := s.buffers.get(leastBuffer), s.buffers.get(leastBuffer)
	begun := time.Now()
	answer, err := s.asker.Ask(s.ctx, Copy{
		Route: t.route.Name, Side: side, Method: t.method, Head: head, Body: body,
		Timeout: t.route.Settings.Timeout, Limit: t.route.Settings.MaxBody, Fields: fields, Buffer: buffer,
	})
	if answer.Took == 0 {
		answer.Took = time.Since(begun)
	}
	answer.Fields, answer.Body = larger(answer.Fields, fields), larger(answer.Body, buffer)
	if err != nil {
		s.opts.Log.Debug("shadow copy failed", "route", t.route.Name, "side", side, "request_id", t.id, "error", err)
		return answer, failureOf(err)
	}
	return answer, noFailure
}

// larger is what was appended to room, or the room if that was not used.
func larger(appended, room []byte) []byte {
	if cap(appended) < cap(room) {
		return append(room, appended...)
	}
	return appended
}

func (t *Ticket) release(a *Answer) {
	t.shadow.buffers.put(a.Fields)
	t.shadow.buffers.put(a.Body)
}

// times notes how long both sides took for this request.
func (t *Ticket) times(answer *Answer, failed failure) {
	mine, other := &t.route.stats.monolith, &t.route.stats.service
	if t.lane.side == Monolith {
		mine, other = other, mine
	}
	mine.observe(t.primary.Took)
	if failed == noFailure || failed == timedOut {
		other.observe(answer.Took)
	}
}

// judge compares where the route has a baseline, and asks the monolith once more: for
// some of the copies to know its noise, and for mismatches in places that it knows too
// little of.
func (t *Ticket) judge(c *comparison, sampled bool, head, body []byte) outcome {
	known := &t.route.stats.learned
	o := t.compare(c)
	if sampled || o.verdict == Mismatch && known.doubtful(o.result) {
		o = t.again(c, o, sampled, head, body)
	}
	known.between(o.result)
	if o.verdict == Match && !o.settled && len(o.result.Relaxed) > 0 {
		settled, spelled := o.settled, o.spelled
		known.excess(&o.result, t.route.Rules.Margin)
		o = outcomeOf(o.result)
		o.settled, o.spelled = settled, spelled && o.verdict == Match
	}
	return o
}

// compare is comparison.compare when a processor is free for it.
func (t *Ticket) compare(c *comparison) outcome {
	t.shadow.comparing <- struct{}{}
	defer func() { <-t.shadow.comparing }()
	return c.compare()
}

// again asks the monolith once more and judges anew by what it then knows.
func (t *Ticket) again(c *comparison, o outcome, sampled bool, head, body []byte) outcome {
	answer, failed := t.ask(Monolith, head, body)
	defer t.release(&answer)
	plain, err := plainBody(&answer, t.route.Settings.MaxBody)
	if failed != noFailure || err != nil || answer.Truncated {
		return o
	}
	t.shadow.comparing <- struct{}{}
	defer func() { <-t.shadow.comparing }()
	st, d := t.route.stats, t.route.differ
	st.baselines.Add(1)
	second := c.exchangeOf(&answer, plain)
	apart := d.Compare(nil, differ.Pair{Before: c.monolith, After: second})
	if sampled {
		st.learned.within(apart)
	}
	if o.verdict == Mismatch && len(apart.Findings) > 0 {
		later := outcomeOf(d.Compare(&st.learned.noise, differ.Pair{Before: second, After: c.service}))
		if later.verdict == Match { // it was changed between the two answers
			later.settled = true
			return later
		}
	}
	d.Learn(&st.learned.noise, c.monolith, second)
	st.learned.agreed(o.result, apart)
	return c.compare()
}

// note counts an outcome and keeps a mismatch.
func (t *Ticket) note(o outcome, c *comparison) {
	st := t.route.stats
	switch {
	case o.failure == timedOut:
		st.timeouts.Add(1)
		return
	case o.failure != noFailure:
		st.failed[o.failure].Add(1)
		return
	}
	if o.spelled {
		st.spelled.Add(1)
	}
	if o.settled {
		st.settled.Add(1)
	}
	if o.verdict == Mismatch {
		t.keepMismatch(o, c) // first, so that what is counted can be looked at
	}
	st.judged(o)
}

func tooLarge(limit int) *differ.Finding {
	return &differ.Finding{
		Kind: KindSize, Severity: differ.Breaking, Part: differ.InBody,
		Explanation: fmt.Sprintf("the copy's answer has more than %d bytes, the other one has not", limit),
	}
}
