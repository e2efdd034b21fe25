package terminal

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

const (
	// guaranteedBytes is the disk that every ring has from its start; it grows by as much at a time.
	guaranteedBytes = 1 << 20
	// MaxRingBytes is the most that one ring keeps.
	MaxRingBytes = 64 << 20
	// minRingBytes leaves room for a few reads of the terminal: a writer must never be overtaken by one.
	minRingBytes = 128 << 10
)

// ErrGone says that the bytes asked for are no longer kept.
var ErrGone = errors.New("these bytes are no longer kept")

// Ring keeps the last bytes of a terminal's output in a file.
//
// A byte has an offset for ever: the first has 0. Its place in the file changes only when it is dropped: the file is filled from its
// start to its end; at its end it grows, or, where it may not, the next byte goes to the start again. So the file holds two runs of
// bytes: those since the last return to the start (from `lap` on, at the front) and behind them what is left of the lap before.
//
// One goroutine appends, any number read. `mu` guards the fields and is never held while the file is read or written: bytes that are
// about to be overwritten are given up first, and a reader checks after its read that it still owns what it read.
type Ring struct {
	file   *os.File
	budget *Budget
	limit  int64

	mu       sync.Mutex
	capacity int64 // of the file; it is the ring's on disk
	lap      int64 // the offset of the byte at the file's start
	oldest   int64 // the first offset that can be read
	end      int64 // behind the last
	closed   bool
}

// NewRing makes the file, which must not exist, and keeps at most `limit` bytes in it. It fails where the disk has no room for what is
// guaranteed to every ring.
func NewRing(path string, limit int64, budget *Budget) (*Ring, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the ring: %w", err)
	}
	ring := &Ring{file: file, budget: budget, limit: limit, capacity: min(limit, guaranteedBytes)}
	if err := allocate(file, 0, ring.capacity); err != nil {
		_ = file.Close()
		_ = os.Remove(path)
		return nil, fmt.Errorf("make room for the ring: %w", err)
	}
	return ring, nil
}

// Append keeps the bytes, at the cost of the oldest. Where the disk takes nothing, everything kept is given up instead: output must
// never stop a program, and whoever reads sees a gap.
func (r *Ring) Append(data []byte) {
	for len(data) > 0 {
		at, room := r.claim(int64(len(data)))
		if _, err := r.file.WriteAt(data[:room], at); err != nil {
			r.forget(int64(len(data)))
			return
		}
		r.mu.Lock()
		r.end += room
		r.mu.Unlock()
		data = data[room:]
	}
}

// claim answers where in the file the next bytes go and how many of `wanted` fit there, and gives up what they overwrite. Only the
// goroutine that appends changes what it reads here without the lock.
func (r *Ring) claim(wanted int64) (at, room int64) {
	var growth int64
	full := r.end-r.lap == r.capacity
	if full {
		growth = r.grow()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.capacity += growth
	if full && growth == 0 {
		r.lap = r.end
	}
	at = r.end - r.lap
	room = min(wanted, r.capacity-at)
	r.oldest = max(r.oldest, r.end+room-r.capacity)
	return at, room
}

// grow makes the file longer and answers by how much; 0 where there is no room.
func (r *Ring) grow() int64 {
	step := min(guaranteedBytes, r.limit-r.capacity)
	if step <= 0 || !r.budget.Take(step) {
		return 0
	}
	if err := allocate(r.file, r.capacity, step); err != nil {
		r.budget.Give(step)
		return 0
	}
	return step
}

// forget gives up all that is kept, and the bytes that come next.
func (r *Ring) forget(lost int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end += lost
	r.oldest, r.lap = r.end, r.end
}

// Read copies what follows the offset, as much as is there in one piece; 0 bytes at the end. It fails with ErrGone where the offset is
// older than what is kept, also when that happened meanwhile.
func (r *Ring) Read(into []byte, offset int64) (int, error) {
	r.mu.Lock()
	if offset < r.oldest {
		r.mu.Unlock()
		return 0, ErrGone
	}
	at, run := offset-r.lap, r.end-offset
	if offset < r.lap {
		at, run = at+r.capacity, r.lap-offset
	}
	r.mu.Unlock()
	if run <= 0 {
		return 0, nil
	}
	count, err := r.file.ReadAt(into[:min(run, int64(len(into)))], at)
	if err != nil {
		return 0, fmt.Errorf("read the ring: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if offset < r.oldest {
		return 0, ErrGone
	}
	return count, nil
}

// Bounds answers the offset of the oldest byte kept and the one behind the newest.
func (r *Ring) Bounds() (oldest, end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.oldest, r.end
}

// Capacity is what the ring takes on disk, in bytes.
func (r *Ring) Capacity() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.capacity
}

// Remove deletes the file and gives its bytes back. Nobody reads or appends any more; a second call does nothing.
func (r *Ring) Remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	// Whatever is wrong with the file, there is nothing further to do about it; a new start of the helper removes what is left.
	_ = os.Remove(r.file.Name())
	_ = r.file.Close()
	r.budget.Give(max(0, r.capacity-guaranteedBytes))
	r.capacity = 0
}
