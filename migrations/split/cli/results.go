package cli

import (
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// What commands print with -o json, where the engine has no type for it. The members are
// described in docs/reference/split-json.md.

// An InitResult is what init prints when it has written a plan.
type InitResult struct {
	Schema int      `json:"schema"`
	Split  string   `json:"split"`
	Plan   string   `json:"plan"` // its file
	Tables []string `json:"tables"`
	Next   []string `json:"next_steps"`
}

// A RunResult is what run prints when it ends.
type RunResult struct {
	Schema int             `json:"schema"`
	Split  string          `json:"split"`
	End    string          `json:"end"` // copied, verified or stopped; abort or complete: that command ended it
	Run    split.RunReport `json:"run"`
	Next   []string        `json:"next_steps"`
}

// A VerifyResult is what verify prints.
type VerifyResult struct {
	Schema   int                `json:"schema"`
	Split    string             `json:"split"`
	Equal    bool               `json:"equal"`
	Findings []transfer.Finding `json:"findings"` // rows that differ, as many as were found at once
	Next     []string           `json:"next_steps"`
}

// A SwitchResult is what cutover and rollback print.
type SwitchResult struct {
	split.SwitchReport
	Next []string `json:"next_steps"`
}

// A CompleteResult is what complete prints.
type CompleteResult struct {
	split.CompleteReport
	Next []string `json:"next_steps"`
}

// An AbortResult is what abort prints, before it has done it (--dry-run) or after.
type AbortResult struct {
	Schema  int          `json:"schema"`
	Split   string       `json:"split"`
	Source  dialect.Info `json:"source"`
	Target  dialect.Info `json:"target"`
	Begun   bool         `json:"begun"`   // something of the split is in the databases
	Dropped []string     `json:"dropped"` // tables of the target that the engine made; of others the copied rows go
	Done    bool         `json:"done"`
	Next    []string     `json:"next_steps"`
}
