package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

// TestMain lets this test program stand in for strangler in scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"strangler": func() { os.Exit(run()) }})
}

func run() int {
	return program.Run("strangler", os.Stderr, func(ctx context.Context) error {
		return cli.Execute(ctx, cli.New("strangler", cli.Options{LookupEnv: os.LookupEnv}), os.Args[1:])
	})
}

// The scripts are what a user types and what the program answers. `upstream NAME [TEXT]`
// starts a server that answers with its name, or the text, and sets $NAME to its url;
// `dead NAME` sets $NAME to a url where nobody listens; `await FILE TEXT` waits for a text;
// `get URL TEXT` waits until a page holds it; `exits CODE` checks an exit code;
// `envsubst FILE` replaces variables in a file; `edit FILE OLD NEW` replaces a text.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_PROXY", "*")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"upstream": upstream, "dead": dead, "await": awaitText, "get": get, "exits": exits, "freeport": freePort, "envsubst": envSubst, "edit": edit,
		},
		RequireExplicitExec: false,
	})
}

func upstream(ts *testscript.TestScript, _ bool, args []string) {
	name, text := args[0], "answer of "+args[0]
	if len(args) > 1 {
		text = args[1]
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, text) }))
	ts.Defer(s.Close)
	ts.Setenv(name, s.URL)
}

func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

func dead(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], "http://"+freeAddress(ts))
}

func freePort(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ts.Setenv(name, freeAddress(ts))
	}
}

// edit replaces a text in a file.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

// envSubst replaces $NAME in a file.
func envSubst(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}

func until(ts *testscript.TestScript, what string, condition func() bool) {
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

func awaitText(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[1]+" in "+args[0], func() bool {
		text, _ := os.ReadFile(ts.MkAbs(args[0]))
		return strings.Contains(string(text), args[1])
	})
}

func get(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[1]+" at "+args[0], func() bool {
		res, err := http.Get(args[0])
		if err != nil {
			return false
		}
		defer res.Body.Close()
		var text bytes.Buffer
		_ = res.Header.Write(&text)
		_, _ = text.ReadFrom(res.Body)
		return strings.Contains(text.String(), args[1])
	})
}

// exits runs a command that must end with the given code; its output is kept for
// stdout and stderr checks by writing it to files of that name.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("%s exited with %d, want %s\n%s", strings.Join(args[1:], " "), code, args[0], ts.ReadFile("stderr"))
	}
}

// The real program: SIGHUP reads the file at once, SIGTERM ends it with code 0.
func TestSignals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(m.Close)
	file := filepath.Join(dir, "strangler.yaml")
	write := func(extra string) {
		text := "version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nmonolith: " + m.URL + "\n" + extra
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "strangler") // the test program acts by its name
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	cmd := exec.Command(link, "proxy", "--config", file, "--log-format", "text")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait := func(text string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), text); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %q in\n%s", text, log.String())
			}
		}
	}
	wait("listening")
	write("routes: { a: { match: /a, stage: monolith } }\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	wait("configuration taken over")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v\n%s", err, log.String())
	}
}
