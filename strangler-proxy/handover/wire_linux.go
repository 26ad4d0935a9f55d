package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// A line is a connection between the two processes.
type line struct {
	*net.UnixConn
	got   []byte // behind the last message
	files []int  // that came with a message and nobody has taken yet
}

// peer returns who is at the other end, if that is the same user.
func (l *line) peer() (pid int, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, err
	}
	if int(cred.Uid) != os.Geteuid() {
		return 0, fmt.Errorf("the process at the other end runs as user %d, this one as %d", cred.Uid, os.Geteuid())
	}
	return int(cred.Pid), nil
}

// send writes a message, with the sockets of listeners.
func (l *line) send(m message, limit time.Duration, listeners ...*net.TCPListener) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_ = l.SetWriteDeadline(time.Now().Add(limit))
	return withFiles(listeners, nil, func(files []int) error {
		var rights []byte
		if len(files) > 0 {
			rights = syscall.UnixRights(files...)
		}
		_, _, err := l.WriteMsgUnix(append(text, '\n'), rights, nil)
		return err
	})
}

// withFiles calls use with the descriptors of listeners. They are only borrowed: the
// copy that (*TCPListener).File makes could turn the shared socket to blocking.
func withFiles(listeners []*net.TCPListener, files []int, use func([]int) error) error {
	if len(listeners) == 0 {
		return use(files)
	}
	raw, err := listeners[0].SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = withFiles(listeners[1:], append(files, int(fd)), use) })
	return errors.Join(err, failed)
}

// receive reads a message. The end of the connection is io.EOF.
func (l *line) receive(limit time.Duration) (message, error) {
	_ = l.SetReadDeadline(time.Now().Add(limit))
	var m message
	for {
		if text, rest, whole := bytes.Cut(l.got, []byte("\n")); whole {
			l.got = rest
			return m, json.Unmarshal(text, &m)
		}
		if len(l.got) > limitLine {
			return m, errors.New("the other end does not speak the protocol of a handover")
		}
		buffer, rights := make([]byte, limitLine), make([]byte, syscall.CmsgSpace(16*4))
		n, r, flags, _, err := l.ReadMsgUnix(buffer, rights)
		l.got = append(l.got, buffer[:max(n, 0)]...)
		l.keepFiles(rights[:max(r, 0)])
		switch {
		case err != nil:
			return m, err
		case flags&syscall.MSG_CTRUNC != 0:
			return m, errors.New("more sockets came than are expected")
		case n == 0:
			return m, io.EOF
		}
	}
}

func (l *line) keepFiles(rights []byte) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return
	}
	for _, m := range messages {
		if files, err := syscall.ParseUnixRights(&m); err == nil {
			l.files = append(l.files, files...)
		}
	}
}

// listeners turns the files that came into listeners.
func (l *line) listeners(names []string) (Listeners, error) {
	files := l.files
	l.files = nil
	all := Listeners{}
	var problems []error
	if len(files) != len(names) {
		problems = append(problems, fmt.Errorf("%d sockets came for %d names", len(files), len(names)))
	}
	for i, fd := range files {
		name := fmt.Sprint("socket ", i)
		if i < len(names) {
			name = names[i]
		}
		listener, err := fileListener(fd, name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if before := all[name]; before != nil {
			_ = before.Close()
		}
		all[name] = listener
	}
	if err := errors.Join(problems...); err != nil {
		all.Close()
		return nil, err
	}
	return all, nil
}

// fileListener takes a descriptor over.
func fileListener(fd int, name string) (*net.TCPListener, error) {
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		_ = listener.Close()
		return nil, fmt.Errorf("%s is not a TCP socket", name)
	}
	return tcp, nil
}

// drop closes the connection and whatever came over it.
func (l *line) drop() {
	for _, fd := range l.files {
		_ = syscall.Close(fd)
	}
	l.files = nil
	_ = l.Close()
}
