package terminal

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"berth.dev/helper/internal/process"
	"berth.dev/helper/internal/records"
)

type readyEvent struct {
	Event  string `json:"event"`
	Offset int64  `json:"offset"`
	Mode   Mode   `json:"mode"`
	From   int64  `json:"from"`
}

type gapEvent struct {
	Event string `json:"event"`
	From  int64  `json:"from"`
	To    int64  `json:"to"`
}

type roleEvent struct {
	Event string `json:"event"`
	Mode  Mode   `json:"mode"`
}

type endEvent struct {
	Event    string  `json:"event"`
	ExitCode int     `json:"exit_code"`
	Signal   *string `json:"signal"`
	Reason   Reason  `json:"reason"`
}

// streamBytes is one record with its header: what a stream holds while it sends, and a frame of HTTP/2 as large as our client takes.
const streamBytes = 64 << 10

// streamBuffers are shared, so that a terminal at rest costs no buffer.
var streamBuffers = sync.Pool{New: func() any { return new([streamBytes]byte) }}

// stream sends a terminal to one attachment.
type stream struct {
	terminal   *Terminal
	attachment *attachment
	to         http.ResponseWriter
	control    *http.ResponseController
	records    *records.Writer
	told       Mode // what the client knows to be
}

func newStream(t *Terminal, one *attachment, to http.ResponseWriter) *stream {
	return &stream{terminal: t, attachment: one, to: to, control: http.NewResponseController(to), records: records.NewWriter(to)}
}

// run sends until the terminal has ended and everything was sent (nil), the client is gone, or the stream was cut.
func (s *stream) run(ctx context.Context) error {
	mode, position, end := s.terminal.whereIs(s.attachment)
	s.told = mode
	if err := s.event(readyEvent{Event: "ready", Offset: end, Mode: mode, From: position}); err != nil {
		return err
	}
	for {
		ended := s.terminal.hasFinished()
		if err := s.tellRole(); err != nil {
			return err
		}
		sent, err := s.sendOutput()
		if err != nil {
			return err
		}
		if sent {
			continue
		}
		if ended {
			return s.event(s.terminal.endEvent())
		}
		select {
		case <-s.attachment.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *stream) tellRole() error {
	mode, _, _ := s.terminal.whereIs(s.attachment)
	if mode == s.told {
		return nil
	}
	s.told = mode
	return s.event(roleEvent{Event: "role", Mode: mode})
}

// sendOutput sends one record of what is there, or a gap where the next byte is gone; false where there is nothing new.
func (s *stream) sendOutput() (bool, error) {
	position := s.attachment.position
	if oldest, end := s.terminal.ring.Bounds(); position == end {
		return false, nil
	} else if position < oldest {
		return true, s.skip(position, oldest)
	}
	buffer, _ := streamBuffers.Get().(*[streamBytes]byte)
	defer streamBuffers.Put(buffer)
	count, err := s.terminal.ring.Read(buffer[records.HeaderBytes:], position)
	if errors.Is(err, ErrGone) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	s.terminal.activity()
	records.AppendHeader(buffer[:0], records.Stdout, count)
	if _, err := s.to.Write(buffer[:records.HeaderBytes+count]); err != nil {
		return false, err
	}
	if err := s.control.Flush(); err != nil {
		return false, err
	}
	s.terminal.advance(s.attachment, position+int64(count))
	return true, nil
}

func (s *stream) skip(from, to int64) error {
	if err := s.event(gapEvent{Event: "gap", From: from, To: to}); err != nil {
		return err
	}
	s.terminal.advance(s.attachment, to)
	return nil
}

func (s *stream) event(value any) error {
	if err := s.records.Event(value); err != nil {
		return err
	}
	return s.control.Flush()
}

// whereIs answers what an attachment may do, where it is, and the end of the output.
func (t *Terminal) whereIs(one *attachment) (mode Mode, position, end int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, end = t.ring.Bounds()
	return t.audience.mode(one), one.position, end
}

// advance notes what the response has accepted; until then the bytes count as not sent.
func (t *Terminal) advance(one *attachment, position int64) {
	t.mu.Lock()
	one.position = position
	writes := t.audience.writer == one
	t.mu.Unlock()
	if writes {
		t.wakePump()
	}
}

func (t *Terminal) hasFinished() bool {
	select {
	case <-t.finished:
		return true
	default:
		return false
	}
}

func (t *Terminal) endEvent() endEvent {
	status := t.process.Status()
	t.mu.Lock()
	defer t.mu.Unlock()
	return endEvent{Event: "end", ExitCode: status.ExitCode, Signal: signalName(status), Reason: t.reason}
}

func signalName(status process.Status) *string {
	if status.Signal == 0 {
		return nil
	}
	name := process.SignalName(status.Signal)
	if name == "" {
		// Those for real time have none.
		name = strconv.Itoa(int(status.Signal))
	}
	return &name
}
