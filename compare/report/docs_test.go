package report_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/accept"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/compare/state"
)

// The reference names every member of the files that people write and programs read.
func TestReferenceNamesEveryMember(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference/compare.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []any{report.Report{}, differ.Rules{}, state.Spec{}, state.Database{}, accept.Rule{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case name == "" || name == "-":
			case !strings.Contains(string(page), "`"+name+"`") && !strings.Contains(string(page), `"`+name+`"`):
				t.Errorf("%T: docs/reference/compare.md does not name %q", of, name)
			}
		}
	}
}
