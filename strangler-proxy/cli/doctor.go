package cli

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// A finding is one line of doctor.
type finding struct {
	Check    string `json:"check"`
	OK       bool   `json:"ok"`
	Optional bool   `json:"optional"`
	Detail   string `json:"detail"`
	Remedy   string `json:"remedy,omitempty"`
}

func (t *tool) doctorCommand() *cobra.Command {
	var cookie, path string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing on this machine",
		Long: "Look for what the toolkit needs and say how to get what is missing. Exit code 1 when something\n" +
			"needed is missing.\n\n" +
			"With --cookie it asks the monolith and a service for the same page, with that cookie and without,\n" +
			"and says who takes it for a session: a service that does not would log clients out. It only reads,\n" +
			"and the cookie appears in no output.",
		Example: "  strangler doctor\n  STRANGLER_COOKIE='sid=…' strangler doctor --path /api/account   # not in the list of processes",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path != "" && cookie == "" {
				return program.Fail(program.Usage, "add --cookie 'sid=…'", "--path is only for --cookie")
			}
			if cookie != "" {
				findings, err := t.examineCookie(cmd, cookie, path)
				if err != nil {
					return err
				}
				return t.report(cmd, findings, "the cookie is not good at %d of 2 places")
			}
			return t.report(cmd, t.examine(cmd), "missing here: %d of what is needed")
		},
	}
	cmd.Flags().StringVar(&cookie, "cookie", "", "a session's cookie, to try at the monolith and at a service")
	cmd.Flags().StringVar(&path, "path", "", "the page to ask for with the cookie, instead of that of the first route")
	return cmd
}

// report prints findings. Its error says how many are bad, and is of that kind.
func (t *tool) report(cmd *cobra.Command, findings []finding, bad string) error {
	n := 0
	for _, f := range findings {
		if !f.OK && !f.Optional {
			n++
		}
	}
	if t.json() {
		if err := printJSON(cmd, map[string]any{"schema": 1, "ok": n == 0, "checks": findings}); err != nil {
			return err
		}
	} else {
		printFindings(cmd, findings)
	}
	if n > 0 {
		return program.Fail(program.Differs, "", bad, n)
	}
	return nil
}

func printFindings(cmd *cobra.Command, findings []finding) {
	for _, f := range findings {
		sign := "✓"
		if !f.OK {
			sign = "✗"
			if f.Optional {
				sign = "-"
			}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s: %s\n", sign, f.Check, f.Detail)
		if !f.OK {
			fmt.Fprintf(cmd.OutOrStdout(), "    %s\n", f.Remedy)
		}
	}
}

func (t *tool) examine(cmd *cobra.Command) []finding {
	findings := []finding{
		executable("Go", "install Go 1.26 or newer from https://go.dev/dl/", false, "go"),
		executable("C compiler", "install one: apt install gcc, or xcode-select --install", false, "cc", "gcc", "clang"),
		executable("browser", "only the browser tests need it: apt install chromium", true, "chromium", "chromium-browser", "google-chrome"),
	}
	findings = append(findings, t.examineConfig(cmd)...)
	return findings
}

func executable(check, remedy string, optional bool, names ...string) finding {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return finding{Check: check, OK: true, Optional: optional, Detail: path}
		}
	}
	return finding{Check: check, Optional: optional, Detail: "not found (" + strings.Join(names, ", ") + ")", Remedy: remedy}
}

// examineConfig looks at the file, if there is one, and at the addresses it takes.
func (t *tool) examineConfig(cmd *cobra.Command) []finding {
	listen, private := config.DefaultListen, config.DefaultAdmin
	var findings []finding
	var cfg *config.Config
	if _, err := os.Stat(t.config); errors.Is(err, os.ErrNotExist) {
		findings = append(findings, finding{
			Check: "configuration", Optional: true, Detail: "no file " + t.config,
			Remedy: "write one, or name it with --config; strangler demo brings its own",
		})
	} else if cfg, err = t.readStrict(); err != nil {
		findings = append(findings, finding{Check: "configuration", Detail: t.config + " has problems", Remedy: "run " + t.command("config", "check")})
		cfg = nil
	} else {
		findings = append(findings, finding{Check: "configuration", OK: true, Detail: summary(cfg)})
		listen, private = cfg.Listen, cfg.Admin
	}
	var st admin.Status
	running := call(cmd.Context(), http.MethodGet, private, "/status", &st) == nil
	if running {
		findings = append(findings, finding{Check: "proxy", OK: true, Detail: "runs at " + st.Listen})
	} else {
		findings = append(findings, free(listen), free(private))
	}
	if cfg != nil {
		for _, reason := range probe(cmd.Context(), cfg) {
			findings = append(findings, finding{Check: "upstream", Optional: true, Detail: reason, Remedy: "start it, or mend its url"})
		}
	}
	return findings
}

func free(address string) finding {
	l, err := net.Listen("tcp", address) //nolint:noctx // a bind does not wait
	if err != nil {
		return finding{Check: "address " + address, Detail: "in use or not of this machine", Remedy: "stop the program that uses it, or choose another with --listen and --admin"}
	}
	l.Close()
	return finding{Check: "address " + address, OK: true, Detail: "free"}
}
