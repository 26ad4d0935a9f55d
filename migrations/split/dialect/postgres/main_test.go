package postgres_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run at the same time than there are cores: most of the time
// they wait for a server. What the command line says counts more.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
