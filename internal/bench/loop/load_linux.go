package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Run sends the load and waits for the last answer.
func (l Load) Run(ctx context.Context) (Result, error) {
	to, err := socketAddr(l.Addr)
	if err != nil {
		return Result{}, err
	}
	poll, err := newPoller()
	if err != nil {
		return Result{}, err
	}
	defer poll.close()
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return Result{}, fmt.Errorf("timer: %w", err)
	}
	defer unix.Close(timer) //nolint:errcheck // nothing to be done
	if err := poll.add(timer, unix.EPOLLIN); err != nil {
		return Result{}, err
	}
	r := &running{Load: l, to: to, poll: poll, timer: timer, conns: map[int32]*asking{}, scratch: make([]byte, 64<<10)}
	defer func() {
		for _, c := range r.conns {
			unix.Close(c.fd) //nolint:errcheck // nothing to be done
		}
	}()
	r.request = l.request()
	for range l.Connections {
		if err := r.connect(); err != nil {
			return Result{}, err
		}
	}
	return r.run(ctx)
}

func (l Load) request() []byte {
	method, extra := "GET", ""
	if l.Body > 0 {
		method = "POST"
		extra = fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", l.Body)
	}
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n%s", method, l.Path, l.Addr, headers, extra, strings.Repeat("x", l.Body))
}

// running is a load on its way. Requests are numbered; at a rate, each is due at its
// own moment.
type running struct {
	Load
	to      *unix.SockaddrInet4
	poll    *poller
	timer   int
	request []byte
	conns   map[int32]*asking
	idle    []*asking
	scratch []byte

	begun  time.Time
	since  time.Time     // when requests began to count; zero: they do not yet
	before time.Duration // on the clock, then
	next   int64         // number of the next request
	busy   int           // requests without an answer yet
	took   []time.Duration
	out    Result
}

// asking is a connection of the load's.
type asking struct {
	fd     int
	since  time.Time
	busy   bool // a request is on its way
	inHead bool // the head of the answer is not complete
	head   []byte
	left   int // bytes of the body to come
}

func (r *running) connect() error {
	fd, err := dial(r.to)
	if err != nil {
		return err
	}
	c := &asking{fd: fd, head: make([]byte, 0, 16<<10)}
	r.conns[int32(fd)] = c
	r.idle = append(r.idle, c)
	return r.poll.add(fd, unix.EPOLLIN)
}

func (r *running) run(ctx context.Context) (Result, error) {
	r.begun = time.Now()
	for ctx.Err() == nil {
		if r.since.IsZero() && time.Since(r.begun) >= r.Warm {
			r.took, r.since, r.before = r.took[:0], time.Now(), r.clock()
		}
		if err := r.launch(); err != nil {
			return Result{}, err
		}
		over := time.Since(r.begun) >= r.Warm+r.Duration
		if over && (r.busy == 0 || time.Since(r.begun) > r.Warm+r.Duration+patience) {
			break
		}
		events, err := r.poll.wait(idleCheck / 10)
		if err != nil {
			return Result{}, err
		}
		for _, e := range events {
			if int(e.Fd) == r.timer {
				unix.Read(r.timer, r.scratch[:8]) //nolint:errcheck // it only has to be read
				continue
			}
			if c := r.conns[e.Fd]; c != nil {
				if err := r.ready(c); err != nil {
					return Result{}, err
				}
			}
		}
	}
	r.out.Processor = r.clock() - r.before
	r.out.summarize(r.took, time.Since(r.since))
	r.out.Failed += int64(r.busy)
	if r.busy > 0 && r.out.FirstFail == "" {
		r.out.FirstFail = fmt.Sprintf("no answer within %s", patience)
	}
	return r.out, ctx.Err()
}

// launch sends the requests that are due, and sets the timer for the next one.
func (r *running) launch() error {
	for len(r.idle) > 0 {
		now := time.Now()
		due := now
		if r.Rate > 0 {
			due = r.begun.Add(time.Duration(r.next) * time.Second / time.Duration(r.Rate))
		}
		if due.Sub(r.begun) >= r.Warm+r.Duration {
			return nil
		}
		if wait := due.Sub(now); wait > 0 {
			in := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(wait))}
			return unix.TimerfdSettime(r.timer, 0, &in, nil)
		}
		c := r.idle[len(r.idle)-1]
		r.idle = r.idle[:len(r.idle)-1]
		r.next++
		r.busy++
		c.since, c.busy, c.inHead, c.head = due, true, true, c.head[:0]
		n, err := unix.Write(c.fd, r.request)
		if err == nil && n < len(r.request) {
			err = errors.New("the request did not fit into the socket")
		}
		if err != nil {
			if err := r.fail(c, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready takes what has come of an answer.
func (r *running) ready(c *asking) error {
	for {
		room := r.scratch
		if c.inHead {
			room = c.head[len(c.head):cap(c.head)]
		}
		n, err := unix.Read(c.fd, room)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return r.fail(c, err)
		case n == 0:
			return r.fail(c, errors.New("the connection ended"))
		case c.inHead:
			c.head = c.head[:len(c.head)+n]
			err = c.look()
		default:
			c.left -= n
		}
		if err == nil && (!c.busy || c.left < 0) {
			err = errors.New("more came than was promised")
		}
		switch {
		case err != nil:
			return r.fail(c, err)
		case !c.inHead && c.left == 0:
			r.took = append(r.took, time.Since(c.since))
			r.busy--
			c.busy = false
			r.idle = append(r.idle, c)
			return nil
		case n < len(room):
			return nil
		}
	}
}

// look finds the end of the head and the length of what follows.
func (c *asking) look() error {
	head, after, ok := bytes.Cut(c.head, []byte("\r\n\r\n"))
	if !ok {
		if len(c.head) == cap(c.head) {
			return errors.New("the head is too long")
		}
		return nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return fmt.Errorf("answered %q", line)
	}
	length := bodyLength(head)
	if length == 0 {
		return errors.New("an answer without a length")
	}
	c.inHead, c.left = false, length-len(after)
	return nil
}

// fail counts a failed request, if there was one, and replaces its connection.
func (r *running) fail(c *asking, err error) error {
	if c.busy {
		r.busy--
		if r.out.Failed++; r.out.FirstFail == "" {
			r.out.FirstFail = err.Error()
		}
	}
	r.idle = slices.DeleteFunc(r.idle, func(one *asking) bool { return one == c })
	delete(r.conns, int32(c.fd))
	unix.Close(c.fd) //nolint:errcheck // nothing to be done
	return r.connect()
}
