package execution

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func TestATapeGivesBackWhatWasWrittenFromAnyOffsetThatIsKept(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	memory := newMemory()
	tape := newTape(memory)
	var all []byte
	reader, _ := tape.open(0)
	for range 300 {
		piece := make([]byte, 1+random.IntN(40000))
		for i := range piece {
			piece[i] = byte(random.Uint32())
		}
		tape.write(piece)
		all = append(all, piece...)
		if random.IntN(10) == 0 {
			back := max(0, tape.written()-int64(random.IntN(maxKept)))
			again, err := tape.open(back)
			if err != nil {
				t.Fatalf("join at %d of %d: %v", back, tape.written(), err)
			}
			reader = again
		}
		// All of it is read before the next write, which would wait for a reader that is too far behind.
		into := make([]byte, 1+random.IntN(chunkBytes))
		for reader.pending() {
			n, err := reader.read(into)
			if err != nil || !bytes.Equal(into[:n], all[reader.at:reader.at+int64(n)]) {
				t.Fatalf("at %d: %v", reader.at, err)
			}
			reader.advance(n)
		}
	}
	if kept := tape.kept(); kept > maxKept+2*chunkBytes || kept != memory.used.Load() {
		t.Errorf("%d bytes are kept, %d counted", kept, memory.used.Load())
	}
	if _, err := tape.open(0); !errors.Is(err, errGone) {
		t.Errorf("the first byte: %v", err)
	}
	if _, err := tape.open(tape.written() + 1); !errors.Is(err, errAhead) {
		t.Errorf("a byte that was never written: %v", err)
	}
	tape.release()
	if memory.used.Load() != 0 {
		t.Errorf("%d bytes are held after the release", memory.used.Load())
	}
}

func TestWhatWasSentMakesRoomWhenMemoryIsShort(t *testing.T) {
	memory := newMemory()
	memory.limit = 4 * chunkBytes
	tape := newTape(memory)
	reader, _ := tape.open(0)
	for range 16 {
		tape.write(make([]byte, chunkBytes))
		reader.advance(chunkBytes)
	}
	if used := memory.used.Load(); used > memory.limit+chunkBytes {
		t.Errorf("%d bytes are held", used)
	}
	if _, err := tape.open(0); !errors.Is(err, errGone) {
		t.Errorf("%v", err)
	}
	if _, err := tape.open(tape.written()); err != nil {
		t.Errorf("the end: %v", err)
	}
}

func TestACursorThatWasReplacedNoLongerLetsTheProcessGoOn(t *testing.T) {
	tape := newTape(newMemory())
	old, _ := tape.open(0)
	tape.write(make([]byte, 1000))
	if _, err := tape.open(0); err != nil {
		t.Fatal(err)
	}
	old.advance(1000)
	if tape.sent != 0 {
		t.Errorf("%d bytes count as sent", tape.sent)
	}
}

func TestATapeThatNobodyWillReadHoldsNobodyUpAndKeepsTheLastBytes(t *testing.T) {
	tape := newTape(newMemory())
	tape.setMode(discarding)
	for range 64 {
		tape.write(make([]byte, chunkBytes))
	}
	if kept := tape.kept(); kept < maxKept || kept > maxKept+2*chunkBytes {
		t.Errorf("%d bytes are kept", kept)
	}
}
