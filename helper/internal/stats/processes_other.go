//go:build !linux

package stats

import (
	"runtime"
	"syscall"
)

// use is what the container's processes use together, the helper among them.
type use struct {
	count       int
	cpuMS       int64
	memoryBytes int64
}

// readProcesses knows without /proc this process, and of its children the time of those that have ended.
func readProcesses() use {
	total := use{count: 1, memoryBytes: ownMemoryBytes()}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var spent syscall.Rusage
		if syscall.Getrusage(who, &spent) == nil {
			total.cpuMS += (spent.Utime.Nano() + spent.Stime.Nano()) / 1_000_000
		}
	}
	return total
}

// membership is of nobody: without Linux there are no cgroups.
func membership() func(pid int) bool { return func(int) bool { return false } }

func ownMemoryBytes() int64 {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return int64(memory.Sys)
}
