package execution

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pipeBytes is the size of a pipe that carries much: fewer switches between the process and the helper.
	pipeBytes = 1 << 20
	// eofWait is how long a pipe may stay open after the process has ended, for a child that still writes its last words.
	eofWait = 200 * time.Millisecond
)

// pump moves one output stream from its pipe to its tape, up to the limit.
type pump struct {
	pipe   *os.File
	tape   *tape
	limit  int64 // 0: none
	notify func()
	passed func() // called once, when the limit is passed
	// settled is called once, when nothing more will be written to the tape.
	settled func()
	over    bool
	grown   bool
	pace    pace
}

// run returns when the pipe has ended. A read deadline settles it earlier: the tape then has what the pipe held at that moment, and what
// processes that were left behind print later is read into nothing: a closed pipe would end them at their next word.
func (p *pump) run() {
	defer func() { _ = p.pipe.Close() }()
	raw, err := p.pipe.SyscallConn()
	if err == nil {
		err = p.move(raw, p.take)
	}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if late {
		p.takeRest(raw)
	}
	p.settled()
	if late && p.pipe.SetReadDeadline(time.Time{}) == nil {
		_ = p.move(raw, func([]byte) {})
	}
}

// move hands on what is read until the pipe ends, its deadline passes or it fails.
func (p *pump) move(raw syscall.RawConn, take func([]byte)) error {
	for {
		if err := p.step(raw, take); err != nil {
			return err
		}
	}
}

// step waits for output and takes one read of it. It holds a buffer only while there is something to read: most pipes are idle.
func (p *pump) step(raw syscall.RawConn, take func([]byte)) error {
	var buffer []byte
	var n int
	var failure error
	err := raw.Read(func(fd uintptr) bool {
		buffer = p.tape.memory.buffer()
		n, failure = readOnce(int(fd), buffer)
		if failure == syscall.EAGAIN {
			p.tape.memory.putBuffer(buffer)
			buffer = nil
			return false
		}
		return true
	})
	if buffer == nil {
		return err
	}
	defer p.tape.memory.putBuffer(buffer)
	if err == nil {
		err = failure
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil {
		take(buffer[:n])
		p.ease(raw, n)
	}
	return err
}

// ease serves a stream that carries much: a larger pipe, and time for it to fill.
func (p *pump) ease(raw syscall.RawConn, n int) {
	rest := p.pace.rest(n, time.Now())
	if !p.grown && (rest > 0 || n == chunkBytes) {
		p.grown = true
		_ = raw.Control(growPipe)
	}
	if rest > 0 {
		time.Sleep(rest)
	}
}

// takeRest reads what the pipe holds now, without waiting: a daemon may hold the other end, and write to it, for ever.
func (p *pump) takeRest(raw syscall.RawConn) {
	buffer := p.tape.memory.buffer()
	defer p.tape.memory.putBuffer(buffer)
	left := -1
	for left != 0 {
		n := 0
		err := raw.Control(func(fd uintptr) {
			if left < 0 {
				left, _ = unix.IoctlGetInt(int(fd), fionread)
			}
			if left > 0 {
				n, _ = readOnce(int(fd), buffer[:min(left, len(buffer))])
			}
		})
		if err != nil || n <= 0 {
			return
		}
		left -= n
		p.take(buffer[:n])
	}
}

func (p *pump) take(data []byte) {
	if p.limit > 0 {
		room := p.limit - p.tape.written()
		if int64(len(data)) > room {
			data = data[:room]
			if !p.over {
				p.over = true
				p.passed()
			}
		}
	}
	if len(data) > 0 {
		p.tape.write(data)
		p.notify()
	}
}

func readOnce(fd int, buffer []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, buffer)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
