package differ

import (
	"regexp"
	"time"
)

// coarse are times that say no more than the minute or the day. Two runs of BEFORE within one
// minute agree about them by chance, so they are compared by the clock: AFTER's may lie
// as far from BEFORE's as the two exchanges do.
var coarse = []struct {
	find   *regexp.Regexp
	layout []string
	unit   time.Duration
}{
	{
		regexp.MustCompile(`\b\d{1,2} [A-Z][a-z]{2,8} \d{4},? \d{2}:\d{2}( [A-Z]{3})?\b`),
		[]string{"2 January 2006, 15:04 MST", "2 January 2006, 15:04", "2 January 2006 15:04", "2 Jan 2006, 15:04 MST", "2 Jan 2006, 15:04", "2 Jan 2006 15:04"},
		time.Minute,
	},
	{
		regexp.MustCompile(`\b[A-Z][a-z]{2,8} \d{1,2}, \d{4},? \d{2}:\d{2}( [A-Z]{3})?\b`),
		[]string{"January 2, 2006, 15:04 MST", "January 2, 2006, 15:04", "January 2, 2006 15:04", "Jan 2, 2006, 15:04", "Jan 2, 2006 15:04"},
		time.Minute,
	},
	{regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(Z|\b)`), []string{"2006-01-02 15:04", "2006-01-02T15:04Z", "2006-01-02T15:04"}, time.Minute},
	{regexp.MustCompile(`\b\d{1,2} [A-Z][a-z]{2,8} \d{4}\b`), []string{"2 January 2006", "2 Jan 2006"}, 24 * time.Hour},
	{regexp.MustCompile(`\b[A-Z][a-z]{2,8} \d{1,2}, \d{4}\b`), []string{"January 2, 2006", "Jan 2, 2006"}, 24 * time.Hour},
	{regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}\b`), []string{time.DateOnly}, 24 * time.Hour},
}

// byClock reports whether two texts differ by nothing but coarse times that moved as far as
// the clock did between the two exchanges.
func (w *walk) byClock(x, y string) bool {
	between := w.pair.After.At.Sub(w.pair.Before.At)
	if w.pair.Before.At.IsZero() || w.pair.After.At.IsZero() || len(x)+len(y) > maxTokenised {
		return false
	}
	moved := false
	for _, c := range coarse {
		a, b := c.find.FindAllStringIndex(x, -1), c.find.FindAllStringIndex(y, -1)
		if len(a) == 0 || len(a) != len(b) {
			continue
		}
		for i := range a {
			from, to := x[a[i][0]:a[i][1]], y[b[i][0]:b[i][1]]
			if from == to {
				continue
			}
			if !sameClock(c.layout, from, to, between, c.unit) {
				return false
			}
			moved = true
		}
		x, y = c.find.ReplaceAllString(x, "\x01"), c.find.ReplaceAllString(y, "\x01")
	}
	return moved && w.sameText(x, y, nil)
}

func sameClock(layouts []string, from, to string, between, unit time.Duration) bool {
	for _, layout := range layouts {
		a, errA := time.Parse(layout, from)
		b, errB := time.Parse(layout, to)
		if errA == nil && errB == nil {
			return (b.Sub(a) - between).Abs() <= unit
		}
	}
	return false
}
