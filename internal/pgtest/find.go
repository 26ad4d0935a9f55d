package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrAbsent reports that no PostgreSQL server is installed here.
var ErrAbsent = errors.New("no PostgreSQL server found in PGTEST_BIN, /usr/lib/postgresql/*/bin or by pg_config; install Debian's package postgresql, or set PGTEST_BIN to the folder of initdb")

// find returns the folder of the server's programs. PGTEST_BIN decides if it is set;
// otherwise it is Debian's newest major version, then the one that pg_config names.
func find() (string, error) {
	if dir := os.Getenv("PGTEST_BIN"); dir != "" {
		if !complete(dir) {
			return "", fmt.Errorf("PGTEST_BIN=%s: no initdb, postgres and pg_ctl there; set it to the folder that holds them", dir)
		}
		return dir, nil
	}
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	newest, major := "", 0
	for _, dir := range dirs {
		v, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && v > major && complete(dir) {
			newest, major = dir, v
		}
	}
	if newest != "" {
		return newest, nil
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil { //nolint:noctx // it prints one line
		if dir := strings.TrimSpace(string(out)); complete(dir) {
			return dir, nil
		}
	}
	return "", ErrAbsent
}

// complete reports whether dir holds a server: pg_config alone comes with the client's headers.
func complete(dir string) bool {
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
