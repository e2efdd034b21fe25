package terminal

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"berth.dev/helper/internal/ids"
	"berth.dev/helper/internal/problem"
	"berth.dev/helper/internal/records"
)

// keyBytes is what is read of a body at once.
const keyBytes = 4 << 10

// serveAttach joins one client to a terminal: its body is typed, the terminal's output is the answer.
func serveAttach(w http.ResponseWriter, request *http.Request, t *Terminal) {
	query := request.URL.Query()
	client, wanted := query.Get("client"), Mode(query.Get("mode"))
	since, err := parseSince(query.Get("since"))
	if err == nil && wanted != Write && wanted != Read {
		err = fmt.Errorf("mode: %q is neither write nor read", wanted)
	}
	if err == nil && !ids.Valid(client) {
		err = fmt.Errorf("client: %q is no id", client)
	}
	if err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	ctx, cut := context.WithCancel(request.Context())
	defer cut()
	one, err := t.attach(client, wanted, since, cut)
	if err != nil {
		refuse(w, err)
		return
	}
	settle := interruptWith(ctx, http.NewResponseController(w))
	w.Header().Set("content-type", records.ContentType)
	w.WriteHeader(http.StatusOK)
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		t.typeFrom(ctx, one, request.Body)
	}()
	// Whoever was cut sees a stream without an end, and knows what that means.
	_ = newStream(t, one, w).run(ctx)
	t.leave(one)
	settle()
	cut()
	<-typed
}

// interruptWith resets a request's stream when the context ends: a client that takes nothing would hold a handler that was cut for ever.
// The handler calls what it answers before it returns; that ends the reading of the body, and leaves the answer whole if it still is.
func interruptWith(ctx context.Context, control *http.ResponseController) (settle func()) {
	settled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(settled)
		// Where the connection is gone, it has failed both already.
		_ = control.SetReadDeadline(past)
		_ = control.SetWriteDeadline(past)
	})
	return func() {
		if stop() {
			_ = control.SetReadDeadline(past)
			return
		}
		<-settled
	}
}

// typeFrom types what a body brings until it ends, the terminal has ended or the stream was cut.
func (t *Terminal) typeFrom(ctx context.Context, one *attachment, body io.Reader) {
	keys := make([]byte, keyBytes)
	for ctx.Err() == nil {
		count, err := body.Read(keys)
		if count > 0 {
			if t.write(one, keys[:count], ctx.Done()) != nil {
				return
			}
			t.activity()
		}
		if err != nil {
			return
		}
	}
}
