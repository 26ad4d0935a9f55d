package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// onCPU runs begin on a thread that may only use one processor, so that what it starts
// inherits that.
func onCPU(cpu int, begin func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		var set unix.CPUSet
		set.Set(cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			done <- fmt.Errorf("pin to processor %d: %w", cpu, err)
			return
		}
		done <- begin()
	}()
	return <-done
}

// move pins a running process, all threads of it, to one processor.
func move(pid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return err
	}
	for _, path := range threads {
		thread, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(thread, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("pin thread %d to processor %d: %w", thread, cpu, err)
		}
	}
	return nil
}

// tree returns a process and all that came from it.
func tree(pid int) []int {
	list := []int{pid}
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) //nolint:errcheck // the pattern is good
	for _, path := range paths {
		children, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for child := range strings.FieldsSeq(string(children)) {
			if pid, err := strconv.Atoi(child); err == nil {
				list = append(list, tree(pid)...)
			}
		}
	}
	return list
}

// treeProcessor returns the processor time of a process and all that came from it, to
// the nanosecond.
func treeProcessor(pid int) time.Duration {
	var total time.Duration
	for _, one := range tree(pid) {
		const scheduled = 2 // the kernel's CPUCLOCK_SCHED
		var t unix.Timespec
		clock := uintptr(uint32(int32(^one)<<3 | scheduled))
		if _, _, errno := unix.Syscall(unix.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); errno == 0 {
			total += time.Duration(t.Nano())
		}
	}
	return total
}

// treeMemory returns the memory that a process and all that came from it hold now.
func treeMemory(pid int) int64 {
	var total int64
	for _, one := range tree(pid) {
		fields, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", one))
		if err != nil {
			continue
		}
		if list := strings.Fields(string(fields)); len(list) > 1 {
			pages, _ := strconv.ParseInt(list[1], 10, 64) //nolint:errcheck // the kernel writes numbers
			total += pages * int64(os.Getpagesize())
		}
	}
	return total
}
