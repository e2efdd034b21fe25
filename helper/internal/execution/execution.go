// Package execution runs commands whose output is streamed to the request that asked for them, and survives the loss of its connection.
package execution

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"berth.dev/helper/internal/process"
)

var (
	errGone         = errors.New("these bytes are no longer kept")
	errAhead        = errors.New("these bytes were never written")
	errSpecTooLarge = fmt.Errorf("the spec is longer than %d bytes", maxSpecBytes)
)

// endKind is the protocol's word for why an execution ended.
type endKind string

const (
	exited         endKind = "exited"
	signaled       endKind = "signaled"
	timedOut       endKind = "timed_out"
	cancelled      endKind = "cancelled"
	oomKilled      endKind = "oom_killed"
	outputLimit    endKind = "output_limit"
	connectionLost endKind = "connection_lost"
)

const (
	// killGrace is the time between TERM and KILL.
	killGrace = 2 * time.Second
	// endBound is when an execution counts as ended whatever is left of it: its client hears of a limit within 3 s.
	endBound = 2500 * time.Millisecond
)

// endEvent is the last record of an execution.
type endEvent struct {
	Event       string  `json:"event"`
	End         endKind `json:"end"`
	ExitCode    int     `json:"exit_code"`
	Signal      *string `json:"signal"`
	DurationMS  int64   `json:"duration_ms"`
	StdoutBytes int64   `json:"stdout_bytes"`
	StderrBytes int64   `json:"stderr_bytes"`
	Message     *string `json:"message"`
}

// execution is one command and what is kept of it.
//
// States: begun (started is open) -> running -> ended. stop asks a running one to end; the first reason counts. mu guards the attachment.
type execution struct {
	id             string
	lostAfter      time.Duration
	stdout, stderr *tape
	began          time.Time

	started  chan struct{} // closed when process, input and failure are set
	process  *process.Process
	input    *input // nil: no standard input
	startErr error  // set where the helper, not the program, is at fault

	stop    chan endKind // one reason waits here
	limited atomic.Bool
	ended   chan struct{} // closed when result is set
	result  endEvent

	mu       sync.Mutex
	attached *attachment
	dropped  bool
	lost     *time.Timer
}

func newExecution(id string, memory *memory, lostAfter time.Duration) *execution {
	return &execution{
		id: id, lostAfter: lostAfter, stdout: newTape(memory), stderr: newTape(memory), began: time.Now(),
		started: make(chan struct{}), stop: make(chan endKind, 1), ended: make(chan struct{}),
	}
}

// requestStop asks a running execution to end; it is enough to be the first.
func (e *execution) requestStop(reason endKind) {
	select {
	case e.stop <- reason:
	default:
	}
}

func (e *execution) passLimit() {
	e.limited.Store(true)
	e.requestStop(outputLimit)
}

// supervise waits for the process, ends it where it must, and sets the result when all output is on the tapes.
func (e *execution) supervise(timeout time.Duration, pumps []*pump) {
	if timeout > 0 {
		timer := time.AfterFunc(timeout, func() { e.requestStop(timedOut) })
		defer timer.Stop()
	}
	var group sync.WaitGroup
	for _, p := range pumps {
		group.Add(1)
		p.settled = group.Done
		go p.run()
	}
	drained := make(chan struct{})
	go func() {
		group.Wait()
		close(drained)
	}()
	var reason endKind
	select {
	case <-e.process.Done():
	case reason = <-e.stop:
		e.stopTapes(reason)
		if e.isReaped() {
			reason = ""
		} else {
			e.kill()
		}
	}
	duration := time.Since(e.began)
	if e.input != nil {
		e.input.close()
	}
	e.drain(pumps, drained, reason)
	e.finish(e.judge(reason, duration))
}

// isReaped says that the process has ended and its status is known.
func (e *execution) isReaped() bool {
	select {
	case <-e.process.Done():
		return true
	default:
		return false
	}
}

// kill ends the tree and waits for it, no longer than endBound.
func (e *execution) kill() {
	gone := make(chan struct{})
	go func() {
		e.process.End(context.Background(), killGrace)
		<-e.process.Done()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(endBound):
	}
}

// drain takes in what the pipes still hold. Only a client that stands still while memory is short makes it wait, until the client goes.
// After a reason of ours nobody is given time for last words.
func (e *execution) drain(pumps []*pump, drained <-chan struct{}, reason endKind) {
	deadline := time.Now()
	if reason == "" {
		deadline = deadline.Add(eofWait)
	}
	for _, p := range pumps {
		p.tape.setMode(draining)
		_ = p.pipe.SetReadDeadline(deadline)
	}
	for {
		select {
		case <-drained:
			return
		case reason := <-e.stop:
			e.stopTapes(reason)
		}
	}
}

// stopTapes keeps a process that is being ended from waiting for a client that is not there.
func (e *execution) stopTapes(reason endKind) {
	if reason == cancelled || reason == connectionLost {
		e.stdout.setMode(discarding)
		e.stderr.setMode(discarding)
	}
}

// judge says how it ended. A reason of ours counts before what the process made of it.
func (e *execution) judge(reason endKind, duration time.Duration) endEvent {
	status := process.Status{ExitCode: 128 + int(syscall.SIGKILL), Signal: syscall.SIGKILL}
	if e.isReaped() {
		status = e.process.Status()
	}
	event := endEvent{ExitCode: status.ExitCode, DurationMS: duration.Milliseconds()}
	if status.Signal != 0 {
		name := process.SignalName(status.Signal)
		event.Signal = &name
	}
	switch {
	case reason != "":
		event.End = reason
	case e.limited.Load():
		event.End = outputLimit
	case status.OOMKilled:
		event.End = oomKilled
	case status.Signal != 0:
		event.End = signaled
	default:
		event.End = exited
	}
	return event
}

func (e *execution) finish(event endEvent) {
	event.Event = "end"
	event.StdoutBytes, event.StderrBytes = e.stdout.written(), e.stderr.written()
	e.result = event
	close(e.ended)
	e.notify()
}

func (e *execution) hasEnded() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}
