package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// A Taken is what a predecessor hands over. Its Listeners may be served from at once;
// the predecessor serves too, until Serving.
type Taken struct {
	Listeners Listeners
	From      int // process id of the predecessor
	line      *line
}

// Take asks the process that offers its sockets at path for them. Without such a
// process the result is nil and no error. Either Serving or Close has to follow.
func Take(ctx context.Context, path string) (*Taken, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, checkPlace(path)
	case err != nil:
		return nil, fmt.Errorf("handover at %s: %w", path, err)
	}
	l := &line{UnixConn: conn.(*net.UnixConn)}
	taken, err := take(l)
	if err != nil {
		l.drop()
		return nil, fmt.Errorf("handover at %s: %w", path, err)
	}
	return taken, nil
}

func take(l *line) (*Taken, error) {
	pid, err := l.peer()
	if err != nil {
		return nil, err
	}
	if err := l.send(message{Handover: version, PID: os.Getpid()}, limitAnswer); err != nil {
		return nil, err
	}
	answer, err := l.receive(limitAnswer)
	switch {
	case err != nil:
		return nil, err
	case answer.Refused != "":
		return nil, &RefusedError{answer.Refused}
	case answer.Handover != version:
		return nil, fmt.Errorf("the running process speaks version %d of the protocol, this one %d", answer.Handover, version)
	}
	listeners, err := l.listeners(answer.Listeners)
	if err != nil {
		return nil, err
	}
	return &Taken{Listeners: listeners, From: pid, line: l}, nil
}

// Serving tells the predecessor to leave, and returns once it has said that it does, or
// is no more. An error means that it goes on serving.
func (t *Taken) Serving() error {
	defer t.line.drop()
	err := t.line.send(message{Serving: true}, limitAnswer)
	if err == nil {
		var answer message
		answer, err = t.line.receive(limitAnswer)
		switch {
		case answer.Refused != "":
			return &RefusedError{answer.Refused}
		case err == nil && !answer.Leaving:
			return errors.New("handover: the predecessor answers something else")
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // it is gone, or does not move: nobody else serves
	}
	return err
}

// Close gives up: the predecessor goes on. The listeners are closed. A nil Taken may be
// closed.
func (t *Taken) Close() {
	if t == nil {
		return
	}
	t.Listeners.Close()
	t.line.drop()
}

// checkPlace refuses what is in the place of the socket file and is none.
func checkPlace(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("handover: %s is there and is no socket", path)
	}
	return err
}
