package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"syscall"

	"berth.dev/helper/internal/problem"
)

// failure is an error whose status and code are known where it happens.
type failure struct {
	status int
	code   string
	detail string
	// offset is where an upload stands; nil where the failure is about something else.
	offset *int64
}

func (f *failure) Error() string { return f.detail }

func refuse(status int, code, format string, arguments ...any) error {
	return &failure{status: status, code: code, detail: fmt.Sprintf(format, arguments...)}
}

func badRequest(format string, arguments ...any) error {
	return refuse(http.StatusBadRequest, "bad_request", format, arguments...)
}

// wrongOffset says where an upload stands, so that the client goes on from there.
func wrongOffset(current int64) error {
	return &failure{http.StatusConflict, "conflict", fmt.Sprintf("the upload stands at %d", current), &current}
}

// kernelAnswers is what the kernel's refusals mean to a client.
var kernelAnswers = map[syscall.Errno]struct {
	status int
	code   string
}{
	syscall.ENOENT:       {http.StatusNotFound, "not_found"},
	syscall.EACCES:       {http.StatusForbidden, "denied"},
	syscall.EPERM:        {http.StatusForbidden, "denied"},
	syscall.EROFS:        {http.StatusForbidden, "denied"},
	syscall.EEXIST:       {http.StatusConflict, "exists"},
	syscall.ENOTEMPTY:    {http.StatusConflict, "not_empty"},
	syscall.EISDIR:       {http.StatusConflict, "is_directory"},
	syscall.ENOTDIR:      {http.StatusConflict, "not_directory"},
	syscall.ENXIO:        {http.StatusConflict, "not_regular"},
	syscall.ENODEV:       {http.StatusConflict, "not_regular"},
	syscall.EBUSY:        {http.StatusConflict, "conflict"},
	syscall.ETXTBSY:      {http.StatusConflict, "conflict"},
	syscall.EFBIG:        {http.StatusRequestEntityTooLarge, "too_large"},
	syscall.EMFILE:       {http.StatusTooManyRequests, "too_many"},
	syscall.ENFILE:       {http.StatusTooManyRequests, "too_many"},
	syscall.ENOSPC:       {http.StatusInsufficientStorage, "no_space"},
	syscall.EDQUOT:       {http.StatusInsufficientStorage, "no_space"},
	syscall.ELOOP:        {http.StatusBadRequest, "bad_request"},
	syscall.ENAMETOOLONG: {http.StatusBadRequest, "bad_request"},
	syscall.EINVAL:       {http.StatusBadRequest, "bad_request"},
	syscall.EILSEQ:       {http.StatusBadRequest, "bad_request"},
}

// asFailure finds what an error means to a client.
func asFailure(err error) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if answer, found := kernelAnswers[errno]; found {
			return &failure{status: answer.status, code: answer.code, detail: err.Error()}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &failure{status: http.StatusNotFound, code: "not_found", detail: err.Error()}
	}
	return &failure{status: http.StatusInternalServerError, code: "internal", detail: err.Error()}
}

func writeFailure(w http.ResponseWriter, err error) {
	if errors.Is(err, context.Canceled) {
		// Nobody listens any more; the reset says the same to whoever stands between.
		panic(http.ErrAbortHandler)
	}
	answer := asFailure(err)
	if answer.offset != nil {
		w.Header().Set("berth-offset", strconv.FormatInt(*answer.offset, 10))
	}
	problem.Write(w, answer.status, answer.code, answer.detail)
}
