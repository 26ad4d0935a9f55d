package acceptance_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/shoptest"
)

// What the suite is told by its environment; set once before the first test.
var (
	baseURL       string
	adminEmail    = cmp.Or(os.Getenv("ADMIN_EMAIL"), "admin@shop.example")
	adminPassword = cmp.Or(os.Getenv("ADMIN_PASSWORD"), "admin-password")
	webhookSecret = cmp.Or(os.Getenv("WEBHOOK_SECRET"), "dev-webhook-secret")
	internalToken = cmp.Or(os.Getenv("INTERNAL_TOKEN"), "dev-internal-token")
)

func TestMain(m *testing.M) {
	flag.Parse()
	waitTogether()
	baseURL = strings.TrimRight(os.Getenv("BASE_URL"), "/")
	if baseURL != "" || flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	code, err := runOnOwnShop(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "acceptance:", err)
		code = 1
	}
	os.Exit(code)
}

// waitTogether lets more tests run at once than there are processors, unless the
// command line says how many: some of them mostly wait for the shop.
func waitTogether() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "8") // the flag is there, and 8 is a number
	}
}

// runOnOwnShop runs the tests against a monolith of its own.
func runOnOwnShop(m *testing.M) (code int, err error) {
	dir, remove, err := shoptest.TempDir()
	if err != nil {
		return 1, err
	}
	defer func() {
		if e := remove(); err == nil {
			err = e
		}
	}()
	ctx := context.Background()
	if err := shoptest.Build(ctx, dir, "monolith"); err != nil {
		return 1, err
	}
	monolith, err := shoptest.StartMonolith(ctx, dir, dir)
	if err != nil {
		return 1, err
	}
	baseURL = monolith.URL
	code = m.Run()
	return code, monolith.Stop()
}
