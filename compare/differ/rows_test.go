package differ_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// table returns the rows of a table after a run.
func table(name string, rows ...string) differ.Exchange {
	return differ.Exchange{
		Method: "POST", Path: "/" + name, Route: "TABLE /" + name, Status: 200, Rows: true,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte("[" + strings.Join(rows, ",") + "]"),
	}
}

// order answers the request that makes an order.
func order(id int, note string) differ.Exchange {
	return post("/orders", fmt.Sprintf(`{"id":%d,"note":%q}`, id, note))
}

func line(id, order, product, qty int) string {
	return fmt.Sprintf(`{"id":%d,"order_id":%d,"product_id":%d,"qty":%d}`, id, order, product, qty)
}

func noted(id int, action string, order int) string {
	return fmt.Sprintf(`{"id":%d,"action":%q,"entity":"order","entity_id":"%d"}`, id, action, order)
}

// Rows whose keys no answer showed belong together by what they say: AFTER made the orders the
// other way round, and gave their lines keys of its own.
func TestRowsPairByWhatTheySay(t *testing.T) {
	t.Parallel()
	before := []differ.Exchange{
		order(7, "first"), order(8, "second"),
		table("audit_log", noted(1, "placed", 7), noted(2, "placed", 8), noted(3, "paid", 8)),
		table("order_lines", line(1, 7, 50, 1), line(2, 7, 51, 1), line(3, 8, 50, 2)),
	}
	log := table("audit_log", noted(5, "placed", 8), noted(6, "placed", 7), noted(7, "paid", 7))
	for name, c := range map[string]struct {
		lines []string
		log   differ.Exchange
		want  []string // kind and place of each finding
	}{
		"the same":         {[]string{line(2, 7, 50, 2), line(3, 8, 50, 1), line(4, 8, 51, 1)}, log, nil},
		"another quantity": {[]string{line(2, 7, 50, 3), line(3, 8, 50, 1), line(4, 8, 51, 1)}, log, []string{"value /*/qty"}},
		"of another order": {[]string{line(2, 7, 50, 2), line(3, 8, 50, 1), line(4, 7, 51, 1)}, log, []string{"identity /*/order_id"}},
		"a lost row":       {[]string{line(2, 7, 50, 2), line(4, 8, 51, 1)}, log, []string{"missing /*"}},
		"a row too many":   {[]string{line(2, 7, 50, 2), line(3, 8, 50, 1), line(4, 8, 51, 1), line(5, 8, 51, 1)}, log, []string{"added /*"}},
		"noted of the other": {
			[]string{line(2, 7, 50, 2), line(3, 8, 50, 1), line(4, 8, 51, 1)},
			table("audit_log", noted(5, "placed", 8), noted(6, "placed", 7), noted(7, "paid", 8)),
			[]string{"identity /*/entity_id"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := []differ.Exchange{order(8, "first"), order(7, "second"), c.log, table("order_lines", c.lines...)}
			var got []string
			for _, f := range findings(newDiffer(t, differ.Rules{}), nil, before, after) {
				if f.Kind != differ.Order {
					got = append(got, string(f.Kind)+" "+f.Class)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

// What was made at once with others is bound by chance, and says so.
func TestWhatRacedIsChance(t *testing.T) {
	t.Parallel()
	d := newDiffer(t, differ.Rules{})
	suite := d.Suite(nil)
	suite.Bind(differ.Pair{Before: order(7, "x"), After: order(8, "x"), Raced: true})
	suite.Bind(differ.Pair{Before: order(9, "y"), After: order(10, "y")})
	for id, want := range map[int]bool{7: true, 9: false} {
		row := fmt.Sprintf(`{"order_id":%d}`, id)
		r := suite.Compare(differ.Pair{Before: table("gifts", row), After: table("gifts", row)})
		if len(r.Findings) != 1 || r.Findings[0].Kind != differ.Identity || r.Findings[0].Chance != want {
			t.Errorf("order %d: %+v", id, r.Findings)
		}
	}
}

// What two orders made at once were called says nothing of the rows about them: those pair by
// what else they say, and differ by chance alone.
func TestRowsOfARacePairByTheRest(t *testing.T) {
	t.Parallel()
	attempt := func(id, order int, card, status string) string {
		return fmt.Sprintf(`{"id":%d,"order_id":%d,"card_last4":%q,"status":%q}`, id, order, card, status)
	}
	before := table("attempts", attempt(1, 7, "0119", "declined"), attempt(2, 8, "4242", "accepted"))
	for name, c := range map[string]struct {
		after []string
		want  string
	}{
		"as the race had it":     {[]string{attempt(1, 7, "0119", "declined"), attempt(2, 8, "4242", "accepted")}, ""},
		"the other way round":    {[]string{attempt(1, 7, "4242", "accepted"), attempt(2, 8, "0119", "declined")}, ""},
		"one that differs in it": {[]string{attempt(1, 7, "4242", "accepted"), attempt(2, 8, "0119", "accepted")}, "value /*/status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite := newDiffer(t, differ.Rules{}).Suite(nil)
			for _, id := range []int{7, 8} {
				suite.Bind(differ.Pair{Before: order(id, "x"), After: order(id, "x"), Raced: true})
			}
			var got []string
			pair := differ.Pair{Before: before, After: table("attempts", c.after...)}
			suite.Bind(pair)
			for _, f := range suite.Compare(pair).Findings {
				if !f.Chance && f.Kind != differ.Order {
					got = append(got, string(f.Kind)+" "+f.Class)
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// One generated text of many has no digit among its letters. It is an identifier all the same,
// for the other run's looked like one.
func TestRowsPairByIdentifiersThatLookLikeWords(t *testing.T) {
	t.Parallel()
	paid := func(ref string) differ.Exchange { return post("/payments", fmt.Sprintf(`{"ref":%q}`, ref)) }
	logged := func(ref, state string) string { return fmt.Sprintf(`{"ref":%q,"state":%q}`, ref, state) }
	log := func(newer, older string) differ.Exchange {
		return table("log", logged(newer, "new"), logged(older, "done"))
	}
	const x1, x2 = "pay-5V7TK2Q9WM4B8ZJ3XH6D", "pay-7K2W9QTM4B8VZ5J3XD6H" // BEFORE's
	const y1, y2 = "pay-QVWTKBQSWMHBZZJLXHDD", "pay-BKTWZQTMHBVVZWJRXDKH" // AFTER's
	d := newDiffer(t, differ.Rules{})
	var noise differ.Noise
	d.Learn(&noise, log(x1, x2), log("pay-3M7TK9Q2WB4Z8VJ5XD6H", "pay-9W2K7QTM8B4VZ3J5XH6D"))
	before := []differ.Exchange{paid(x1), paid(x2), log(x1, x2)}
	after := []differ.Exchange{paid(y1), paid(y2), table("log", logged(y2, "done"), logged(y1, "new"))}
	for _, f := range findings(d, &noise, before, after) {
		if f.Kind != differ.Order {
			t.Errorf("found %+v", f)
		}
	}
}

// A word that a generator made is no name of a secret, whatever stands in it.
func TestGeneratedNamesAreNoSecrets(t *testing.T) {
	t.Parallel()
	r := differ.NewRedactor([]byte("salt"))
	const text = "Thing ssn0jr49yfv0: 1 wanted"
	if got := r.Text(text); got != text {
		t.Errorf("%q became %q", text, got)
	}
	for _, name := range []string{"ssn", "customerSSN", "iban_2", "cardcvv2", "address1_ssn", "applicant2SSN", "2nd-cvc", "iBAN", "user1ssn", "oauth2AccessToken1"} {
		if !r.Secret(name) {
			t.Errorf("%s is taken for no secret", name)
		}
	}
}
