package value_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/migrations/split/value"
)

func values() *rapid.Generator[value.Value] {
	return rapid.OneOf(
		rapid.Just(value.Value{}),
		rapid.Map(rapid.Int64(), value.OfInt),
		rapid.Map(rapid.Float64(), value.OfReal),
		rapid.Map(rapid.String(), value.OfText),
		rapid.Map(rapid.SliceOf(rapid.Byte()), value.OfBlob),
		rapid.Map(rapid.String(), value.OfLiteral),
	)
}

// TestKeysEncodeOneToOne: two keys have the same bytes only if they are the same.
func TestKeysEncodeOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := value.Key(rapid.SliceOfN(values(), 1, 3).Draw(t, "key"))
		back, err := value.DecodeKey([]byte(key.Encode()))
		if err != nil || !value.Row(back).Equal(value.Row(key)) {
			t.Fatalf("%v came back as %v, %v", key, back, err)
		}
		other := value.Key(rapid.SliceOfN(values(), 1, 3).Draw(t, "other"))
		if (key.Encode() == other.Encode()) != value.Row(key).Equal(value.Row(other)) {
			t.Fatalf("%v and %v", key, other)
		}
	})
}

func TestValuesThatOnlyLookAlikeDiffer(t *testing.T) {
	alike := []value.Value{
		{},
		value.OfInt(1), value.OfReal(1), value.OfText("1"), value.OfBlob([]byte("1")), value.OfLiteral("1"),
		value.OfText(""), value.OfBlob(nil), value.OfText("NULL"), value.OfReal(0), value.OfReal(math.Copysign(0, -1)),
		value.OfInt(1 << 53), value.OfInt(1<<53 + 1), value.OfText("a\x00b"), value.OfText("a\x00c"), value.OfText("\xff"), value.OfText("\ufffd"),
	}
	for i, a := range alike {
		for j, b := range alike {
			if a.Equal(b) != (i == j) {
				t.Errorf("%v (%s) and %v (%s): equal is %v", a, a.Kind(), b, b.Kind(), a.Equal(b))
			}
		}
	}
	if nan := value.OfReal(math.NaN()); !nan.Equal(nan) {
		t.Error("NaN differs from itself")
	}
}

func TestMalformedBytesAreNoValues(t *testing.T) {
	for _, bad := range []string{"\x01123", "\x03\x05ab", "\x09", "\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x04"} {
		if key, err := value.DecodeKey([]byte(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, key)
		}
	}
}

func TestLongValuesAreShownShortened(t *testing.T) {
	for _, v := range []value.Value{value.OfText(strings.Repeat("ä", 999)), value.OfBlob(make([]byte, 999)), value.OfText("\x1b[2J" + strings.Repeat("\x07", 99))} {
		if s := v.String(); len(s) > 260 || strings.ContainsAny(s, "\x1b\x07") {
			t.Errorf("shown as %s", s)
		}
	}
}
