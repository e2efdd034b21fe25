// Package process starts, watches, signals and ends processes. It is the helper's only user of fork and wait: PID 1 inherits
// every orphan of the container, so one loop reaps them all and hands each status to whom it belongs.
package process

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"
)

// Spec is what to start.
type Spec struct {
	Argv []string // looked up in the PATH of Env
	Dir  string   // "" is the helper's own working directory
	Env  []string // the whole environment, "NAME=value"
	// Nil is /dev/null. The caller closes them in the helper after Start.
	Stdin, Stdout, Stderr *os.File
	Terminal              bool // the controlling terminal of the new session is Stdin
}

// Status is how a process ended.
type Status struct {
	ExitCode  int            // 128 + signal where a signal ended it
	Signal    syscall.Signal // 0 where it ended by itself
	OOMKilled bool           // the kernel (or the embedded cluster) killed it for its memory
}

// maxMessageBytes bounds what is said of a start: names in it are as long as the caller made them, and it must fit one record.
const maxMessageBytes = 1000

// StartError says that a program cannot be run, with the exit code that a shell gives.
type StartError struct {
	ExitCode int // 127: does not exist; 126: cannot be run
	Message  string
}

// notStarted makes a StartError whose message is cut, at a rune, where it is too long.
func notStarted(exitCode int, format string, values ...any) *StartError {
	message := fmt.Sprintf(format, values...)
	if len(message) > maxMessageBytes {
		end := maxMessageBytes
		for end > maxMessageBytes-utf8.UTFMax && !utf8.RuneStart(message[end]) {
			end--
		}
		message = message[:end]
	}
	return &StartError{ExitCode: exitCode, Message: message}
}

func (e *StartError) Error() string { return e.Message }

// Process is one started program. It leads a session and a process group of its own.
type Process struct {
	table     *Table
	pid       int
	tag       uint64
	oomBefore uint64
	ending    atomic.Bool // End has sent KILL: a death by KILL needs no other explanation
	done      chan struct{}
	status    Status
}

// PID is the process's id; the id of its process group and session too.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Status is how it ended; meaningful after Done.
func (p *Process) Status() Status {
	select {
	case <-p.done:
		return p.status
	default:
		return Status{}
	}
}

// Signal sends a signal to the process group. os.ErrProcessDone where nothing of the group is left.
func (p *Process) Signal(sig syscall.Signal) error {
	if alive, err := p.signalLeader(sig); alive {
		return err
	}
	// The leader's id may belong to somebody else by now, so only members that are known to be ours are signalled.
	sent := false
	for _, member := range p.matcher().scan() {
		if member.pgrp == p.pid {
			sent = member.signal(sig) == nil || sent
		}
	}
	if !sent {
		return os.ErrProcessDone
	}
	return nil
}

// signalLeader signals the group while its leader has not been reaped, which keeps the group's id from being reused.
func (p *Process) signalLeader(sig syscall.Signal) (alive bool, err error) {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.table.live[p.pid] != p {
		return false, nil
	}
	if err := syscall.Kill(-p.pid, sig); err != nil {
		return true, fmt.Errorf("signal process group %d: %w", p.pid, err)
	}
	return true, nil
}

// oomLag is how long the kernel's count may lag behind the death that it counts.
const oomLag = 100 * time.Millisecond

// finish records the status; the reaper's loop never waits for it.
func (p *Process) finish(wait syscall.WaitStatus) {
	status := Status{ExitCode: wait.ExitStatus()}
	if wait.Signaled() {
		status.Signal = wait.Signal()
		status.ExitCode = 128 + int(status.Signal)
	}
	if status.ExitCode != 128+int(syscall.SIGKILL) {
		p.close(status)
		return
	}
	go func() {
		status.OOMKilled = p.oomKilled()
		p.close(status)
	}()
}

func (p *Process) close(status Status) {
	p.status = status
	close(p.done)
}

// oomKilled tells a death by KILL (or a shell's 137 for its child's) by the count of OOM kills of the container: it rose meanwhile.
func (p *Process) oomKilled() bool {
	deadline := time.Now().Add(oomLag)
	for {
		if count, _ := p.table.OOMKills(); count > p.oomBefore {
			return true
		}
		if p.ending.Load() || time.Now().After(deadline) {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
}
