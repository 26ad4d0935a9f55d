package handover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// An Offer waits at a socket file for a successor.
type Offer struct {
	path      string
	self      fs.FileInfo // of the socket file
	socket    *net.UnixListener
	listeners Listeners
	log       *slog.Logger
	taken     chan struct{}
	one       chan struct{} // holds a value while a successor is served
	open      sync.WaitGroup

	mu     sync.Mutex
	lines  map[*line]bool
	closed bool
}

// limitPath is what the address of a socket has room for.
const limitPath = 107

// New offers listeners, which stay the caller's, at path. A socket file there, of a
// process that is gone or of the predecessor, is replaced in one step. log may be nil.
func New(path string, listeners Listeners, log *slog.Logger) (*Offer, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	beside := fmt.Sprintf("%s.%d", path, os.Getpid())
	if len(beside) > limitPath {
		return nil, fmt.Errorf("handover: %s is too long for a socket, which may have %d bytes", path, limitPath-len(beside)+len(path))
	}
	// Only this user may connect, from the first moment on.
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	_ = os.Remove(beside) // of a process with our number that was killed here
	l, err := lc.Listen(context.Background(), "unix", beside)
	if err != nil {
		return nil, fmt.Errorf("handover at %s: %w", path, err)
	}
	socket := l.(*net.UnixListener)
	socket.SetUnlinkOnClose(false)
	info, err := os.Lstat(beside)
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		_ = socket.Close()
		_ = os.Remove(beside)
		return nil, fmt.Errorf("handover at %s: %w", filepath.Dir(path), err)
	}
	o := &Offer{path: path, self: info, socket: socket, listeners: listeners, log: log, taken: make(chan struct{}), one: make(chan struct{}, 1), lines: map[*line]bool{}}
	o.open.Go(o.run)
	return o, nil
}

// Taken is closed once a successor serves: the caller should stop accepting, finish
// what it has begun, and leave. Of a nil Offer it is nil.
func (o *Offer) Taken() <-chan struct{} {
	if o == nil {
		return nil
	}
	return o.taken
}

// Close offers nothing any more, and removes the socket file unless it is a
// successor's. A nil Offer may be closed.
func (o *Offer) Close() {
	if o == nil {
		return
	}
	o.mu.Lock()
	o.closed = true
	_ = o.socket.Close()
	for l := range o.lines {
		_ = l.Close()
	}
	o.mu.Unlock()
	o.open.Wait()
	if now, err := os.Lstat(o.path); err == nil && os.SameFile(now, o.self) {
		_ = os.Remove(o.path)
	}
}

func (o *Offer) run() {
	for {
		conn, err := o.socket.AcceptUnix()
		if err != nil {
			return
		}
		l := &line{UnixConn: conn}
		if !o.add(l) {
			l.drop()
			continue
		}
		o.open.Go(func() {
			defer o.remove(l)
			if err := o.serve(l); err != nil {
				o.log.Warn("a handover did not come about", "err", err)
			}
		})
	}
}

// limitLines bounds how many may ask at a time.
const limitLines = 16

func (o *Offer) add(l *line) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.lines) == limitLines {
		return false
	}
	o.lines[l] = true
	return true
}

func (o *Offer) remove(l *line) {
	l.drop()
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.lines, l)
}

// serve hands over to one successor.
func (o *Offer) serve(l *line) error {
	pid, err := l.peer()
	if err != nil {
		return err
	}
	hello, err := l.receive(limitAnswer)
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	reason := ""
	switch {
	case hello.Handover != version:
		reason = fmt.Sprintf("it speaks version %d of the protocol, not %d", version, hello.Handover)
	case !o.enter():
		reason = "another process is taking over"
	}
	if reason != "" {
		_ = l.send(message{Handover: version, Refused: reason}, limitAnswer)
		return fmt.Errorf("process %d was refused: %s", pid, reason)
	}
	defer func() { <-o.one }()
	return o.pass(l, pid)
}

// patience is how long a successor waits for another, which may just have died.
const patience = 500 * time.Millisecond

// enter reports whether the caller is the one who is served.
func (o *Offer) enter() bool {
	select {
	case o.one <- struct{}{}:
		return true
	case <-time.After(patience):
		return false
	}
}

func (o *Offer) pass(l *line, pid int) error {
	select {
	case <-o.taken:
		_ = l.send(message{Handover: version, Refused: "another process has taken over"}, limitAnswer)
		return fmt.Errorf("process %d came too late", pid)
	default:
	}
	names := slices.Sorted(maps.Keys(o.listeners))
	var sockets []*net.TCPListener
	for _, name := range names {
		sockets = append(sockets, o.listeners[name])
	}
	if err := l.send(message{Handover: version, Listeners: names}, limitAnswer, sockets...); err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	o.log.Info("handing over", "to_pid", pid)
	word, err := l.receive(limitServing)
	if err != nil || !word.Serving {
		_ = l.send(message{Refused: "it took too long, or did not say that it serves"}, limitAnswer)
		return fmt.Errorf("process %d gave up, this one goes on: %w", pid, err)
	}
	if err := l.send(message{Leaving: true}, limitAnswer); err != nil {
		return fmt.Errorf("process %d is gone, this one goes on: %w", pid, err)
	}
	o.log.Info("handed over", "to_pid", pid)
	close(o.taken)
	return nil
}
