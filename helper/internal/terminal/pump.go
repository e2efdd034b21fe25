package terminal

import (
	"errors"
	"os"
	"time"
)

const (
	// maxBehind is how far a writer may be behind before the program has to wait.
	maxBehind = 1 << 20
	// restBytes is more than the kernel's buffers of a terminal hold: what is read at most after the program's end.
	restBytes = 48 << 10
	// restIdle is how long a terminal that something else still holds open may stay silent after the program's end.
	restIdle = 50 * time.Millisecond
	// readBytes is what the pump reads at once.
	readBytes = 16 << 10
)

// past is a deadline that interrupts what waits.
var past = time.Unix(1, 0)

// pump copies what the terminal prints into the ring until its program has ended and nothing is left to read.
func (t *Terminal) pump() {
	defer t.finish()
	go t.watch()
	buffer := make([]byte, readBytes)
	for !t.exited() {
		count, err := t.master.Read(buffer)
		t.keep(buffer[:count])
		if err != nil {
			break
		}
	}
	<-t.process.Done()
	t.pumpRest(buffer)
}

func (t *Terminal) exited() bool {
	select {
	case <-t.process.Done():
		return true
	default:
		return false
	}
}

// watch waits for the program's end, and then makes the pump's read return: by letting go of the terminal, which ends the master where
// nobody else holds it, and by a deadline where somebody does.
func (t *Terminal) watch() {
	<-t.process.Done()
	_ = t.terminal.Close()
	_ = t.master.SetReadDeadline(time.Now().Add(restIdle))
	t.wakePump()
}

// pumpRest reads what is still in the kernel's buffers. Only there may it stop early: what an orphan prints is nobody's output.
func (t *Terminal) pumpRest(buffer []byte) {
	for left := restBytes; left > 0; {
		_ = t.master.SetReadDeadline(time.Now().Add(restIdle))
		count, err := t.master.Read(buffer[:min(left, len(buffer))])
		t.keep(buffer[:count])
		left -= count
		if err != nil {
			return
		}
	}
}

func (t *Terminal) keep(data []byte) {
	if len(data) == 0 {
		return
	}
	for !t.mayKeep(int64(len(data))) {
		<-t.room
	}
	t.ring.Append(data)
	t.notifyAll()
}

// mayKeep answers whether the writer is close enough for more. Once the program has ended, only the kernel's buffers are left, for which
// the ring always has room ahead of the writer: nobody waits for a slow writer to learn that it has ended.
func (t *Terminal) mayKeep(more int64) bool {
	if t.exited() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.audience.writer == nil || t.reason != "" {
		return true
	}
	_, end := t.ring.Bounds()
	return end+more-t.audience.writer.position <= min(maxBehind, t.ring.Capacity()-readBytes-restBytes)
}

// finish is the step from running to ended.
func (t *Terminal) finish() {
	t.mu.Lock()
	t.endedAt = time.Now()
	t.detachedSince = time.Time{}
	t.detachTimer.Stop()
	if t.reason == "" {
		t.reason = Exited
	}
	t.mu.Unlock()
	_ = t.master.Close()
	close(t.finished)
	t.notifyAll()
}

// write types keys to the program, as long as the attachment is the writer; whatever else it sends is dropped. It fails when the
// terminal has ended.
func (t *Terminal) write(one *attachment, keys []byte, cancelled <-chan struct{}) error {
	select {
	case t.typing <- struct{}{}:
		defer func() { <-t.typing }()
	case <-cancelled:
		return nil
	}
	for len(keys) > 0 && t.isWriter(one) {
		count, err := t.master.Write(keys)
		keys = keys[count:]
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The writer may have changed. Looking comes after this: a change from here on interrupts the next write.
			err = t.master.SetWriteDeadline(time.Time{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Terminal) isWriter(one *attachment) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.audience.writer == one
}
