package execution

import (
	"errors"
	"io"
	"os"
	"sync"
)

const inputBufferBytes = 32 << 10

// input feeds the process's standard input from the body of whichever request is attached.
type input struct {
	pipe *os.File

	// mu is held by the request that feeds; one that joins waits for it, and then leaves out what the process has been given already:
	// a repeat of a request repeats its body.
	mu     sync.Mutex
	taken  int64
	broken bool // the process reads no more
}

// feed copies a body until it ends, and then closes the input. A body that breaks off leaves the input open for a request that joins.
// What the process does not want is discarded, so that the stream's window is returned.
func (in *input) feed(body io.Reader) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, err := io.CopyN(io.Discard, body, in.taken); err != nil {
		if errors.Is(err, io.EOF) {
			in.close()
		}
		return
	}
	buffer := make([]byte, inputBufferBytes)
	for {
		n, err := body.Read(buffer)
		if n > 0 && !in.broken {
			if _, err := in.pipe.Write(buffer[:n]); err != nil {
				in.broken = true
				in.close()
			}
		}
		in.taken += int64(n)
		if errors.Is(err, io.EOF) {
			in.close()
		}
		if err != nil {
			return
		}
	}
}

// close ends the input, also under a write that waits for the process. Closing twice is harmless.
func (in *input) close() { _ = in.pipe.Close() }
