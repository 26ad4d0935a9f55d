//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// unprivileged is who runs the server when the tests run as root, whom PostgreSQL
// refuses: its own user where there is one. It is nil for everybody else.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr == nil && gerr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres or nobody: create one, or run the tests as another user")
}

// own gives the folder to the user that runs the server, and to nobody else.
func own(dir string) error {
	cred, err := unprivileged()
	if err != nil || cred == nil {
		return err
	}
	return os.Chown(dir, int(cred.Uid), int(cred.Gid))
}

// attributes make a child run as that user, in a process group of its own: an
// interrupt at the keyboard is for the tests, and the server ends with them anyway.
func attributes() *syscall.SysProcAttr {
	cred, _ := unprivileged() // own has reported the error
	return &syscall.SysProcAttr{Credential: cred, Setpgid: true}
}
