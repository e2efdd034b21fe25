// Package job runs commands detached: their output lies in files, their result survives a restart of the container.
package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"berth.dev/helper/internal/process"
)

const (
	// endGrace is what a job has between TERM and KILL.
	endGrace = 2 * time.Second
	// eofWait is how long a pipe may stay open after the process has ended, for a child that still writes its last words.
	eofWait = 200 * time.Millisecond
	// endBound is how long a result waits for the end of what is being ended: with eofWait, it is there within 3 s.
	endBound = endGrace + 750*time.Millisecond
)

var noDeadline time.Time

// errEnded says that there is nothing left to act on.
var errEnded = errors.New("the job has ended")

// job is one command and its folder.
//
// It runs, then it has ended; it never goes back. `stop` gives it a reason to end, the first counts; `supervise` alone makes the step
// from one state to the other. `mu` guards the fields below it and is never held during I/O.
type job struct {
	folder         folder
	stdout, stderr *spool
	process        *process.Process // nil: it was never started by this helper
	changed        bell             // rings when there is more output, and at the end
	ended          chan struct{}

	stopped chan struct{} // closed when nothing is left of what we had to end, or endBound later

	mu      sync.Mutex
	status  Status
	over    bool   // it has ended by itself, or its end was waited for: no cause comes any more
	cause   End    // what we end it for; "" for nothing
	refusal string // why output was left out; "" for none was
}

// launch starts the program between its pipes. What it answers is the caller's to supervise.
func (j *job) launch(table *process.Table, wanted spec) ([]*pump, *os.File, error) {
	var theirs, ours []*os.File
	defer func() { closeAll(theirs) }()
	pipe := func() (reading, writing *os.File, err error) {
		if reading, writing, err = os.Pipe(); err != nil {
			closeAll(ours)
			return nil, nil, fmt.Errorf("make a pipe: %w", err)
		}
		return reading, writing, nil
	}
	start := process.Spec{Argv: wanted.argv, Dir: wanted.cwd, Env: process.MergeEnv(table.BaseEnv(), wanted.env)}
	var pumps []*pump
	for _, output := range []struct {
		spool *spool
		child **os.File
	}{{j.stdout, &start.Stdout}, {j.stderr, &start.Stderr}} {
		reading, writing, err := pipe()
		if err != nil {
			return nil, nil, err
		}
		*output.child = writing
		theirs, ours = append(theirs, writing), append(ours, reading)
		pumps = append(pumps, &pump{pipe: reading, spool: output.spool, changed: j.changed.ring, refused: j.refuse, settled: make(chan struct{})})
	}
	var input *os.File
	if len(wanted.stdin) > 0 {
		reading, writing, err := pipe()
		if err != nil {
			return nil, nil, err
		}
		start.Stdin, input = reading, writing
		theirs, ours = append(theirs, reading), append(ours, writing)
	}
	started, err := table.Start(start)
	if err != nil {
		closeAll(ours)
		return nil, nil, err
	}
	j.process = started
	return pumps, input, nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}

// supervise carries a started job to its end.
func (j *job) supervise(wanted spec, pumps []*pump, input *os.File) {
	if wanted.deadline > 0 {
		timer := time.AfterFunc(wanted.deadline, func() { j.stop(context.Background(), Deadline) })
		defer timer.Stop()
	}
	if input != nil {
		go func() {
			// A program need not read its input.
			_, _ = input.Write(wanted.stdin)
			_ = input.Close()
		}()
		defer input.Close()
	}
	for _, one := range pumps {
		go one.run()
	}
	how := j.awaitEnd()
	for _, one := range pumps {
		_ = one.pipe.SetReadDeadline(time.Now().Add(eofWait))
	}
	for _, one := range pumps {
		<-one.settled
	}
	j.finish(how)
}

// awaitEnd answers how the process ended, with nothing left of what we had to end, or endBound after we began to.
func (j *job) awaitEnd() process.Status {
	select {
	case <-j.process.Done():
	case <-j.stopped:
	}
	j.mu.Lock()
	j.over = true
	stopping := j.cause != ""
	j.mu.Unlock()
	if stopping {
		<-j.stopped
	}
	select {
	case <-j.process.Done():
		return j.process.Status()
	default:
		// It sleeps where no signal wakes it (a dead disk or network): for everybody else it has ended.
		return process.Status{ExitCode: 128 + int(syscall.SIGKILL), Signal: syscall.SIGKILL}
	}
}

// stop ends the job with all its descendants, for the first reason given, and returns at once.
func (j *job) stop(ctx context.Context, cause End) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over || j.cause != "" {
		return
	}
	j.cause = cause
	over := make(chan struct{})
	go func() {
		defer close(over)
		j.process.End(ctx, endGrace)
	}()
	go func() {
		defer close(j.stopped)
		bound := time.NewTimer(endBound)
		defer bound.Stop()
		select {
		case <-over:
		case <-bound.C:
		}
	}()
}

// refuse notes that output was left out: nothing that comes after it would be what was printed.
func (j *job) refuse(why string) {
	j.mu.Lock()
	if j.refusal == "" {
		j.refusal = why
	}
	j.mu.Unlock()
	j.stop(context.Background(), OutputLimit)
}

// finish is the step from running to ended. The result is on the disk before anybody hears of it.
func (j *job) finish(how process.Status) {
	j.mu.Lock()
	cause, message := j.cause, j.refusal
	if cause == "" && message != "" {
		cause = OutputLimit
	}
	final := j.status
	j.mu.Unlock()
	j.conclude(final.endWith(cause, how, message, time.Now()))
}

// conclude makes a status the last one.
func (j *job) conclude(final Status) {
	j.stdout.close()
	j.stderr.close()
	final.StdoutBytes, final.StderrBytes = j.stdout.bytes(), j.stderr.bytes()
	if err := j.folder.write("result.json", final); err != nil {
		final.note("the result does not survive a restart: " + err.Error())
	}
	j.mu.Lock()
	j.status = final
	j.mu.Unlock()
	close(j.ended)
	j.changed.ring()
}

func (j *job) hasEnded() bool {
	select {
	case <-j.ended:
		return true
	default:
		return false
	}
}

// current is the job's status with what it has printed so far.
func (j *job) current() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.status
	now.StdoutBytes, now.StderrBytes = j.stdout.bytes(), j.stderr.bytes()
	return now
}

func (j *job) signal(number syscall.Signal) error {
	if j.process == nil || j.hasEnded() {
		return errEnded
	}
	err := j.process.Signal(number)
	if errors.Is(err, os.ErrProcessDone) {
		return errEnded
	}
	return err
}
