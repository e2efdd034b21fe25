package execution

import (
	"testing"
	"time"
)

func TestOnlyAStreamThatCarriesMuchInSmallPiecesRests(t *testing.T) {
	began := time.Unix(1000, 0)
	for _, one := range []struct {
		name  string
		piece int
		every time.Duration
		want  bool
	}{
		{"8 KiB each 20 µs", 8 << 10, 20 * time.Microsecond, true},
		{"a line each millisecond", 80, time.Millisecond, false},
		{"8 KiB each two milliseconds", 8 << 10, 2 * time.Millisecond, false},
		{"large pieces", chunkBytes, 20 * time.Microsecond, false},
	} {
		var p pace
		rested := false
		for i := range 1000 {
			rested = p.rest(one.piece, began.Add(time.Duration(i)*one.every)) > 0 || rested
		}
		if rested != one.want {
			t.Errorf("%s: rested %v", one.name, rested)
		}
	}
}
