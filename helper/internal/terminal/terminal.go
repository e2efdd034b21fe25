// Package terminal holds the terminals of a session: what runs in them survives every connection, and so does what they printed.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"berth.dev/helper/internal/process"
	"berth.dev/helper/internal/tty"
)

// Reason says why a terminal ended.
type Reason string

const (
	// Exited: its program ended by itself.
	Exited Reason = "exited"
	// Ended: somebody asked for it.
	Ended Reason = "ended"
	// DetachedTooLong: nobody had been attached for too long.
	DetachedTooLong Reason = "detached_too_long"
)

// endGrace is what a program has between TERM and KILL.
const endGrace = 2 * time.Second

const hangUpEvery = 50 * time.Millisecond

var (
	// ErrEnded says that there is nothing left to act on.
	ErrEnded = errors.New("the terminal has ended")
	// ErrNotWriter says that only the attachment that writes may do this.
	ErrNotWriter = errors.New("only the client that writes may do this")
	// ErrNotAttached says that the client has no stream to become the writer.
	ErrNotAttached = errors.New("the client is not attached")
	// ErrBeyondEnd says that bytes were asked for that do not exist yet.
	ErrBeyondEnd = errors.New("since is beyond the end of the output")
	// ErrTooManyAttached says that the terminal, or all of them together, have as many streams as they may.
	ErrTooManyAttached = fmt.Errorf("at most %d streams are attached to one terminal and %d to all", maxAttached, maxAttachedToAll)
)

// Terminal is one pseudo-terminal, the program in it and who is attached.
//
// It runs, then it has ended; it never goes back. While it runs it is attached or detached, and, if its writer is slow, paused: the pump
// then holds back what it has read and reads no further, so that the program blocks.
//
// Locks: `mu` guards the fields below it and the positions of the attachments, and is never held during anything that may wait. The ring
// has a lock of its own, taken inside `mu` or alone. `typing` is held while keys are written, which may take as long as the program takes
// to read them; whoever changes the writer interrupts that write after the change, and the write looks who writes before it goes on.
// Goroutines: the pump, one per attachment for each direction, and one that waits for the program's end.
type Terminal struct {
	id            string
	process       *process.Process
	master        *os.File
	terminal      *os.File // kept open until the program has ended: the master must not fail before
	ring          *Ring
	detachedAfter time.Duration
	activity      func()
	streams       *atomic.Int64 // members of the audiences of all terminals
	typing        chan struct{} // capacity 1
	room          chan struct{} // capacity 1: wakes the pump where the writer has made progress
	finished      chan struct{} // closed when it has ended

	mu            sync.Mutex
	audience      audience
	cols, rows    int
	detachedSince time.Time // zero: somebody is attached, or it has ended
	detachTimer   *time.Timer
	reason        Reason // "" until something ends it
	endedAt       time.Time
}

// begin starts what a new terminal needs; from here on it ends by itself.
func (t *Terminal) begin() {
	t.mu.Lock()
	t.detach()
	t.mu.Unlock()
	go t.pump()
}

// attach adds a stream from an offset on (nil: the oldest byte kept). ErrBeyondEnd where the offset does not exist yet, ErrTooManyAttached.
func (t *Terminal) attach(client string, wanted Mode, since *int64, cut func()) (*attachment, error) {
	t.mu.Lock()
	oldest, end := t.ring.Bounds()
	from := oldest
	if since != nil {
		from = *since
	}
	if from > end {
		t.mu.Unlock()
		return nil, fmt.Errorf("%w: %d", ErrBeyondEnd, end)
	}
	if !t.admits(client, wanted) {
		t.mu.Unlock()
		return nil, ErrTooManyAttached
	}
	one := newAttachment(client, from, cut)
	replaced := t.audience.join(one, wanted)
	t.streams.Add(-int64(len(replaced)))
	t.detachedSince = time.Time{}
	t.detachTimer.Stop()
	t.mu.Unlock()
	for _, ghost := range replaced {
		ghost.cut()
	}
	t.roleChanged()
	return one, nil
}

