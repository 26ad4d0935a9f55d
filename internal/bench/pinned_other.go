//go:build !linux

package main

import (
	"time"

	"github.com/stranglerfig/toolkit/internal/bench/loop"
)

func onCPU(int, func() error) error { return loop.ErrUnsupported }

func move(int, int) error { return loop.ErrUnsupported }

func tree(pid int) []int { return []int{pid} }

func treeProcessor(int) time.Duration { return 0 }

func treeMemory(int) int64 { return 0 }
