package route

import (
	"fmt"
	"strconv"
	"strings"
)

// A Stage says how far a route has moved from the monolith to its service. Stages
// compare with == and, in the order of a migration, with <. The zero value is no stage.
type Stage uint32

// The stages, and the canary that sends nobody yet; Canary makes the others.
const (
	Monolith   Stage = (iota + 1) << stageBits // the monolith answers
	Shadow                                     // … and the service gets a compared copy
	canaryNone                                 // the service answers a share of the clients
	Live                                       // the service answers, the monolith stands by
	Done                                       // the service answers, the monolith is never asked
)

const (
	stageBits = 16
	shareMask = 1<<stageBits - 1
)

// Everyone is the share of all clients, in hundredths of a percent.
const Everyone = 100_00

// Canary is the stage at which the service answers a share of the clients, given in
// hundredths of a percent: Canary(5_00) is "canary 5%". It panics when the share is
// not between 0 and Everyone.
func Canary(hundredths int) Stage {
	if hundredths < 0 || hundredths > Everyone {
		panic(fmt.Sprintf("route: a canary of %d hundredths of a percent", hundredths))
	}
	return canaryNone + Stage(hundredths)
}

// stageWords are the stages' words in the order of a migration.
var stageWords = [...]string{"monolith", "shadow", "canary", "live", "done"} //nolint:gochecknoglobals // a constant that Go cannot spell

// StageWords lists the first words of all stages, in the order of a migration.
func StageWords() []string { return stageWords[:] }

// Step is the place of the stage in a migration: monolith 0, shadow 1, canary 2 with
// any share, live 3, done 4. No stage is -1.
func (s Stage) Step() int { return int(s>>stageBits) - 1 }

// Word is the stage's first word: "canary" for "canary 5%". No stage has none.
func (s Stage) Word() string {
	if i := s.Step(); i >= 0 && i < len(stageWords) {
		return stageWords[i]
	}
	return ""
}

// IsCanary reports whether the stage is a canary, of any share.
func (s Stage) IsCanary() bool { return s>>stageBits == canaryNone>>stageBits }

// Share is how many of the clients the service answers, in hundredths of a percent:
// the number of a canary, Everyone at live and done, else 0.
func (s Stage) Share() int {
	switch {
	case s.IsCanary():
		return int(s & shareMask)
	case s >= Live:
		return Everyone
	}
	return 0
}

// String is the stage as the file spells it.
func (s Stage) String() string {
	if s.IsCanary() {
		return s.Word() + " " + Percent(s.Share())
	}
	return s.Word()
}

// usualShares are the shares by which a canary usually grows.
var usualShares = [...]int{5_00, 25_00, 50_00, Everyone} //nolint:gochecknoglobals // a constant that Go cannot spell

// Next is the usual next step of a migration: from a canary to a greater one, and from
// all clients to live. After done it is no stage.
func (s Stage) Next() Stage {
	switch {
	case s < Shadow:
		return Shadow
	case s == Shadow:
		return Canary(usualShares[0])
	case s == Live:
		return Done
	case s >= Done:
		return 0
	}
	for _, share := range usualShares {
		if share > s.Share() {
			return Canary(share)
		}
	}
	return Live
}

// MarshalText implements encoding.TextMarshaler.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. An empty text is no stage.
func (s *Stage) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*s = 0
		return nil
	}
	*s, err = ParseStage(string(text))
	return err
}

// Percent writes hundredths of a percent as the file spells them: "5%", "0.25%".
func Percent(hundredths int) string {
	return strconv.FormatFloat(float64(hundredths)/100, 'f', -1, 64) + "%"
}

// ParsePercent reads "5%" or "0.25%", from 0% to 100% with at most two decimals, as
// hundredths of a percent.
func ParsePercent(s string) (hundredths int, err error) {
	number, signed := strings.CutSuffix(s, "%")
	whole, decimals, dotted := strings.Cut(number, ".")
	switch {
	case !signed:
		return 0, fmt.Errorf("%q has no %%", s)
	case !isNumber(whole) || dotted && !isNumber(decimals):
		return 0, fmt.Errorf("%q is no percentage", s)
	case len(decimals) > 2:
		return 0, fmt.Errorf("%q has more than two decimals", s)
	}
	hundredths, err = strconv.Atoi(whole + (decimals + "00")[:2])
	if err != nil || hundredths > Everyone {
		return 0, fmt.Errorf("%q is more than 100%%", s)
	}
	return hundredths, nil
}

func isNumber(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// ParseStage reads the value of a route's stage, exactly as String writes it.
func ParseStage(s string) (Stage, error) {
	word, after, more := strings.Cut(s, " ")
	for i, known := range stageWords {
		stage := Stage(i+1) << stageBits
		switch {
		case word != known:
		case stage.IsCanary():
			return parseCanary(s, after)
		case more:
			return 0, fmt.Errorf("stage %q: nothing may follow %q", s, word)
		default:
			return stage, nil
		}
	}
	if _, err := ParsePercent(s); err == nil {
		return 0, fmt.Errorf("unknown stage %q: write canary %s", s, s)
	}
	return 0, fmt.Errorf("unknown stage %q", s)
}

func parseCanary(s, share string) (Stage, error) {
	if share == "" {
		return 0, fmt.Errorf("stage %q does not say for how many clients: write canary 5%%", s)
	}
	hundredths, err := ParsePercent(share)
	if err != nil {
		return 0, fmt.Errorf("stage %q: %w: write canary 5%% or canary 0.25%%", s, err)
	}
	return Canary(hundredths), nil
}
