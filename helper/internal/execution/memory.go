package execution

import (
	"sync"
	"sync/atomic"

	"berth.dev/helper/internal/records"
)

const (
	chunkBytes = 64 << 10
	frameBytes = records.HeaderBytes + records.MaxPayload
	// memoryLimit is how much all tapes together keep before they drop what was sent, in bytes.
	memoryLimit = 32 << 20
)

// memory is what all tapes share: a count of what they hold, and chunks to use again, so that bulk output makes no garbage.
type memory struct {
	limit int64
	used  atomic.Int64
	free  sync.Pool // of *[chunkBytes]byte
	// frames are records being sent, of *[frameBytes]byte: a header and what follows it leave in one write.
	frames sync.Pool
}

func newMemory() *memory {
	return &memory{
		limit:  memoryLimit,
		free:   sync.Pool{New: func() any { return new([chunkBytes]byte) }},
		frames: sync.Pool{New: func() any { return new([frameBytes]byte) }},
	}
}

// short says that the tapes hold more than they should.
func (m *memory) short() bool { return m.used.Load() > m.limit }

// take answers an empty chunk, small ones for those who write little: most commands print a line or none.
func (m *memory) take(wanted int) []byte {
	size := chunkBytes
	switch {
	case wanted <= 512:
		size = 512
	case wanted <= 4096:
		size = 4096
	}
	m.used.Add(int64(size))
	if size < chunkBytes {
		return make([]byte, 0, size)
	}
	return m.buffer()[:0]
}

func (m *memory) give(chunk []byte) {
	m.used.Add(-int64(cap(chunk)))
	if cap(chunk) == chunkBytes {
		m.putBuffer(chunk[:chunkBytes])
	}
}

// buffer answers chunkBytes bytes to read into, uncounted.
func (m *memory) buffer() []byte { return m.free.Get().(*[chunkBytes]byte)[:] }

func (m *memory) putBuffer(buffer []byte) { m.free.Put((*[chunkBytes]byte)(buffer)) }

func (m *memory) frame() []byte { return m.frames.Get().(*[frameBytes]byte)[:] }

func (m *memory) putFrame(frame []byte) { m.frames.Put((*[frameBytes]byte)(frame)) }
