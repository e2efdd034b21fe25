package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	// memoryLimit makes the collector work harder before the command's share of the container's memory shrinks, in bytes.
	memoryLimit = 96 << 20
	// gcPercent keeps the heap small: what the helper holds is little, and the memory is the session's.
	gcPercent  = 50
	thriftEach = 5 * time.Second
)

// beThrifty keeps the helper small, and gives back what a busy time has taken once it is over.
func beThrifty(ctx context.Context, lastActivity func() time.Time) {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(gcPercent)
	go func() {
		ticker := time.NewTicker(thriftEach)
		defer ticker.Stop()
		var given time.Time
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				if last := lastActivity(); last.After(given) && now.Sub(last) > thriftEach {
					given = now
					// Pools are emptied by the second collection, which FreeOSMemory is.
					runtime.GC()
					debug.FreeOSMemory()
				}
			}
		}
	}()
}
