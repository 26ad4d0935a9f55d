package fuse

import (
	"syscall"
	"time"
	"unsafe"
)

// A killer is a timer of the kernel that sends SIGKILL to this process, which a stopped
// process gets, too. Without one, where the kernel refuses it, nothing is killed.
type killer struct {
	id    int32
	state int // notYet, made or none
}

const (
	notYet = iota
	made
	none
)

// event is the kernel's struct sigevent, which has 64 bytes.
type event struct {
	value  uintptr
	signal int32
	notify int32 // 0: by a signal
	_      [64 - 8 - unsafe.Sizeof(uintptr(0))]byte
}

// setting is struct itimerspec: how often again, and when first.
type setting struct{ again, first syscall.Timespec }

const monotonic = 1 // a clock that nobody sets

// in kills this process after d, unless it is called again; 0 lets it live.
func (k *killer) in(d time.Duration) {
	if k.state == notYet {
		e := event{signal: int32(syscall.SIGKILL)}
		_, _, failed := syscall.Syscall(syscall.SYS_TIMER_CREATE, monotonic, uintptr(unsafe.Pointer(&e)), uintptr(unsafe.Pointer(&k.id)))
		if k.state = made; failed != 0 {
			k.state = none
		}
	}
	if k.state == made {
		s := setting{first: syscall.NsecToTimespec(int64(d))}
		syscall.Syscall6(syscall.SYS_TIMER_SETTIME, uintptr(k.id), 0, uintptr(unsafe.Pointer(&s)), 0, 0, 0) //nolint:errcheck // it is as good without
	}
}

func (k *killer) close() {
	if k.state == made {
		syscall.Syscall(syscall.SYS_TIMER_DELETE, uintptr(k.id), 0, 0) //nolint:errcheck // it goes with the process, too
	}
	k.state = notYet
}
