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
)

const (
	// connectPatience is how long the socket may take to appear: the helper that makes it may have been started just now.
	connectPatience = 5 * time.Second
	connectRetry    = 10 * time.Millisecond
	// connectBuffer is more than a unix socket holds, so that one call takes what there is.
	connectBuffer = 256 << 10
)

// runConnect joins standard input and output to the helper's socket, so that an exec stream carries HTTP/2. It ends when the helper closes.
func runConnect([]string) int {
	if err := connect(filepath.Join(folder(), "run", "helper.sock"), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "berth-helper:", err)
		return 1
	}
	return 0
}

func connect(socket string, in, out *os.File) error {
	conn, err := dialSocket(socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	go func() {
		// Whatever ends the input, the helper sees its end and closes.
		_, _ = copyPlainly(conn, in)
		_ = conn.CloseWrite()
	}()
	_, err = copyPlainly(out, conn)
	_ = out.Close()
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
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

// copyPlainly keeps io.Copy from splicing, which moves a socket's small pieces one by one and is slower here than large reads.
func copyPlainly(to io.Writer, from io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, connectBuffer))
}
