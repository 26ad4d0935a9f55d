package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

// A process is a running program under measurement.
type process struct {
	cmd   *exec.Cmd
	ready time.Duration // from start to the first good answer
	done  chan struct{}
	log   *bytes.Buffer
}

// start runs a program and waits until health answers 200.
func start(ctx context.Context, path, health string, limit time.Duration, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{}), log: &bytes.Buffer{}} //nolint:noctx // stopped gracefully by stop
	p.cmd.Stderr = p.log
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	go func() {
		p.cmd.Wait() //nolint:errcheck // its log says why
		close(p.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // some show a certificate made for this run
	}}
	defer client.CloseIdleConnections()
	for !answers(ctx, client, health) {
		select {
		case <-p.done:
			return nil, fmt.Errorf("start %s: it ended: %s", filepath.Base(path), p.log)
		case <-ctx.Done():
			p.stop()
			return nil, fmt.Errorf("start %s: not ready after %s: %w", filepath.Base(path), limit, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
	p.ready = time.Since(began)
	return p, nil
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop ends the process and waits for its end.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended already
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill() //nolint:errcheck // it may have ended already
		<-p.done
	}
}

// peakMemory returns the most memory that the process ever held, in bytes; 0 where
// the system does not tell.
func (p *process) peakMemory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

// processor returns the processor time the process has used so far; 0 where the
// system does not tell.
func (p *process) processor() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	if errUser != nil || errSystem != nil {
		return 0
	}
	return time.Duration(user+system) * time.Second / 100 // the kernel counts in hundredths
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// freeAddresses returns n different ones.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	var list []string
	for len(list) < n {
		addr, err := freeAddress(ctx)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 || list[len(list)-1] != addr {
			list = append(list, addr)
		}
	}
	return list, nil
}

// path returns the path of a program.
func (s settings) path(name string) (string, error) {
	path := filepath.Join(s.bin, name)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "", program.Fail(program.Usage, `run "make build" first`, "there is no program %s", path)
	}
	return filepath.Abs(path)
}

func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
		kernel += " " + version
	}
	return fmt.Sprintf("%d × %s, %s, %s", runtime.NumCPU(), model, kernel, runtime.Version())
}

// loadAverage tells how busy the machine was in the last minute.
func loadAverage() string {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(load))[0]
}
