package records

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// calls counts the calls to Write.
type calls struct {
	bytes.Buffer
	count int
}

func (c *calls) Write(p []byte) (int, error) {
	c.count++
	return c.Buffer.Write(p)
}

func TestARecordIsWrittenInOneCall(t *testing.T) {
	to := &calls{}
	if err := NewWriter(to).Write(Stderr, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if want := []byte("\x02\x00\x00\x00\x05hello"); to.count != 1 || !bytes.Equal(to.Bytes(), want) {
		t.Errorf("%d calls, %q", to.count, to.Bytes())
	}
}

func TestWhatIsLongerThanARecordIsSplit(t *testing.T) {
	to := &calls{}
	long := bytes.Repeat([]byte("x"), 2*MaxPayload+1)
	if err := NewWriter(to).Write(Stdout, long); err != nil {
		t.Fatal(err)
	}
	var back []byte
	reader := NewReader(&to.Buffer)
	for {
		kind, payload, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || kind != Stdout {
			t.Fatalf("type %d, %v", kind, err)
		}
		back = append(back, payload...)
	}
	if to.count != 3 || !bytes.Equal(back, long) {
		t.Errorf("%d calls, %d bytes", to.count, len(back))
	}
}

func TestAnEventIsJSON(t *testing.T) {
	var to bytes.Buffer
	if err := NewWriter(&to).Event(map[string]any{"event": "started", "pid": 7}); err != nil {
		t.Fatal(err)
	}
	kind, payload, err := NewReader(&to).Next()
	if err != nil || kind != Event || string(payload) != `{"event":"started","pid":7}` {
		t.Errorf("type %d, %s, %v", kind, payload, err)
	}
}

func TestAnEventThatFitsNoRecordIsRefused(t *testing.T) {
	var to bytes.Buffer
	if err := NewWriter(&to).Event(string(make([]byte, MaxPayload))); err == nil || to.Len() != 0 {
		t.Errorf("%v, %d bytes written", err, to.Len())
	}
}

func TestABadStreamIsRefused(t *testing.T) {
	cases := []struct {
		name, stream string
		want         error
	}{
		{"nothing", "", io.EOF},
		{"a cut header", "\x01\x00", io.ErrUnexpectedEOF},
		{"a cut payload", "\x01\x00\x00\x00\x02a", io.ErrUnexpectedEOF},
		{"no payload at all", "\x01\x00\x00\x00\x02", io.ErrUnexpectedEOF},
		{"a length out of bounds", "\x01\x00\x01\x00\x01", ErrMalformed},
		{"a huge length", "\x01\xff\xff\xff\xff", ErrMalformed},
		{"type 0", "\x00\x00\x00\x00\x00", ErrMalformed},
		{"type 4", "\x04\x00\x00\x00\x00", ErrMalformed},
	}
	for _, c := range cases {
		if _, _, err := NewReader(bytes.NewReader([]byte(c.stream))).Next(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzReader: whatever the stream, what is read can be written back to the same bytes, and no record passes its bound.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x05hello\x03\x00\x00\x00\x02{}"))
	f.Add([]byte("\x01\xff\xff\xff\xff"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, stream []byte) {
		var again bytes.Buffer
		reader, writer := NewReader(bytes.NewReader(stream)), NewWriter(&again)
		for {
			kind, payload, err := reader.Next()
			if err != nil {
				break
			}
			if len(payload) > MaxPayload {
				t.Fatalf("%d bytes in a record", len(payload))
			}
			if err := writer.Write(kind, payload); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(stream, again.Bytes()) {
			t.Fatalf("read %q as %q", stream, again.Bytes())
		}
	})
}
