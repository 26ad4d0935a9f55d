package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// superuser is the role that owns every cluster made here.
const superuser = "postgres"

// startLimit bounds making and starting a cluster.
const startLimit = time.Minute

// Options tune a server. The zero value is fast and forgets everything with the
// machine.
type Options struct {
	Fsync    bool              // write through to the disk, as a real server does
	Settings map[string]string // further settings, as in postgresql.conf
}

// A Server is one running cluster. It is safe for concurrent use. It ends with Close
// or with the process that launched it, also when that is killed.
type Server struct {
	dir   string // data, socket and log
	bin   string
	opts  Options
	close func()
}

// Launch makes a cluster and starts it. It fails with ErrAbsent when there is no
// server on this machine. The caller closes it; if the caller's process dies first,
// the server stops and its folder goes away all the same.
func Launch(opts Options) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	// Not in t.TempDir: the path of a socket must not exceed 103 bytes.
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, opts: opts}
	if err := s.launch(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start PostgreSQL of %s: %w", bin, err)
	}
	return s, nil
}

func (s *Server) launch() error {
	if err := own(s.dir); err != nil {
		return err
	}
	initdb := s.command("initdb", "--pgdata="+s.data(), "--username="+superuser, "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(s.data(), "postgresql.auto.conf"), []byte(s.settings()), 0o600); err != nil {
		return err
	}
	return s.watch()
}

// settings is the cluster's own part of its configuration.
func (s *Server) settings() string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen_addresses = ''\nunix_socket_directories = '%s'\nlc_messages = 'C'\n", s.dir)
	if !s.opts.Fsync {
		b.WriteString("fsync = off\nfull_page_writes = off\n")
	}
	for name, value := range s.opts.Settings {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(value, "'", "''"))
	}
	return b.String()
}

// watchdog starts the server, says whether it runs, and waits for the end of its
// standard input, which is the end of the process that launched it. Then it stops the
// server, whichever process that is by then, and removes the folder.
const watchdog = `
"$1/pg_ctl" start --wait --timeout=60 --silent --pgdata="$2/data" --log="$2/log" </dev/null >>"$2/log" 2>&1
echo $? >"$2/started"
read -r end
"$1/pg_ctl" stop --wait --mode=immediate --silent --pgdata="$2/data" </dev/null >>"$2/log" 2>&1
rm -rf "$2"
`

// watch starts the watchdog and waits until the server accepts connections.
func (s *Server) watch() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", watchdog, "sh", s.bin, s.dir) //nolint:noctx // it ends with its input
	cmd.Dir, cmd.SysProcAttr, cmd.Stdin = s.dir, attributes(), r
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	// Stopping is left to the watchdog alone, so there is one way to stop.
	s.close = sync.OnceFunc(func() {
		w.Close()
		_ = cmd.Wait()
	})
	started := filepath.Join(s.dir, "started")
	for deadline := time.Now().Add(startLimit); ; time.Sleep(5 * time.Millisecond) {
		switch code, err := os.ReadFile(started); {
		case err == nil && strings.TrimSpace(string(code)) == "0":
			return nil
		case err == nil && strings.HasSuffix(string(code), "\n"):
			return errors.Join(fmt.Errorf("pg_ctl start: exit code %s", strings.TrimSpace(string(code))), s.log())
		case time.Now().After(deadline):
			return errors.Join(fmt.Errorf("pg_ctl start: no answer in %s", startLimit), s.log())
		}
	}
}

// log returns what the server wrote, as an error, and ends the watchdog.
func (s *Server) log() error {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	s.close()
	return errors.New(string(text))
}

// Close stops the server at once and removes its folder.
func (s *Server) Close() { s.close() }

// Restart stops the server without a goodbye, as a crash would, and starts it again,
// which recovers from its log. Every session is cut.
func (s *Server) Restart() error {
	out, err := s.command("pg_ctl", "restart", "--wait", "--timeout=60", "--mode=immediate", "--silent",
		"--pgdata="+s.data(), "--log="+filepath.Join(s.dir, "log")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_ctl restart: %w\n%s", err, out)
	}
	return nil
}

// Dir is the folder of the server's socket: the "host" of its DSNs.
func (s *Server) Dir() string { return s.dir }

// Program returns the path of a program that came with the server: psql, pg_dump, …
func (s *Server) Program(name string) string { return filepath.Join(s.bin, name) }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command prepares a program of the server's, run as the user that owns its files.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(s.Program(name), args...) //nolint:noctx // pg_ctl has a timeout of its own
	cmd.Dir, cmd.SysProcAttr = s.dir, attributes()
	return cmd
}
