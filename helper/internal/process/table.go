package process

import (
	"errors"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

// ErrClosed is the error of Start once EndAll was called.
var ErrClosed = errors.New("the helper is ending")

// Table is the helper's process table. One per operating system process: it alone calls wait4.
type Table struct {
	oom     *oomCounter
	tags    *tagger
	signals chan os.Signal
	stopped chan struct{}

	// mu is held across fork and registration and across wait4 and look-up, so that no status is missed and no id is stale.
	mu     sync.Mutex
	live   map[int]*Process
	closed bool
}

// Option changes a new table.
type Option func(*Table)

// WithOOMFile names a file that holds a decimal count of OOM kills, for clusters that have no cgroup of their own.
func WithOOMFile(path string) Option {
	return func(t *Table) { t.oom.file = path }
}

// NewTable makes this process the reaper of its descendants.
func NewTable(options ...Option) *Table {
	t := &Table{
		oom:     newOOMCounter(),
		tags:    newTagger(),
		signals: make(chan os.Signal, 1),
		stopped: make(chan struct{}),
		live:    map[int]*Process{},
	}
	for _, option := range options {
		option(t)
	}
	becomeSubreaper()
	signal.Notify(t.signals, syscall.SIGCHLD)
	go t.reap()
	return t
}

// Close stops reaping. Only tests need it.
func (t *Table) Close() {
	signal.Stop(t.signals)
	close(t.stopped)
}

// OOMKills is the number of OOM kills in this container so far; not counted where nothing tells.
func (t *Table) OOMKills() (count uint64, counted bool) { return t.oom.read() }

// Start runs a program. *StartError where it cannot be run, ErrClosed after EndAll.
func (t *Table) Start(spec Spec) (*Process, error) {
	path, err := lookUpWithin(spec, lookUpBound)
	if err != nil {
		return nil, err
	}
	files, closeFiles, err := standardFiles(spec)
	if err != nil {
		return nil, err
	}
	defer closeFiles()
	oomBefore, _ := t.OOMKills()

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	tag := t.tags.next()
	attributes := &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   withTag(spec.Env, tag),
		Files: files,
		// A session of its own: no command shares a terminal, a group or a signal with the helper or with another command.
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: spec.Terminal, Ctty: 0},
	}
	t.tags.set(tag)
	pid, err := syscall.ForkExec(path, spec.Argv, attributes)
	t.tags.reset()
	if err != nil {
		return nil, startError(spec.Argv[0], path, err)
	}
	p := &Process{table: t, pid: pid, tag: tag, oomBefore: oomBefore, done: make(chan struct{})}
	t.live[pid] = p
	preferForOOM(pid)
	return p, nil
}

// reap waits for every child there is, ours and inherited ones.
func (t *Table) reap() {
	for {
		select {
		case <-t.signals:
			t.reapDead()
		case <-t.stopped:
			return
		}
	}
}

// reapDead leaves no zombie. Also called where a tree has just been ended: its end is told only when nothing of it is left in /proc.
func (t *Table) reapDead() {
	for t.reapOne() {
	}
}

func (t *Table) reapOne() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if errors.Is(err, syscall.EINTR) {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if p := t.live[pid]; p != nil {
		delete(t.live, pid)
		p.finish(status)
	}
	return true
}

// standardFiles are the child's 0, 1 and 2. A child must not inherit a description in non-blocking mode, which Go sets for its own reads.
func standardFiles(spec Spec) (files []uintptr, closeFiles func(), err error) {
	var null *os.File
	closeFiles = func() {
		if null != nil {
			_ = null.Close()
		}
	}
	for _, file := range []*os.File{spec.Stdin, spec.Stdout, spec.Stderr} {
		if file == nil {
			if null == nil {
				if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
					return nil, nil, notStarted(126, "%v", err)
				}
			}
			file = null
		}
		fd := file.Fd()
		_ = syscall.SetNonblock(int(fd), false)
		files = append(files, fd)
	}
	return files, closeFiles, nil
}

// preferForOOM makes the kernel choose a command before the helper. Where it is refused the kernel chooses by size, which serves too.
func preferForOOM(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("1000"), 0)
}
