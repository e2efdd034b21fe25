// Package records writes and reads record streams: type (1 byte), length (4 bytes, big-endian), payload. A record tells output of different
// kinds and events apart on one stream of HTTP/2.
package records

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ContentType is the media type of a record stream.
const ContentType = "application/vnd.berth.records"

// The types of records.
const (
	Stdout byte = 1 // of a terminal: its output
	Stderr byte = 2
	Event  byte = 3 // JSON: {"event": ...}
)

const (
	// HeaderBytes is the size of a record's type and length.
	HeaderBytes = 5
	// MaxPayload is the most that one record carries, in bytes.
	MaxPayload = 64 << 10
)

// ErrMalformed is the error of a stream that is none of ours.
var ErrMalformed = errors.New("malformed record stream")

// ErrEncode is the error of an event that no record can hold: the stream is well, and can only be broken off.
var ErrEncode = errors.New("encode event")

// Writer writes records. Not for concurrent use.
type Writer struct {
	to     io.Writer
	buffer []byte
}

// NewWriter writes to a stream; nothing is buffered between calls.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write sends bytes as records of one type, each with one call to the stream: a header in a call of its own would become a frame of its own.
func (w *Writer) Write(kind byte, payload []byte) error {
	for {
		part := payload[:min(len(payload), MaxPayload)]
		w.buffer = AppendHeader(w.buffer[:0], kind, len(part))
		w.buffer = append(w.buffer, part...)
		if _, err := w.to.Write(w.buffer); err != nil {
			return fmt.Errorf("write record: %w", err)
		}
		if payload = payload[len(part):]; len(payload) == 0 {
			return nil
		}
	}
}

// Event sends a value as JSON, at most MaxPayload bytes of it; ErrEncode where it is none or longer.
func (w *Writer) Event(value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEncode, err)
	}
	if len(payload) > MaxPayload {
		return fmt.Errorf("%w: %d bytes are more than a record holds", ErrEncode, len(payload))
	}
	return w.Write(Event, payload)
}

// AppendHeader appends a record's header.
func AppendHeader(to []byte, kind byte, length int) []byte {
	return binary.BigEndian.AppendUint32(append(to, kind), uint32(length))
}

// Reader reads records.
type Reader struct {
	from    io.Reader
	header  [HeaderBytes]byte
	payload []byte
}

// NewReader reads from a stream, without reading ahead.
func NewReader(from io.Reader) *Reader { return &Reader{from: from} }

// Next answers the next record; its payload is valid until the next call. io.EOF at the end between two records, io.ErrUnexpectedEOF within
// one, ErrMalformed where the length is out of bounds or the type unknown: nothing is allocated for what a stream merely claims.
func (r *Reader) Next() (kind byte, payload []byte, err error) {
	if _, err := io.ReadFull(r.from, r.header[:]); err != nil {
		return 0, nil, err
	}
	kind = r.header[0]
	length := binary.BigEndian.Uint32(r.header[1:])
	if kind < Stdout || kind > Event || length > MaxPayload {
		return 0, nil, fmt.Errorf("%w: type %d, %d bytes", ErrMalformed, kind, length)
	}
	if cap(r.payload) < int(length) {
		r.payload = make([]byte, length)
	}
	payload = r.payload[:length]
	if _, err := io.ReadFull(r.from, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return kind, payload, nil
}
