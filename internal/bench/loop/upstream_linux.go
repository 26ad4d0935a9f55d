package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const idleCheck = 200 // milliseconds after which a loop looks whether it should end

// Upstream answers every request on addr until ctx ends: one whose path ends in 64k with 64
// KiB, every other with 1 KiB of JSON.
func Upstream(ctx context.Context, addr string) error {
	listener, err := listen(addr)
	if err != nil {
		return err
	}
	defer unix.Close(listener) //nolint:errcheck // the process ends
	poll, err := newPoller()
	if err != nil {
		return err
	}
	defer poll.close()
	if err := poll.add(listener, unix.EPOLLIN); err != nil {
		return err
	}
	small, large := answer(1024), answer(64<<10)
	conns := map[int32]*answering{}
	for ctx.Err() == nil {
		events, err := poll.wait(idleCheck)
		if err != nil {
			return err
		}
		for _, e := range events {
			if int(e.Fd) == listener {
				for {
					fd, err := accept(listener)
					if err != nil {
						break
					}
					conns[int32(fd)] = &answering{fd: fd, small: small, large: large, in: make([]byte, 0, 16<<10)}
					if err := poll.add(fd, unix.EPOLLIN); err != nil {
						return err
					}
				}
				continue
			}
			c := conns[e.Fd]
			if err := c.ready(poll, e.Events); err != nil {
				unix.Close(c.fd) //nolint:errcheck // the peer has gone
				delete(conns, e.Fd)
			}
		}
	}
	return nil
}

func answer(size int) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nServer: legacy\r\n"+
		"Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nCache-Control: no-store\r\nX-Trace: 7f3a9c\r\n\r\n", size)
	return []byte(head + `{"d":"` + strings.Repeat("a", size-8) + `"}`)
}

// answering is a connection of the upstream's.
type answering struct {
	fd           int
	small, large []byte
	in           []byte // received and not yet looked at
	skip         int    // bytes of a body to come
	owed         []byte // the answer after that body
	out          []byte // what the peer has not taken yet
}

var errGone = errors.New("the peer has gone")

func (c *answering) ready(poll *poller, events uint32) error {
	if len(c.out) > 0 {
		if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
			return nil
		}
		if err := c.flush(); err != nil || len(c.out) > 0 {
			return err
		}
		if err := poll.change(c.fd, unix.EPOLLIN); err != nil {
			return err
		}
	} else {
		n, err := unix.Read(c.fd, c.in[len(c.in):cap(c.in)])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil || n == 0:
			return errGone
		}
		c.in = c.in[:len(c.in)+n]
	}
	if err := c.serve(); err != nil {
		return err
	}
	if len(c.out) > 0 {
		return poll.change(c.fd, unix.EPOLLOUT)
	}
	return nil
}

// serve answers what is complete, until the peer takes no more.
func (c *answering) serve() error {
	rest := c.in
	for len(c.out) == 0 && len(rest) > 0 {
		if c.owed == nil {
			head, after, ok := bytes.Cut(rest, []byte("\r\n\r\n"))
			if !ok {
				if len(rest) == cap(c.in) {
					return fmt.Errorf("a head of more than %d bytes", cap(c.in))
				}
				break
			}
			c.owed = c.small
			if line, _, _ := bytes.Cut(head, []byte(" HTTP/")); bytes.HasSuffix(line, []byte("64k")) {
				c.owed = c.large
			}
			c.skip, rest = bodyLength(head), after
		}
		passed := min(c.skip, len(rest))
		c.skip -= passed
		rest = rest[passed:]
		if c.skip > 0 {
			break
		}
		c.out, c.owed = c.owed, nil
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.in = c.in[:copy(c.in[:cap(c.in)], rest)]
	return nil
}

func (c *answering) flush() error {
	for len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return err
		}
		c.out = c.out[n:]
	}
	return nil
}

// bodyLength returns the Content-Length of a head, 0 without.
func bodyLength(head []byte) int {
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		const name = "content-length:"
		if len(line) > len(name) && line[0]|0x20 == 'c' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(line[len(name):])))
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
