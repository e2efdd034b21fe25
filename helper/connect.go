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
	// busyBytes in one read make a stream a busy one: more than people and small answers need.
	busyBytes  = 32 << 10
	gatherTime = 300 * time.Microsecond
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
	growPipe(out)
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
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{&calmReader{from: from}}, make([]byte, connectBuffer))
}

// calmReader lets a busy stream gather: every piece that leaves here becomes a message of its own in the container runtime, the kubelet, the
// API server and the control plane, however small it is. What is not busy is never delayed.
type calmReader struct {
	from io.Reader
	last int
}

func (r *calmReader) Read(into []byte) (int, error) {
	if r.last >= busyBytes && r.last < connectBuffer {
		time.Sleep(gatherTime)
	}
	n, err := r.from.Read(into)
	r.last = n
	return n, err
}
