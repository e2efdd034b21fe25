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
// sends is heard.
const quietAfterEnd = 100 * time.Millisecond

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
	if err == nil {
		inwards.waitForQuiet(f.quiet)
	} else {
		reset(connection)
	}
	connection.Close()
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
}

// copyInwards sends the body to the pod and passes on its end.
func (f *Forwarder) copyInwards(connection *net.TCPConn, body io.Reader, progress *inwards) {
	lent := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(lent)
	for {
		read, err := body.Read(*lent)
		if read > 0 {
			if _, err := connection.Write((*lent)[:read]); err != nil {
				// The pod's side does not read any more; whether it still sends is for the other direction to see.
				return
			}
			progress.bytes.Add(int64(read))
		}
		if errors.Is(err, io.EOF) {
			_ = connection.CloseWrite()
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

// waitForQuiet returns when the client has ended its side or has been silent for a while.
func (i *inwards) waitForQuiet(quiet time.Duration) {
	ticker := time.NewTicker(quiet)
	defer ticker.Stop()
	for before := i.bytes.Load(); ; {
		select {
		case <-i.ended:
			return
		case <-ticker.C:
			now := i.bytes.Load()
			if now == before {
				return
			}
			before = now
		}
	}
}

// reset makes the connection end with RST instead of an orderly end, and wakes who reads or writes on it.
func reset(connection *net.TCPConn) {
	_ = connection.SetLinger(0)
	_ = connection.Close()
}
