package recommendations

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Bug is a fault that the service shows on purpose, to rehearse what the rest of
// the shop does about it.
type Bug string

// The bugs there are.
const (
	BugSlow    Bug = "recommendations-slow"    // each answer takes five seconds longer
	BugGarbage Bug = "recommendations-garbage" // each answer is no HTTP at all
	BugWrong   Bug = "recommendations-wrong"   // each price is one cent too high
	BugImage   Bug = "recommendations-image"   // each image is lost: a client shows none, and no test looks
)

// Bugs lists them all.
func Bugs() []Bug { return []Bug{BugSlow, BugGarbage, BugWrong, BugImage} }

const slowness = 5 * time.Second

// ParseBug returns the Bug named text; the empty text is none. Names of bugs that
// other programs have are none here, so that one setting may serve all programs.
func ParseBug(text string) (Bug, error) {
	bug := Bug(text)
	if text == "" || slices.Contains(Bugs(), bug) {
		return bug, nil
	}
	if !strings.HasPrefix(text, "recommendations-") {
		return "", nil
	}
	return "", fmt.Errorf("unknown bug %q", text)
}

// rehearse puts the faults of slow and garbage around next.
func (b Bug) rehearse(next http.HandlerFunc) http.HandlerFunc {
	switch b {
	case BugSlow:
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(slowness):
				next(w, r)
			case <-r.Context().Done():
			}
		}
	case BugGarbage:
		return writeGarbage
	}
	return next
}

func writeGarbage(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // no garbage over this kind of connection; an aborted one will do
	}
	defer conn.Close()
	conn.Write([]byte("\x00\x17this is not HTTP\xff\xfe\r\n\r\n<<<>>>")) //nolint:errcheck // it is garbage anyway
}

// spoil changes items as the bugs wrong and image do.
func (b Bug) spoil(items []Item) {
	for i := range items {
		switch b {
		case BugWrong:
			items[i].PriceCents++
		case BugImage:
			items[i].ImageURL = ""
		}
	}
}
