package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// stdioPatience is how long who joins may take to hand its descriptors over.
	stdioPatience = 5 * time.Second
	// maxJoining keeps a program that only dials from piling up goroutines; more are closed at once. Every connection may come at the same
	// moment, as after a restart of the API server.
	maxJoining = maxConnections
	// stdioReadBuffer takes frames together that came together: HTTP/2 reads nine bytes and then the rest.
	stdioReadBuffer = 16 << 10
)

var errNoDescriptors = errors.New("two descriptors were to come, input and output")

// ListenStdio serves a socket on which a program hands over its standard input and output, which from then on are the connection: bytes
// that went through the program would be copied twice more. The socket stays open until either side is through.
func (s *Server) ListenStdio(ctx context.Context, path string) error {
	joining := make(chan struct{}, maxJoining)
	return listenPrivately(ctx, path, func(conn net.Conn) {
		control, ok := conn.(*net.UnixConn)
		select {
		case joining <- struct{}{}:
			if ok {
				go s.takeStdio(control, func() { <-joining })
			}
		default:
			_ = conn.Close()
		}
	})
}

func (s *Server) takeStdio(control *net.UnixConn, received func()) {
	in, out, err := receiveStdio(control)
	received()
	if err != nil {
		_ = control.Close()
		return
	}
	conn := newStdio(in, out, control)
	go conn.closeWith(control)
	s.offer(conn)
}

// SendStdio is the other side's part of it.
func SendStdio(control *net.UnixConn, in, out *os.File) error {
	rights := syscall.UnixRights(int(in.Fd()), int(out.Fd()))
	if _, _, err := control.WriteMsgUnix([]byte{0}, rights, nil); err != nil {
		return fmt.Errorf("hand over the descriptors: %w", err)
	}
	return nil
}

func receiveStdio(control *net.UnixConn) (in, out *os.File, err error) {
	if err := control.SetReadDeadline(time.Now().Add(stdioPatience)); err != nil {
		return nil, nil, fmt.Errorf("set the deadline: %w", err)
	}
	var word [1]byte
	rights := make([]byte, syscall.CmsgSpace(2*4))
	_, size, _, _, err := control.ReadMsgUnix(word[:], rights)
	if err != nil {
		return nil, nil, fmt.Errorf("receive the descriptors: %w", err)
	}
	var descriptors []int
	messages, err := syscall.ParseSocketControlMessage(rights[:size])
	if err == nil && len(messages) == 1 {
		descriptors, err = syscall.ParseUnixRights(&messages[0])
	}
	if err != nil || len(descriptors) != 2 {
		for _, descriptor := range descriptors {
			_ = syscall.Close(descriptor)
		}
		return nil, nil, errors.Join(errNoDescriptors, err)
	}
	return openStdio(descriptors[0], "input"), openStdio(descriptors[1], "output"), control.SetReadDeadline(time.Time{})
}

// openStdio makes a file that waits without holding a thread, wherever the kernel can poll it. It came with close-on-exec set: no command
// inherits it.
func openStdio(descriptor int, name string) *os.File {
	_ = syscall.SetNonblock(descriptor, true)
	return os.NewFile(uintptr(descriptor), name)
}

// stdio is a connection over two files.
type stdio struct {
	in      *os.File
	reader  *bufio.Reader
	out     *os.File
	control *net.UnixConn
	once    sync.Once
}

func newStdio(in, out *os.File, control *net.UnixConn) *stdio {
	growPipe(out)
	return &stdio{in: in, reader: bufio.NewReaderSize(in, stdioReadBuffer), out: out, control: control}
}

// closeWith closes the connection when the program that joined is gone: nothing else tells that of an output nobody reads.
func (c *stdio) closeWith(control *net.UnixConn) {
	var none [1]byte
	_, _ = control.Read(none[:])
	_ = c.Close()
}

func (c *stdio) Read(p []byte) (int, error)  { return c.reader.Read(p) }
func (c *stdio) Write(p []byte) (int, error) { return c.out.Write(p) }

// Close lets the program that joined end, which ends the exec stream.
func (c *stdio) Close() error {
	var err error
	c.once.Do(func() { err = errors.Join(c.in.Close(), c.out.Close(), c.control.Close()) })
	return err
}

func (c *stdio) LocalAddr() net.Addr                { return c.control.LocalAddr() }
func (c *stdio) RemoteAddr() net.Addr               { return c.control.LocalAddr() }
func (c *stdio) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *stdio) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

func (c *stdio) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
