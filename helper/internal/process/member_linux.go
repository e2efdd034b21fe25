package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// isStill says whether the process that was found is still there, in the same group: its number may have been given anew.
func (m member) isStill() bool {
	var buffer [1024]byte
	now, ok := parseStat(m.pid, readProc(m.pid, "stat", buffer[:]))
	return ok && now.start == m.start && now.pgrp == m.pgrp
}

// signal reaches the process that was found or nobody, os.ErrProcessDone: the descriptor is taken before the look, so it is of the process
// looked at, whatever its number means by then. A kernel without pidfd_open(2) leaves the moment between look and signal.
func (m member) signal(sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(m.pid, 0)
	if err == nil {
		defer func() { _ = unix.Close(fd) }()
	}
	if !m.isStill() {
		return os.ErrProcessDone
	}
	if err == nil {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
	switch err {
	case nil:
		return nil
	case unix.ESRCH:
		return os.ErrProcessDone
	default:
		return syscall.Kill(m.pid, sig)
	}
}
