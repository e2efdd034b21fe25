package files

import (
	"io"
	"os"
	"strconv"
	"testing"
)

// benchBytes is one transfer: large enough that the connection's setting up does not show.
const benchBytes = 256 << 20

func BenchmarkRead(b *testing.B) {
	h := start(b, Options{})
	path := h.file("a", "")
	file, err := os.Create(path)
	must(b, err)
	_, err = io.CopyN(file, zeros{}, benchBytes)
	must(b, err)
	must(b, file.Close())
	b.SetBytes(benchBytes)
	for b.Loop() {
		response, err := h.client.Get(address("/files/content", "path", path))
		must(b, err)
		read, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, make([]byte, 1<<20))
		response.Body.Close()
		if err != nil || read != benchBytes {
			b.Fatal(read, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	h := start(b, Options{})
	b.SetBytes(benchBytes)
	upload := 0
	for b.Loop() {
		upload++
		got := h.do("PUT", address("/files/content", "path", h.at("a"), "upload", strconv.Itoa(upload)), io.LimitReader(zeros{}, benchBytes))
		got.expect(b, 200, nil)
		must(b, os.Remove(hiddenPath(h.at("a"), strconv.Itoa(upload))))
	}
}

func BenchmarkListOfAGreatFolder(b *testing.B) {
	h := start(b, Options{})
	for i := range 100_000 {
		file, err := os.Create(h.at("file-" + strconv.Itoa(i)))
		must(b, err)
		must(b, file.Close())
	}
	for b.Loop() {
		h.get("/files/list", "path", h.dir).expect(b, 200, nil)
	}
}

type zeros struct{}

func (zeros) Read(buffer []byte) (int, error) {
	clear(buffer)
	return len(buffer), nil
}
