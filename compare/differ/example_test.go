package differ_test

import (
	"fmt"

	"github.com/stranglerfig/toolkit/compare/differ"
)

func Example() {
	d, err := differ.New(differ.Rules{
		Ignore: []differ.Ignore{{Scope: differ.Scope{Path: "$.took_ms", Reason: "how long it took"}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := func(method, path, body string) differ.Exchange {
		return differ.Exchange{Method: method, Path: path, Status: 200, Body: []byte(body)}
	}
	// AFTER counts orders from 1: no difference. But it answers with the wrong one.
	results := d.CompareAll(nil, []differ.Pair{
		{Before: answer("POST", "/orders", `{"id":1001,"took_ms":3}`), After: answer("POST", "/orders", `{"id":1,"took_ms":9}`)},
		{Before: answer("POST", "/orders", `{"id":1002}`), After: answer("POST", "/orders", `{"id":2}`)},
		{Before: answer("GET", "/orders/1002", `{"id":1002,"total":5}`), After: answer("GET", "/orders/2", `{"id":1,"total":5.0}`)},
	})
	for i, r := range results {
		for _, f := range r.Findings {
			fmt.Println(i, f)
		}
	}
	// Output:
	// 2 breaking identity body /id: 1002 -> 1 (AFTER identifies something else than BEFORE)
	// 2 format format body /total: 5 -> 5.0 (the same number, written differently)
}
