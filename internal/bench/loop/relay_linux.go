package loop

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// Relay passes bytes between addr and upstream, one connection for one, without looking
// at them, until ctx ends. No proxy on sockets can do less: what it costs is the floor.
func Relay(ctx context.Context, addr, upstream string) error {
	to, err := socketAddr(upstream)
	if err != nil {
		return err
	}
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
	r := &relay{poll: poll, ends: map[int32]*end{}, buffer: make([]byte, 256<<10)}
	for ctx.Err() == nil {
		events, err := poll.wait(idleCheck)
		if err != nil {
			return err
		}
		for _, e := range events {
			if int(e.Fd) == listener {
				r.accept(listener, to)
			} else if one := r.ends[e.Fd]; one != nil {
				r.ready(one, e.Events)
			}
		}
	}
	return nil
}

type relay struct {
	poll   *poller
	ends   map[int32]*end
	buffer []byte
}

// An end is one of the two sockets of a relayed connection.
type end struct {
	fd   int
	peer *end
	owed []byte // what this socket did not take at once
}

func (r *relay) accept(listener int, to *unix.SockaddrInet4) {
	const events = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET
	for {
		fd, err := accept(listener)
		if err != nil {
			return
		}
		other, err := dial(to)
		if err != nil {
			unix.Close(fd) //nolint:errcheck // it sees the end
			continue
		}
		client, server := &end{fd: fd}, &end{fd: other}
		client.peer, server.peer = server, client
		r.ends[int32(fd)], r.ends[int32(other)] = client, server
		if errors.Join(r.poll.add(fd, events), r.poll.add(other, events)) != nil {
			r.drop(client)
		}
	}
}

func (r *relay) drop(e *end) {
	for _, one := range []*end{e, e.peer} {
		delete(r.ends, int32(one.fd))
		unix.Close(one.fd) //nolint:errcheck // nothing to be done
	}
}

func (r *relay) ready(e *end, events uint32) {
	if len(e.owed) > 0 && events&unix.EPOLLOUT != 0 {
		n, err := unix.Write(e.fd, e.owed)
		switch {
		case errors.Is(err, unix.EAGAIN):
		case err != nil:
			r.drop(e)
			return
		default:
			e.owed = e.owed[n:]
		}
		if len(e.owed) == 0 && !r.pump(e.peer) {
			return
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r.pump(e)
	}
}

// pump passes on what e has sent. It says whether the connection is still there.
func (r *relay) pump(e *end) bool {
	for len(e.peer.owed) == 0 {
		n, err := unix.Read(e.fd, r.buffer)
		if errors.Is(err, unix.EAGAIN) {
			return true
		}
		if err != nil || n == 0 {
			r.drop(e)
			return false
		}
		sent, err := unix.Write(e.peer.fd, r.buffer[:n])
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			r.drop(e)
			return false
		}
		if sent = max(sent, 0); sent < n {
			e.peer.owed = append(e.peer.owed[:0:0], r.buffer[sent:n]...)
		}
		if n < len(r.buffer) {
			return true
		}
	}
	return true
}
