package terminal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// model is what a ring promises, with everything ever written in memory.
type model struct {
	t       *testing.T
	ring    *Ring
	written []byte
}

func newModel(t *testing.T, limit int64, budget *Budget) *model {
	t.Helper()
	ring, err := NewRing(filepath.Join(t.TempDir(), "one.ring"), limit, budget)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ring.Remove)
	return &model{t: t, ring: ring}
}

func (m *model) append(data []byte) {
	m.t.Helper()
	m.ring.Append(data)
	m.written = append(m.written, data...)
	oldest, end := m.ring.Bounds()
	if end != int64(len(m.written)) {
		m.t.Fatalf("the end is %d after %d bytes", end, len(m.written))
	}
	if kept := end - oldest; kept > m.ring.Capacity() || kept < min(end, m.ring.Capacity()-guaranteedBytes) {
		m.t.Fatalf("%d of %d bytes are kept in %d", kept, end, m.ring.Capacity())
	}
}

func (m *model) check(offset int64, size int) {
	m.t.Helper()
	oldest, end := m.ring.Bounds()
	into := make([]byte, size)
	count, err := m.ring.Read(into, offset)
	if offset < oldest {
		if !errors.Is(err, ErrGone) {
			m.t.Fatalf("offset %d before %d answers %v", offset, oldest, err)
		}
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if count == 0 && size > 0 && offset < end {
		m.t.Fatalf("nothing at %d of [%d, %d)", offset, oldest, end)
	}
	if !bytes.Equal(into[:count], m.written[offset:offset+int64(count)]) {
		m.t.Fatalf("wrong bytes at %d of [%d, %d)", offset, oldest, end)
	}
}

// checkAll reads all that is kept, from the oldest byte on.
func (m *model) checkAll() {
	m.t.Helper()
	oldest, end := m.ring.Bounds()
	for offset := oldest; offset < end; {
		into := make([]byte, 64<<10)
		count, err := m.ring.Read(into, offset)
		if err != nil || count == 0 {
			m.t.Fatalf("%d bytes and %v at %d of [%d, %d)", count, err, offset, oldest, end)
		}
		if !bytes.Equal(into[:count], m.written[offset:offset+int64(count)]) {
			m.t.Fatalf("wrong bytes at %d", offset)
		}
		offset += int64(count)
	}
}

func randomBytes(random *rand.Rand, size int) []byte {
	data := make([]byte, size+8)
	for i := 0; i < size; i += 8 {
		binary.NativeEndian.PutUint64(data[i:], random.Uint64())
	}
	return data[:size]
}

func TestRingKeepsTheLastBytesWhateverIsWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 7))
	for _, limit := range []int64{minRingBytes, minRingBytes + 1, guaranteedBytes, 3<<20 - 17} {
		m := newModel(t, limit, NewBudget(MaxRingBytes))
		for len(m.written) < 5*int(limit) {
			m.append(randomBytes(random, random.IntN(200<<10)))
			for range 4 {
				m.check(random.Int64N(int64(len(m.written))+1), random.IntN(64<<10))
			}
		}
		m.checkAll()
	}
}

func TestRingThatMayNotGrowWrapsAndGrowsOnceThereIsRoom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	budget := NewBudget(0)
	m := newModel(t, 4<<20, budget)
	for len(m.written) < 5<<19 {
		m.append(randomBytes(random, 50_000))
	}
	if m.ring.Capacity() != guaranteedBytes {
		t.Fatalf("it took %d bytes", m.ring.Capacity())
	}
	m.checkAll()
	budget.Give(2 << 20)
	for len(m.written) < 15<<20 {
		m.append(randomBytes(random, 70_000))
		m.check(random.Int64N(int64(len(m.written))), 64<<10)
	}
	if m.ring.Capacity() != 3<<20 {
		t.Fatalf("it took %d bytes", m.ring.Capacity())
	}
	m.checkAll()
	m.ring.Remove()
	if !budget.Take(2<<20) || budget.Take(1) {
		t.Fatal("the bytes were not given back")
	}
}

func TestRingReaderNeverSeesBytesThatWereOverwrittenMeanwhile(t *testing.T) {
	ring, err := NewRing(filepath.Join(t.TempDir(), "one.ring"), minRingBytes, NewBudget(0))
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Remove()
	const total = 64 << 20
	// Every byte tells its own offset, modulo a prime.
	pattern := make([]byte, 251*400)
	for i := range pattern {
		pattern[i] = byte(i % 251)
	}
	go func() {
		for written := 0; written < total; {
			start := written % 251
			count := min(4093, total-written)
			ring.Append(pattern[start : start+count])
			written += count
		}
	}()
	into := make([]byte, 64<<10)
	var offset, read int64
	for offset < total {
		count, err := ring.Read(into, offset)
		if errors.Is(err, ErrGone) {
			offset, _ = ring.Bounds()
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, value := range into[:count] {
			if value != byte((offset+int64(i))%251) {
				t.Fatalf("wrong byte at %d", offset+int64(i))
			}
		}
		offset += int64(count)
		read += int64(count)
	}
	if read == 0 {
		t.Fatal("nothing was read")
	}
}

func TestRingGivesUpWhatItKeepsWhereTheDiskTakesNothing(t *testing.T) {
	m := newModel(t, minRingBytes, NewBudget(0))
	m.ring.Append([]byte("before"))
	if err := m.ring.file.Close(); err != nil {
		t.Fatal(err)
	}
	m.ring.Append([]byte("lost"))
	if oldest, end := m.ring.Bounds(); oldest != 10 || end != 10 {
		t.Fatalf("[%d, %d) is said to be kept", oldest, end)
	}
	if _, err := m.ring.Read(make([]byte, 4), 6); !errors.Is(err, ErrGone) {
		t.Fatalf("reading what was lost answers %v", err)
	}
}

func FuzzRing(f *testing.F) {
	f.Add(uint32(minRingBytes), []byte{1, 200, 3, 255, 9, 0})
	f.Add(uint32(2<<20), []byte{255, 255, 255, 255, 254, 253, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, limit uint32, steps []byte) {
		random := rand.New(rand.NewPCG(uint64(limit), uint64(len(steps))))
		m := newModel(t, minRingBytes+int64(limit)%(4<<20), NewBudget(int64(limit)%(3<<20)))
		for _, step := range steps[:min(len(steps), 60)] {
			m.append(randomBytes(random, int(step)*int(step)*4))
			m.check(random.Int64N(int64(len(m.written))+1), 1+int(step)*256)
		}
		m.checkAll()
	})
}

func BenchmarkRingAppend(b *testing.B) {
	ring, err := NewRing(filepath.Join(b.TempDir(), "one.ring"), MaxRingBytes, NewBudget(MaxRingBytes))
	if err != nil {
		b.Fatal(err)
	}
	defer ring.Remove()
	data := make([]byte, 4096)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		ring.Append(data)
	}
}
