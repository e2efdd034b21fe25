// Package tty makes pseudo-terminals, and is the subcommand that runs one program in one.
package tty

import (
	"fmt"
	"os"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// Open makes a pseudo-terminal. Reads and writes of the master obey deadlines and end when it is closed; the terminal itself blocks, as
// programs expect of their input. Both are the caller's to close.
func Open() (master, terminal *os.File, err error) {
	// The package leaves the master in blocking mode, where Close waits for a Read that never returns. Going on with a copy of the
	// descriptor puts it under Go's poller.
	blocking, terminal, err := pty.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	defer blocking.Close()
	master, err = pollable(blocking)
	if err == nil {
		err = syscall.SetNonblock(int(terminal.Fd()), false)
	}
	if err != nil {
		_ = terminal.Close()
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	return master, terminal, nil
}

func pollable(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// Resize sets the size; the foreground process group gets WINCH where it changed.
func Resize(master *os.File, cols, rows int) error {
	size := &unix.Winsize{Col: uint16(cols), Row: uint16(rows)}
	return control(master, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) })
}

// ForegroundGroup answers the process group that reads the keyboard; 0 where there is none.
func ForegroundGroup(master *os.File) (int, error) {
	var group int
	err := control(master, func(fd int) error {
		var err error
		group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return group, err
}

// control runs a call on the descriptor without taking it from the poller, as Fd would.
func control(file *os.File, call func(fd int) error) error {
	connection, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := connection.Control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
		return err
	}
	return failed
}
