package execution

import "sync"

const (
	// maxBehind is how far the process may be ahead of its client before it has to wait, in bytes.
	maxBehind = 256 << 10
	// maxKept is how much of what was sent is kept for a client that lost its connection, in bytes: more than the 1 MiB of flow control
	// window that a client may not have seen.
	maxKept = 1536 << 10
)

// tapeMode says what a full tape does to the process that writes it.
type tapeMode int

const (
	holding    tapeMode = iota // the process waits for its client
	draining                   // the process has ended; what its pipe holds is taken in while memory lasts
	discarding                 // nobody will read all of it: the oldest goes
)

// tape is one output stream of an execution: a window of its last bytes, written by one pump, read through one cursor at a time.
//
// mu guards everything; nothing is called with it held but the memory's own methods.
type tape struct {
	memory *memory
	mu     sync.Mutex
	room   *sync.Cond
	mode   tapeMode
	chunks [][]byte // the bytes from base to end
	base   int64
	sent   int64
	end    int64
	reader int // number of the current cursor
}

func newTape(memory *memory) *tape {
	t := &tape{memory: memory}
	t.room = sync.NewCond(&t.mu)
	return t
}

// write appends bytes, waiting while the client is too far behind.
func (t *tape) write(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.full() {
		t.room.Wait()
	}
	t.end += int64(len(data))
	for len(data) > 0 {
		last := len(t.chunks) - 1
		if last < 0 || len(t.chunks[last]) == cap(t.chunks[last]) {
			t.chunks = append(t.chunks, t.memory.take(max(len(data), int(min(t.end/2, chunkBytes)))))
			last++
		}
		chunk := t.chunks[last]
		n := min(len(data), cap(chunk)-len(chunk))
		t.chunks[last] = append(chunk, data[:n]...)
		data = data[n:]
	}
	t.trim()
}

func (t *tape) full() bool {
	switch t.mode {
	case discarding:
		return false
	case draining:
		return t.end-t.sent > maxBehind && t.memory.short()
	default:
		return t.end-t.sent > maxBehind
	}
}

// trim drops the oldest chunks: those that were sent and are beyond the window or in the way of others, and unsent ones only where nobody will read them.
func (t *tape) trim() {
	for len(t.chunks) > 0 {
		after := t.base + int64(len(t.chunks[0]))
		sentEnough := after <= t.sent && (t.sent-after >= maxKept || t.memory.short())
		if !sentEnough && (t.mode != discarding || t.end-after < maxKept) {
			return
		}
		t.memory.give(t.chunks[0])
		t.chunks[0] = nil
		t.chunks = t.chunks[1:]
		t.base = after
	}
}

// setMode lets a waiting process go on.
func (t *tape) setMode(mode tapeMode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mode = max(t.mode, mode)
	t.trim()
	t.room.Broadcast()
}

// release gives all memory back; whoever reads afterwards finds the bytes gone.
func (t *tape) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, chunk := range t.chunks {
		t.memory.give(chunk)
	}
	t.chunks, t.base, t.mode = nil, t.end, discarding
	t.room.Broadcast()
}

// written is how many bytes there have been.
func (t *tape) written() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end
}

// kept is how much memory it holds, in bytes.
func (t *tape) kept() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var total int64
	for _, chunk := range t.chunks {
		total += int64(cap(chunk))
	}
	return total
}

// cursor reads a tape from an offset on. Opening another makes this one read-only for good: it no longer tells what was sent.
type cursor struct {
	tape   *tape
	number int
	at     int64
}

// open starts reading at an offset. errGone where its bytes are no longer kept, errAhead where they were never written.
func (t *tape) open(offset int64) (*cursor, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.check(offset); err != nil {
		return nil, err
	}
	return t.take(offset), nil
}

// openBoth opens both tapes of an execution or neither: a request that is refused takes no cursor from the one that is being served.
func openBoth(stdout, stderr *tape, at offsets) (*cursor, *cursor, error) {
	stdout.mu.Lock()
	defer stdout.mu.Unlock()
	stderr.mu.Lock()
	defer stderr.mu.Unlock()
	if err := stdout.check(at.stdout); err != nil {
		return nil, nil, err
	}
	if err := stderr.check(at.stderr); err != nil {
		return nil, nil, err
	}
	return stdout.take(at.stdout), stderr.take(at.stderr), nil
}

// check says whether reading may begin at an offset. Call with mu held.
func (t *tape) check(offset int64) error {
	if offset < t.base {
		return errGone
	}
	if offset > t.end {
		return errAhead
	}
	return nil
}

// take makes the tape's new cursor. Call with mu held.
func (t *tape) take(offset int64) *cursor {
	t.reader++
	t.sent = offset
	return &cursor{tape: t, number: t.reader, at: offset}
}

// pending says whether there is something to read.
func (c *cursor) pending() bool {
	c.tape.mu.Lock()
	defer c.tape.mu.Unlock()
	return c.at < c.tape.end
}

// read copies what there is now, without waiting. errGone where it was dropped meanwhile.
func (c *cursor) read(into []byte) (int, error) {
	t := c.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.at == t.end {
		return 0, nil
	}
	if c.at < t.base {
		return 0, errGone
	}
	// The reader is near the end nearly always, so the search begins there.
	index, start := len(t.chunks), t.end
	for start > c.at {
		index--
		start -= int64(len(t.chunks[index]))
	}
	copied, skip := 0, int(c.at-start)
	for ; index < len(t.chunks) && copied < len(into); index++ {
		copied += copy(into[copied:], t.chunks[index][skip:])
		skip = 0
	}
	return copied, nil
}

// advance says that bytes were sent, which lets the process go on.
func (c *cursor) advance(n int) {
	t := c.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	c.at += int64(n)
	if c.number == t.reader {
		t.sent = c.at
		t.trim()
		t.room.Signal()
	}
}
