package terminal

import (
	"testing"
)

// BenchmarkEcho is one key to the program and its answer back, over HTTP/2 on a socket.
func BenchmarkEcho(b *testing.B) {
	s := newService(b, Options{})
	s.start("one", "stty raw -echo; echo go; exec cat")
	v := s.attach("one", "client=a&mode=write")
	v.until("go\n")
	for b.Loop() {
		v.press("x")
		if _, err := v.next(); err != nil {
			b.Fatal(err)
		}
		v.output = v.output[:0]
	}
}

// BenchmarkOutput is what a program prints, through the terminal, the ring and HTTP/2.
func BenchmarkOutput(b *testing.B) {
	s := newService(b, Options{})
	s.start("one", "stty raw -echo; echo go; exec cat /dev/zero")
	v := s.attach("one", "client=a&mode=write")
	v.until("go\n")
	const piece = 1 << 20
	b.SetBytes(piece)
	for b.Loop() {
		for size := 0; size < piece; size += len(v.output) {
			v.output = v.output[:0]
			if _, err := v.next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
