package execution

import "time"

const (
	paceWindow = 10 * time.Millisecond
	// paceBytes within a window make a stream a busy one: 6 MB/s, which nobody reads along.
	paceBytes = 64 << 10
	// paceRest lets a busy pipe fill up. A program that writes 8 KiB at a time would otherwise cost a wake-up, a record and a frame for
	// each of them: three times the processor time, and a third of the rate.
	paceRest = 150 * time.Microsecond
)

// pace notices streams that carry much in small pieces. What a person or a program waits for is never delayed.
type pace struct {
	began       time.Time
	bytes, last int // in this window and in the one before
}

// rest says how long to wait before the next read, given what the last one brought.
func (p *pace) rest(n int, now time.Time) time.Duration {
	if age := now.Sub(p.began); age > paceWindow {
		p.last = 0
		if age < 2*paceWindow {
			p.last = p.bytes
		}
		p.began, p.bytes = now, 0
	}
	p.bytes += n
	if n < chunkBytes/2 && max(p.bytes, p.last) > paceBytes {
		return paceRest
	}
	return 0
}
