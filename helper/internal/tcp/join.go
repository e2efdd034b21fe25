package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// quietAfterEnd is how long the client may be silent after the pod's side has ended before the stream ends as a whole. net/http can
// end its side of a stream only together with the client's, so a client that waits for the end waits this long, and one that still
// sends is heard. While the pod's side takes nothing, it is not the client that is silent.
const quietAfterEnd = 100 * time.Millisecond

// uploadPatience is how many times as long a client may be silent that has sent something since: in an upload, the next bytes may have to
// wait for the client to hear that there is room for them.
const uploadPatience = 20

// join copies in both directions until both have ended. A reset on one side becomes one on the other; its error makes the caller
// reset the stream.
func (f *Forwarder) join(w http.ResponseWriter, r *http.Request, connection *net.TCPConn) error {
	// A client that is gone ends both directions at once.
	stop := context.AfterFunc(r.Context(), func() { reset(connection) })
	defer stop()
	inwards := inwards{ended: make(chan struct{})}
	go func() {
		defer close(inwards.ended)
		f.copyInwards(connection, r.Body, &inwards)
	}()
	err := f.copyOutwards(w, connection)
	if err == nil && inwards.waitForQuiet(f.quiet) {
		connection.Close()
	} else {
		// An orderly end would say that the client has sent all it had to.
		reset(connection)
	}
	// Ends the reading of the body, which nobody may do once the handler has returned.
	r.Body.Close()
	<-inwards.ended
	if err == nil {
		err = r.Context().Err()
	}
	return err
}

// inwards is what is known of the direction from the client to the pod.
type inwards struct {
	ended chan struct{}
	// bytes grows while the client sends.
	bytes atomic.Int64
	// writing says that the pod's side is the one that is waited for.
	writing atomic.Bool
	// whole says that the body's end was passed on; read it after `ended`.
	whole bool
}

// copyInwards sends the body to the pod and passes on its end.
func (f *Forwarder) copyInwards(connection *net.TCPConn, body io.Reader, progress *inwards) {
	lent := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(lent)
	for {
		read, err := body.Read(*lent)
		if read > 0 {
			progress.writing.Store(true)
			if _, err := connection.Write((*lent)[:read]); err != nil {
				// The pod's side does not read any more; whether it still sends is for the other direction to see.
				return
			}
			progress.bytes.Add(int64(read))
			progress.writing.Store(false)
		}
		if errors.Is(err, io.EOF) {
			progress.whole = connection.CloseWrite() == nil
			return
		}
		if err != nil {
			reset(connection)
			return
		}
	}
}

// copyOutwards sends what the pod says as soon as it says it; nil once the pod's side has ended in order.
func (f *Forwarder) copyOutwards(w http.ResponseWriter, connection *net.TCPConn) error {
	lent := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(lent)
	flush := http.NewResponseController(w).Flush
	if err := flush(); err != nil {
		return err
	}
	for {
		read, err := connection.Read(*lent)
		if read > 0 {
			if _, err := w.Write((*lent)[:read]); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// waitForQuiet returns when the client has ended its side or has been silent for a while; true where it has ended it in order.
func (i *inwards) waitForQuiet(quiet time.Duration) (whole bool) {
	ticker := time.NewTicker(quiet)
	defer ticker.Stop()
	left := 1
	for before := i.bytes.Load(); ; {
		select {
		case <-i.ended:
			return i.whole
		case <-ticker.C:
			// In this order: a write that ends in between has grown the count.
			writing, now := i.writing.Load(), i.bytes.Load()
			if writing || now != before {
				before, left = now, uploadPatience
				continue
			}
			if left--; left == 0 {
				return false
			}
		}
	}
}

// reset makes the connection end with RST instead of an orderly end, and wakes who reads or writes on it.
func reset(connection *net.TCPConn) {
	_ = connection.SetLinger(0)
	_ = connection.Close()
}
