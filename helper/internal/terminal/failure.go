package terminal

import (
	"errors"
	"net/http"
	"syscall"

	"berth.dev/helper/internal/problem"
	"berth.dev/helper/internal/process"
)

// answer is 204, or the problem.
func answer(w http.ResponseWriter, err error) {
	if err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// refuse answers an error in the protocol's words.
func refuse(w http.ResponseWriter, err error) {
	status, code := classify(err)
	problem.Write(w, status, code, err.Error())
}

func classify(err error) (status int, code string) {
	var cannotStart *process.StartError
	switch {
	case errors.As(err, &cannotStart), errors.Is(err, ErrBeyondEnd):
		return http.StatusBadRequest, "bad_request"
	case errors.Is(err, ErrNotWriter):
		return http.StatusForbidden, "denied"
	case errors.Is(err, ErrEnded), errors.Is(err, ErrNotAttached):
		return http.StatusConflict, "conflict"
	case errors.Is(err, ErrUsed):
		return http.StatusGone, "gone"
	case errors.Is(err, ErrTooMany), errors.Is(err, ErrTooManyAttached):
		return http.StatusTooManyRequests, "too_many"
	case errors.Is(err, syscall.ENOSPC):
		return http.StatusInsufficientStorage, "no_space"
	default:
		return http.StatusInternalServerError, "internal"
	}
}
