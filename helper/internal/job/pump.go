package job

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const pumpBytes = 64 << 10

// pumpBuffers are shared: a pipe at rest costs none.
var pumpBuffers = sync.Pool{New: func() any { return new([pumpBytes]byte) }}

// pump moves what a job prints from its pipe into its spool. What is left out there is still read, so that nothing of the job ever waits
// for a reader that does not come.
type pump struct {
	pipe    *os.File
	spool   *spool
	changed func()
	refused func(why string)
	settled chan struct{} // closed when nothing more will be written to the spool
}

// run ends with the pipe. A read deadline settles it earlier: the spool then has what the pipe held at that moment, and what processes
// that the job has left behind print later is dropped.
func (p *pump) run() {
	defer p.pipe.Close()
	raw, err := p.pipe.SyscallConn()
	if err == nil {
		err = p.move(raw, p.keep)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.keepRest(raw)
	}
	close(p.settled)
	if errors.Is(err, os.ErrDeadlineExceeded) && p.pipe.SetReadDeadline(noDeadline) == nil {
		_ = p.move(raw, func([]byte) {})
	}
}

// move hands on everything until the pipe ends (nil), its deadline has passed or it fails.
func (p *pump) move(raw syscall.RawConn, take func([]byte)) error {
	for {
		var failed error
		var ended bool
		err := raw.Read(func(fd uintptr) bool {
			count, err := readOnce(int(fd), pumpBytes, take)
			if errors.Is(err, syscall.EAGAIN) {
				return false
			}
			ended, failed = count == 0 && err == nil, err
			return true
		})
		if err != nil {
			return err
		}
		if ended || failed != nil {
			return failed
		}
	}
}

// keepRest keeps what the pipe holds now, and nothing of what comes: somebody may write into it for ever.
func (p *pump) keepRest(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) {
		left, err := unix.IoctlGetInt(int(fd), fionread)
		for err == nil && left > 0 {
			var count int
			count, err = readOnce(int(fd), min(left, pumpBytes), p.keep)
			left -= count
			if count == 0 && err == nil {
				err = io.EOF
			}
		}
	})
}

func (p *pump) keep(data []byte) {
	if why := p.spool.write(data); why != "" {
		p.refused(why)
	}
	p.changed()
}

// readOnce reads what there is without waiting.
func readOnce(fd, most int, take func([]byte)) (int, error) {
	buffer, _ := pumpBuffers.Get().(*[pumpBytes]byte)
	defer pumpBuffers.Put(buffer)
	for {
		count, err := syscall.Read(fd, buffer[:most])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if count > 0 {
			take(buffer[:count])
		}
		return max(0, count), err
	}
}
