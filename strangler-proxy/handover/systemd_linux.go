package handover

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstInherited is the first descriptor that a service manager passes.
const firstInherited = 3

// Inherited takes the sockets that a service manager has opened for this process
// (LISTEN_FDS). The names public and admin say what they are; without names the first
// one is public and the second one admin. It is called once, at the start.
func Inherited(lookup func(string) (string, bool)) (Listeners, error) {
	pid, _ := lookup("LISTEN_PID")
	number, _ := lookup("LISTEN_FDS")
	if number == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > 2 {
		return nil, fmt.Errorf("LISTEN_FDS=%s: at most two sockets are taken, public and admin", number)
	}
	text, _ := lookup("LISTEN_FDNAMES")
	given := strings.Split(text, ":")
	all := Listeners{}
	for i := range n {
		name := []string{Public, Admin}[i]
		if i < len(given) && (given[i] == Public || given[i] == Admin) {
			name = given[i]
		}
		syscall.CloseOnExec(firstInherited + i)
		l, err := fileListener(firstInherited+i, "socket "+name+" of LISTEN_FDS")
		if err == nil && all[name] != nil {
			_ = l.Close()
			err = fmt.Errorf("two sockets of LISTEN_FDNAMES are %s", name)
		}
		if err != nil {
			all.Close()
			return nil, err
		}
		all[name] = l
	}
	return all, nil
}
