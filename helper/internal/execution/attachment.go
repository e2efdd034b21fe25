package execution

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"berth.dev/helper/internal/records"
	"berth.dev/helper/internal/server"
)

// lossSettles is how long a closed stream is given to turn out as a lost connection: the server ends the streams of a connection that it
// gives up itself (no answer to a ping) a moment before it closes it.
const lossSettles = 25 * time.Millisecond

// attachment is the request that an execution's output goes to. An execution has one at most; a later one replaces it.
type attachment struct {
	stdout, stderr *cursor
	wake           chan struct{} // one token: there is something to send
	replaced       chan struct{} // closed when another request took over
}

// attach makes a request the one that output goes to, from the offsets on.
func (e *execution) attach(at offsets) (*attachment, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dropped {
		return nil, errGone
	}
	a := &attachment{wake: make(chan struct{}, 1), replaced: make(chan struct{})}
	var err error
	if a.stdout, a.stderr, err = openBoth(e.stdout, e.stderr, at); err != nil {
		return nil, err
	}
	if e.attached != nil {
		close(e.attached.replaced)
	}
	if e.lost != nil {
		e.lost.Stop()
		e.lost = nil
	}
	e.attached = a
	return a, nil
}

// detach says that a request is over; connectionLost keeps the execution running for a while, any other reason of the client's ends it.
func (e *execution) detach(a *attachment, why endKind) {
	if why == cancelled {
		// Also where another request has taken over since: the reset came first.
		e.requestStop(cancelled)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.attached != a {
		return
	}
	e.attached = nil
	if e.dropped {
		e.releaseTapes()
	}
	if why == connectionLost && !e.hasEnded() {
		e.lost = time.AfterFunc(e.lostAfter, func() { e.requestStop(connectionLost) })
	}
}

// drop gives the output's memory back, at once or when the request that reads it is over.
func (e *execution) drop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dropped = true
	if e.attached == nil {
		e.releaseTapes()
	}
}

func (e *execution) releaseTapes() {
	e.stdout.release()
	e.stderr.release()
}

func (e *execution) isAttached() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attached != nil
}

// notify wakes the request that output goes to.
func (e *execution) notify() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.attached != nil {
		select {
		case e.attached.wake <- struct{}{}:
		default:
		}
	}
}

// outcome is how sending ended.
type outcome int

const (
	complete outcome = iota // the end was sent
	closed                  // the stream or its connection is gone
	replaced                // another request took over
	broken                  // what was to be sent is gone, or fits no record
)

// send writes the record stream until its end is sent or nobody reads it.
func (e *execution) send(ctx context.Context, w http.ResponseWriter, a *attachment) outcome {
	out := records.NewWriter(w)
	flush := http.NewResponseController(w).Flush
	if e.process != nil {
		if result := sendEvent(out, map[string]any{"event": "started", "pid": e.process.PID()}); result != complete {
			return result
		}
	}
	for {
		// Asked before the tapes are looked at: what was written before the end is seen then.
		over := e.hasEnded()
		sent, result := a.sendReady(w)
		if result != complete {
			return result
		}
		if sent {
			continue
		}
		if over {
			return sendEvent(out, e.result)
		}
		if flush() != nil {
			return closed
		}
		select {
		case <-a.wake:
		case <-a.replaced:
			return replaced
		case <-ctx.Done():
			return closed
		}
	}
}

// sendEvent tells an event that cannot be sent, which breaks the stream, from a stream that is gone.
func sendEvent(out *records.Writer, event any) outcome {
	err := out.Event(event)
	switch {
	case errors.Is(err, records.ErrEncode):
		return broken
	case err != nil:
		return closed
	default:
		return complete
	}
}

// sendReady sends one record of each stream that has something.
func (a *attachment) sendReady(w io.Writer) (sent bool, result outcome) {
	for _, stream := range []struct {
		kind byte
		from *cursor
	}{{records.Stdout, a.stdout}, {records.Stderr, a.stderr}} {
		if !stream.from.pending() {
			continue
		}
		if result := stream.from.sendRecord(w, stream.kind); result != complete {
			return sent, result
		}
		sent = true
	}
	return sent, complete
}

// sendRecord sends as much as one record holds. Its buffer is taken for the moment only: most executions are silent most of the time.
func (c *cursor) sendRecord(w io.Writer, kind byte) outcome {
	memory := c.tape.memory
	frame := memory.frame()
	defer memory.putFrame(frame)
	n, err := c.read(frame[records.HeaderBytes:])
	if err != nil {
		return broken
	}
	records.AppendHeader(frame[:0], kind, n)
	if _, err := w.Write(frame[:records.HeaderBytes+n]); err != nil {
		return closed
	}
	c.advance(n)
	return complete
}

// whyClosed tells a stream that the client has reset from a connection that is lost.
func whyClosed(ctx context.Context) endKind {
	lost := server.ConnectionLost(ctx)
	select {
	case <-lost:
		return connectionLost
	case <-time.After(lossSettles):
		return cancelled
	}
}