// admits takes a place for one more stream where there is one, besides those of the ghosts that it replaces. `mu` is held.
func (t *Terminal) admits(client string, wanted Mode) bool {
	ghosts := len(t.audience.ghosts(client, wanted))
	if len(t.audience.members)-ghosts >= maxAttached {
		return false
	}
	if t.streams.Add(1)-int64(ghosts) > maxAttachedToAll {
		t.streams.Add(-1)
		return false
	}
	return true
}

// leave removes a stream. Nobody becomes the writer by it.
func (t *Terminal) leave(one *attachment) {
	t.mu.Lock()
	if t.audience.leave(one) {
		t.streams.Add(-1)
	}
	if len(t.audience.members) == 0 && t.endedAt.IsZero() {
		t.detach()
	}
	t.mu.Unlock()
	t.roleChanged()
}

// detach starts the clock of a terminal that nobody watches. `mu` is held.
func (t *Terminal) detach() {
	if !t.detachedSince.IsZero() {
		return
	}
	since := time.Now()
	t.detachedSince = since
	t.detachTimer = time.AfterFunc(t.detachedAfter, func() {
		t.mu.Lock()
		over := t.detachedSince.Equal(since)
		t.mu.Unlock()
		if over {
			t.end(context.Background(), DetachedTooLong)
		}
	})
}

func (t *Terminal) takeOver(client string) error {
	t.mu.Lock()
	found, over := t.audience.takeOver(client), !t.endedAt.IsZero()
	t.mu.Unlock()
	if over {
		return ErrEnded
	}
	if !found {
		return ErrNotAttached
	}
	t.roleChanged()
	return nil
}

// roleChanged lets everybody look again who writes: the pump, the streams and a write of keys that waits for the program.
func (t *Terminal) roleChanged() {
	t.wakePump()
	t.notifyAll()
	// On a master that is closed already there is nothing to interrupt.
	_ = t.master.SetWriteDeadline(past)
}

func (t *Terminal) wakePump() {
	select {
	case t.room <- struct{}{}:
	default:
	}
}

func (t *Terminal) notifyAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.audience.members {
		one.notify()
	}
}

// resize is the writer's alone.
func (t *Terminal) resize(client string, cols, rows int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.endedAt.IsZero() {
		return ErrEnded
	}
	if t.audience.writer == nil || t.audience.writer.client != client {
		return ErrNotWriter
	}
	if err := tty.Resize(t.master, cols, rows); err != nil {
		return fmt.Errorf("resize the terminal: %w", err)
	}
	t.cols, t.rows = cols, rows
	return nil
}

// signal goes to the process group that reads the keyboard, or to the program's own where there is none.
func (t *Terminal) signal(sig syscall.Signal) error {
	select {
	case <-t.finished:
		return ErrEnded
	default:
	}
	group, err := tty.ForegroundGroup(t.master)
	// 1 would be everybody, and 0 the helper's own.
	if err == nil && group > 1 {
		err = syscall.Kill(-group, sig)
	}
	if err != nil || group <= 1 {
		err = t.process.Signal(sig)
	}
	if errors.Is(err, os.ErrProcessDone) {
		return ErrEnded
	}
	return err
}

// end ends the program with all its descendants and returns when the terminal has ended, or with the context.
func (t *Terminal) end(ctx context.Context, reason Reason) {
	t.mu.Lock()
	select {
	case <-t.process.Done():
	default:
		if t.reason == "" {
			t.reason = reason
		}
	}
	t.mu.Unlock()
	t.wakePump()
	go t.hangUp()
	t.process.End(ctx, endGrace)
	select {
	case <-t.finished:
	case <-ctx.Done():
	}
}

// hangUp sends what a terminal that is closed sends: an interactive shell ignores TERM, and would keep everybody waiting for the KILL.
// Once is not always enough: bash that is about to read when the signal comes notices it only with the next one.
func (t *Terminal) hangUp() {
	ticker := time.NewTicker(hangUpEvery)
	defer ticker.Stop()
	// It may have ended by now, which is what is wanted.
	for t.process.Signal(syscall.SIGHUP) == nil {
		select {
		case <-ticker.C:
		case <-t.process.Done():
			return
		}
	}
}

// cutAll ends every stream, without an end of the output.
func (t *Terminal) cutAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.audience.members {
		one.cut()
	}
}

func (t *Terminal) attached() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.audience.members) > 0
}
