package config

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// An AuditEntry is a line of the audit log: who moved a route, when and why.
type AuditEntry struct {
	Time    time.Time `json:"time"`
	Actor   string    `json:"actor"`
	Route   string    `json:"route"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Reason  string    `json:"reason"`
	OldHash string    `json:"old_config_hash"`
	NewHash string    `json:"new_config_hash"`
}

// AuditPath is the audit log that belongs to a configuration file.
func AuditPath(path string) string { return path + ".audit.jsonl" }

// AppendAudit adds a line to the audit log of the configuration at path.
func AppendAudit(path string, e AuditEntry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(AuditPath(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return f.Sync()
}
