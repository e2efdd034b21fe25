package process

import (
	"errors"
	"syscall"
	"time"
)

// lookUpBound is how long finding and opening a program may take. Others start meanwhile: the table's lock is not held yet.
const lookUpBound = 3 * time.Second

type lookedUp struct {
	path string
	err  error
}

// lookUpWithin finds the program and sees that it can be opened. Fork and exec run under the table's lock, so a program whose opening hangs
// (a lease, a file system that does not answer) would keep every other start and every end waiting. What hangs keeps a thread until it answers.
func lookUpWithin(spec Spec, bound time.Duration) (string, error) {
	found := make(chan lookedUp, 1)
	go func() {
		path, err := lookUp(spec)
		if err == nil {
			err = reach(spec.Argv[0], seenFrom(spec.Dir, path))
		}
		found <- lookedUp{path, err}
	}()
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case one := <-found:
		return one.path, one.err
	case <-timer.C:
		return "", notStarted(126, "%s: its file system does not answer", spec.Argv[0])
	}
}

// reach opens a program as exec will. Only a file that would have made it wait is refused; whatever else is wrong, exec says better.
func reach(name, path string) error {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return notStarted(126, "%s: another program holds a lease on it", name)
	}
	if err == nil {
		_ = syscall.Close(fd)
	}
	return nil
}
