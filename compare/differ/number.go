package differ

import (
	"math/big"
	"strconv"
	"strings"
)

// decimal returns the normal form of a JSON number: equal numbers have equal normal
// forms. It never expands an exponent, so 1e999999999 costs nothing. An exponent
// beyond 17 digits is left as it is written.
func decimal(text string) string {
	mantissa, exponent := text, int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa = text[:i]
		digits := strings.TrimPrefix(text[i+1:], "+")
		negative := strings.HasPrefix(digits, "-")
		digits = strings.TrimLeft(strings.TrimPrefix(digits, "-"), "0")
		if len(digits) > 17 {
			if strings.Trim(mantissa, "-0.") == "" {
				return "0"
			}
			return text
		}
		exponent, _ = strconv.ParseInt("0"+digits, 10, 64)
		if negative {
			exponent = -exponent
		}
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponent -= int64(len(fraction))
	digits := strings.TrimLeft(whole+fraction, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0"
	}
	exponent += int64(len(digits) - len(short))
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + short + "e" + strconv.FormatInt(exponent, 10)
}

// rational returns the number as a fraction, or false if writing it out would be long.
func rational(text string) (*big.Rat, bool) {
	const limit = 400
	normal := decimal(text)
	mantissa, exponent, found := strings.Cut(normal, "e")
	if found {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > limit || e < -limit {
			return nil, false
		}
	}
	if len(mantissa) > limit {
		return nil, false
	}
	return new(big.Rat).SetString(normal)
}

// within reports whether two numbers lie no further apart than the absolute tolerance
// or the relative one (of the greater magnitude); nil is none.
func within(before, after string, absolute, relative *big.Rat) bool {
	a, ok := rational(before)
	if !ok {
		return false
	}
	b, ok := rational(after)
	if !ok {
		return false
	}
	apart := new(big.Rat).Sub(a, b)
	apart.Abs(apart)
	if absolute != nil && apart.Cmp(absolute) <= 0 {
		return true
	}
	if relative == nil {
		return false
	}
	a.Abs(a)
	b.Abs(b)
	if a.Cmp(b) < 0 {
		a = b
	}
	return apart.Cmp(a.Mul(a, relative)) <= 0
}

// isInteger reports whether a JSON number is written without fraction and exponent.
func isInteger(text string) bool { return !strings.ContainsAny(text, ".eE") }

// places returns how many digits follow the decimal point.
func places(text string) int {
	_, fraction, _ := strings.Cut(text, ".")
	if i := strings.IndexAny(fraction, "eE"); i >= 0 {
		fraction = fraction[:i]
	}
	return len(fraction)
}
