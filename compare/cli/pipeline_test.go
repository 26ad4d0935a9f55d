package cli_test

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/cli"
	"github.com/stranglerfig/toolkit/internal/program"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPipeline takes three recordings, with a bit of everything, through the whole tool. Every
// report is the golden one, byte by byte, on one processor and on many: the recordings stand for those
// of users, so what changes here changes what they are told.
func TestPipeline(t *testing.T) { // not beside others: it sets the processors
	const from = "testdata/pipeline"
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, processors := range []int{1, 4} {
		runtime.GOMAXPROCS(processors)
		out := t.TempDir()
		reports := map[string]string{}
		for file, format := range map[string]string{"report.txt": "text", "github.txt": "github"} {
			got := compareCommand(t.Context(), t, cli.Options{}, "diff", "--out", out, "--format", format, "--fail-on", "breaking,order,latency",
				"--accept-file", from+"/compare.accept.json", "--openapi", from+"/openapi.yaml", "--require-routes", "readOrder",
				from+"/before-1", from+"/before-2", from+"/after-1")
			if got.code != program.Differs {
				t.Fatalf("exit code %d: %s", got.code, got.err)
			}
			reports[file] = got.out
		}
		for _, file := range []string{"report.json", "report.html", "report.md", "junit.xml"} {
			text, err := os.ReadFile(filepath.Join(out, file))
			if err != nil {
				t.Fatal(err)
			}
			reports[file] = string(text)
		}
		for file, got := range reports {
			got = strings.ReplaceAll(got, out, "compare-out")
			golden := filepath.Join(from, "want", file)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || got != string(want) {
				t.Errorf("%d processors: %s is another one (%v); go test ./compare/cli -run Pipeline -update, and read the difference", processors, golden, err)
			}
		}
	}
}
