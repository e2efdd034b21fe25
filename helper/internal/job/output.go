package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"berth.dev/helper/internal/problem"
)

// maxFollows bounds the streams that wait for more output: the connection has a bounded number, and requests that are answered at once
// need some of them.
const maxFollows = 30

var errTooManyFollow = fmt.Errorf("at most %d streams follow the output of jobs", maxFollows)

// extent is the part of a job's output that is asked for.
type extent struct {
	offset int64
	limit  int64 // -1: none
	follow bool
}

func parseExtent(query url.Values) (extent, error) {
	asked := extent{limit: -1}
	var err error
	if text := query.Get("offset"); text != "" {
		if asked.offset, err = strconv.ParseInt(text, 10, 64); err != nil || asked.offset < 0 {
			return asked, fmt.Errorf("offset: %q is no offset", text)
		}
	}
	if text := query.Get("limit"); text != "" {
		if asked.limit, err = strconv.ParseInt(text, 10, 64); err != nil || asked.limit < 0 {
			return asked, fmt.Errorf("limit: %q is no number of bytes", text)
		}
	}
	switch text := query.Get("follow"); text {
	case "", "0":
	case "1":
		asked.follow = true
	default:
		return asked, fmt.Errorf("follow: %q is neither 0 nor 1", text)
	}
	return asked, nil
}

// serveOutput answers bytes of one stream: those that are there, or with `follow` all that come.
func (r *Registry) serveOutput(w http.ResponseWriter, request *http.Request, one *job, from *spool) {
	asked, err := parseExtent(request.URL.Query())
	size := from.bytes()
	if err == nil && asked.offset > size {
		err = fmt.Errorf("offset: %d is beyond the end, %d", asked.offset, size)
	}
	if err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	if asked.follow {
		defer r.follows.Add(-1)
		if r.follows.Add(1) > maxFollows {
			refuse(w, errTooManyFollow)
			return
		}
	}
	file, err := openOutput(from)
	if err != nil {
		problem.Write(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	defer file.Close()
	w.Header().Set("content-type", "application/octet-stream")
	if asked.follow {
		err = follow(request.Context(), w, one, from, file, asked)
	} else {
		count := size - asked.offset
		if asked.limit >= 0 {
			count = min(count, asked.limit)
		}
		w.Header().Set("content-length", strconv.FormatInt(count, 10))
		w.Header().Set("berth-next-offset", strconv.FormatInt(asked.offset+count, 10))
		err = send(w, file, asked.offset, count)
	}
	if err != nil {
		// Headers are out: only a reset tells that the bytes so far are not all.
		panic(http.ErrAbortHandler)
	}
}

// openOutput opens the file for reading. A job that an earlier helper could not even begin to spool has none; it is empty. The file is in
// reach of the session's own programs: a pipe in its place must not hold the helper.
func openOutput(from *spool) (*os.File, error) {
	file, err := os.OpenFile(from.path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return os.Open(os.DevNull)
	}
	return file, err
}

// follow sends what is there and what comes, until the job has ended and all of it is sent, or the limit is.
func follow(ctx context.Context, w http.ResponseWriter, one *job, from *spool, file *os.File, asked extent) error {
	flush := http.NewResponseController(w).Flush
	w.WriteHeader(http.StatusOK)
	for sent := int64(0); asked.limit < 0 || sent < asked.limit; {
		// Both are asked for before the size is: what changes after that is seen in the next round.
		changed, over := one.changed.wait(), one.hasEnded()
		count := from.bytes() - asked.offset - sent
		if asked.limit >= 0 {
			count = min(count, asked.limit-sent)
		}
		if count > 0 {
			if err := send(w, file, asked.offset+sent, count); err != nil {
				return err
			}
			sent += count
			continue
		}
		if over {
			return nil
		}
		if err := flush(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// send copies exactly so many bytes, and fails where the file has fewer.
func send(w io.Writer, file *os.File, offset, count int64) error {
	buffer, _ := pumpBuffers.Get().(*[pumpBytes]byte)
	defer pumpBuffers.Put(buffer)
	sent, err := io.CopyBuffer(w, io.NewSectionReader(file, offset, count), buffer[:])
	if err == nil && sent < count {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// awaitStatus answers the status at the end, or when the time is over.
func awaitStatus(ctx context.Context, one *job, patience time.Duration) Status {
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-one.ended:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return one.current()
}
