// Package files serves the files of a session: what the session's user may do, over HTTP, and nothing more.
//
// Every path is a sequence of bytes that the kernel judges; nothing here decides about rights. Contents are streamed in both
// directions, so that the memory in use depends neither on the size of a file nor on that of a folder.
package files

import (
	"net/http"
	"sync"
	"time"
)

// copyBufferBytes is what one stream reads or writes at a time: large enough that system calls do not show beside the copying.
const copyBufferBytes = 256 << 10

// Options are what a Files needs to know.
type Options struct {
	// HelperDir is the helper's own folder ($BERTH_DIR), which nobody may remove or move away; "" where there is none.
	HelperDir string
	// Now is time.Now, replaced by tests.
	Now func() time.Time
}

// Files answers the routes of one helper. It is safe for concurrent use.
type Files struct {
	helperDir string
	now       func() time.Time
	uploads   *uploads
	buffers   sync.Pool
}

// New returns a Files that holds nothing open between requests.
func New(options Options) *Files {
	now := options.Now
	if now == nil {
		now = time.Now
	}
	return &Files{
		helperDir: options.HelperDir,
		now:       now,
		uploads:   newUploads(),
		buffers: sync.Pool{New: func() any {
			buffer := make([]byte, copyBufferBytes)
			return &buffer
		}},
	}
}

// Routes registers the routes of PROTOCOL.md, "Files".
func (f *Files) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /files/stat", f.handle(f.stat))
	mux.HandleFunc("GET /files/list", f.handle(f.list))
	mux.HandleFunc("GET /files/content", f.handle(f.read))
	mux.HandleFunc("PUT /files/content", f.handle(f.write))
	mux.HandleFunc("GET /files/upload", f.handle(f.uploadState))
	mux.HandleFunc("DELETE /files/upload", f.handle(f.dropUpload))
	mux.HandleFunc("GET /files/sha256", f.handle(f.sha256))
	mux.HandleFunc("POST /files/mkdir", f.handle(f.mkdir))
	mux.HandleFunc("POST /files/move", f.handle(f.move))
	mux.HandleFunc("DELETE /files", f.handle(f.remove))
	mux.HandleFunc("GET /files/tar", f.handle(f.pack))
	mux.HandleFunc("PUT /files/tar", f.handle(f.unpack))
}

// handle turns a handler that returns an error into one that answers with it. A handler that has begun its answer does not
// return an error: it panics with http.ErrAbortHandler, which resets the stream.
func (f *Files) handle(handler func(http.ResponseWriter, *http.Request, query) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		parameters, err := parseQuery(r.URL.RawQuery)
		if err == nil {
			err = handler(w, r, parameters)
		}
		if err != nil {
			writeFailure(w, err)
		}
	}
}

// buffer lends copyBufferBytes; the caller gives them back by calling done.
func (f *Files) buffer() (buffer []byte, done func()) {
	lent := f.buffers.Get().(*[]byte)
	return *lent, func() { f.buffers.Put(lent) }
}
