package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"berth.dev/helper/internal/server"
)

const (
	// connectPatience is how long the socket may take to appear: the helper that makes it may have been started just now.
	connectPatience = 5 * time.Second
	connectRetry    = 10 * time.Millisecond
)

// runConnect hands standard input and output to the helper, so that an exec stream carries HTTP/2. It ends when the helper closes them.
func runConnect([]string) int {
	if err := connect(filepath.Join(folder(), "run", "stdio.sock"), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "berth-helper:", err)
		return 1
	}
	return 0
}

func connect(socket string, in, out *os.File) error {
	control, err := dialSocket(socket)
	if err != nil {
		return err
	}
	defer func() { _ = control.Close() }()
	if err := server.SendStdio(control, in, out); err != nil {
		return fmt.Errorf("join the helper: %w", err)
	}
	// The helper closes it when the connection has ended.
	_, _ = io.Copy(io.Discard, control)
	return nil
}

func dialSocket(path string) (*net.UnixConn, error) {
	deadline := time.Now().Add(connectPatience)
	for {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			return conn, nil
		}
		absent := errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
		if !absent || time.Now().After(deadline) {
			return nil, fmt.Errorf("join the helper: %w", err)
		}
		time.Sleep(connectRetry)
	}
}
