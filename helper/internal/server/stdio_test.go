package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// join hands pipes over and answers their other ends, and the socket that the helper closes at the end.
func join(t *testing.T, path string) (to, from *os.File, control *net.UnixConn) {
	t.Helper()
	in, to := pipe(t)
	from, out := pipe(t)
	control = dialStdio(t, path)
	if err := SendStdio(control, in, out); err != nil {
		t.Fatal(err)
	}
	// They are the helper's now, and the last ones that are open.
	_, _ = in.Close(), out.Close()
	return to, from, control
}

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = read.Close(), write.Close() })
	return read, write
}

func dialStdio(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	control, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = control.Close() })
	_ = control.SetReadDeadline(time.Now().Add(patience))
	return control
}

func listenStdio(t *testing.T) (server *Server, path string) {
	t.Helper()
	r := start(t, nil)
	server, path = r.Server, filepath.Join(filepath.Dir(r.socket), "stdio")
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	if err := server.ListenStdio(ctx, path); err != nil {
		t.Fatal(err)
	}
	return server, path
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}

// ended waits for the helper to close the socket.
func ended(t *testing.T, control *net.UnixConn) {
	t.Helper()
	if _, err := control.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the socket did not end: %v", err)
	}
}

func TestHandedOverDescriptorsCarryHTTP2UntilTheInputEnds(t *testing.T) {
	_, path := listenStdio(t)
	to, from, control := join(t, path)
	if _, err := to.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	_ = from.SetReadDeadline(time.Now().Add(patience))
	frame := make([]byte, 9)
	if _, err := io.ReadFull(from, frame); err != nil || frame[3] != 4 {
		t.Fatalf("not the helper's settings: %v, %v", frame, err)
	}
	_ = to.Close()
	ended(t, control)
	if _, err := io.Copy(new(bytes.Buffer), from); err != nil {
		t.Errorf("the output did not end: %v", err)
	}
}

func TestTheConnectionEndsWithTheProgramThatJoined(t *testing.T) {
	server, path := listenStdio(t)
	_, from, control := join(t, path)
	until(t, func() bool { return server.Connections() == 1 })
	_ = control.Close()
	_ = from.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(new(bytes.Buffer), from); err != nil {
		t.Errorf("the output did not end: %v", err)
	}
	until(t, func() bool { return server.Connections() == 0 })
}

func TestWhoHandsNoDescriptorsOverIsClosed(t *testing.T) {
	server, path := listenStdio(t)
	control := dialStdio(t, path)
	if _, err := control.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	// The rest of its words is unread, which some kernels tell as a reset.
	if _, err := control.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it was not closed: %v", err)
	}
	if server.Connections() != 0 {
		t.Error("it counts as a connection")
	}
}

func TestWhoeverOnlyDialsIsClosedAtOnceWhereManyDoAlready(t *testing.T) {
	_, path := listenStdio(t)
	for range maxJoining {
		dialStdio(t, path)
	}
	began := time.Now()
	ended(t, dialStdio(t, path))
	if took := time.Since(began); took >= stdioPatience {
		t.Errorf("after %v", took)
	}
}
