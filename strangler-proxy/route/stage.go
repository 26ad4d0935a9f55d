package route

import (
	"errors"
	"fmt"
	"strings"
)

// A Stage says how far a route has moved from the monolith to its service.
type Stage string

// The stages of this version.
const (
	Monolith Stage = "monolith" // the monolith answers
	Live     Stage = "live"     // the service answers, the monolith stands by
)

// ErrLaterStage marks a stage that the design has and this version has not.
var ErrLaterStage = errors.New("not supported by this version yet: use monolith or live")

// Stages lists the stages that this version accepts, in the order of a migration.
func Stages() []Stage { return []Stage{Monolith, Live} }

// ParseStage reads the value of a route's stage.
func ParseStage(s string) (Stage, error) {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	switch word {
	case string(Monolith), string(Live):
		if s == word {
			return Stage(word), nil
		}
		return "", fmt.Errorf("stage %q: nothing may follow %q", s, word)
	case "shadow", "canary", "done":
		return "", fmt.Errorf("stage %q is %w", s, ErrLaterStage)
	}
	return "", fmt.Errorf("unknown stage %q", s)
}
