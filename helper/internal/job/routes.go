package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"berth.dev/helper/internal/ids"
	"berth.dev/helper/internal/problem"
	"berth.dev/helper/internal/process"
)

const (
	// maxBody bounds a body, in bytes: the input in base64 and the rest.
	maxBody = 2 << 20
	maxWait = 60 * time.Second
)

// Routes registers the jobs of PROTOCOL.md.
func (r *Registry) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /jobs", r.list)
	mux.HandleFunc("PUT /jobs/{id}", r.put)
	mux.HandleFunc("GET /jobs/{id}", r.with(serveStatus))
	mux.HandleFunc("GET /jobs/{id}/stdout", r.with(func(w http.ResponseWriter, request *http.Request, one *job) {
		r.serveOutput(w, request, one, one.stdout)
	}))
	mux.HandleFunc("GET /jobs/{id}/stderr", r.with(func(w http.ResponseWriter, request *http.Request, one *job) {
		r.serveOutput(w, request, one, one.stderr)
	}))
	mux.HandleFunc("POST /jobs/{id}/signal", r.with(serveSignal))
	mux.HandleFunc("POST /jobs/{id}/cancel", r.with(serveCancel))
	mux.HandleFunc("DELETE /jobs/{id}", r.with(func(w http.ResponseWriter, _ *http.Request, one *job) {
		answer(w, r.remove(one))
	}))
}

// with finds the job of the path.
func (r *Registry) with(serve func(http.ResponseWriter, *http.Request, *job)) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		one := r.find(request.PathValue("id"))
		if one == nil {
			problem.Write(w, http.StatusNotFound, "not_found", "no job of this id")
			return
		}
		serve(w, request, one)
	}
}

func (r *Registry) list(w http.ResponseWriter, _ *http.Request) {
	all := []Status{}
	for _, one := range r.all() {
		all = append(all, one.current())
	}
	slices.SortFunc(all, func(a, b Status) int {
		if order := a.StartedAt.Compare(b.StartedAt); order != 0 {
			return order
		}
		return strings.Compare(a.ID, b.ID)
	})
	problem.JSON(w, http.StatusOK, map[string]any{"jobs": all})
}

func (r *Registry) put(w http.ResponseWriter, httpRequest *http.Request) {
	id := httpRequest.PathValue("id")
	if !ids.Valid(id) {
		problem.Write(w, http.StatusBadRequest, "bad_request", "an id is 1 to 64 of A-Z a-z 0-9 _ -")
		return
	}
	var asked request
	if !decode(w, httpRequest, &asked) {
		return
	}
	wanted, err := asked.check()
	if err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	one, created, err := r.create(id, wanted)
	if err != nil {
		refuse(w, err)
		return
	}
	code := http.StatusOK
	if created {
		code = http.StatusCreated
	}
	problem.JSON(w, code, one.current())
}

func serveStatus(w http.ResponseWriter, request *http.Request, one *job) {
	wait := 0
	if text := request.URL.Query().Get("wait_ms"); text != "" {
		var err error
		if wait, err = strconv.Atoi(text); err != nil || wait < 0 {
			problem.Write(w, http.StatusBadRequest, "bad_request", fmt.Sprintf("wait_ms: %q is no number of milliseconds", text))
			return
		}
	}
	patience := time.Duration(min(int64(wait), maxWait.Milliseconds())) * time.Millisecond
	problem.JSON(w, http.StatusOK, awaitStatus(request.Context(), one, patience))
}

func serveSignal(w http.ResponseWriter, request *http.Request, one *job) {
	var asked struct {
		Signal string `json:"signal"`
	}
	if !decode(w, request, &asked) {
		return
	}
	number, known := process.SignalNumber(asked.Signal)
	if !known {
		problem.Write(w, http.StatusBadRequest, "bad_request", fmt.Sprintf("no signal is called %q", asked.Signal))
		return
	}
	answer(w, one.signal(number))
}

// serveCancel answers when nothing is left of the job; of one that has ended, nothing is. A client that goes away does not take the
// grace with it.
func serveCancel(w http.ResponseWriter, request *http.Request, one *job) {
	if !one.hasEnded() {
		one.stop(context.WithoutCancel(request.Context()), Cancelled)
		select {
		case <-one.ended:
		case <-request.Context().Done():
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// decode reads a body of JSON, or answers what is wrong with it.
func decode(w http.ResponseWriter, request *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		problem.Write(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("at most %d bytes", maxBody))
		return false
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", "the body: "+err.Error())
		return false
	}
	return true
}

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
	switch {
	case errors.Is(err, errRunning), errors.Is(err, errEnded):
		return http.StatusConflict, "conflict"
	case errors.Is(err, errUsed):
		return http.StatusGone, "gone"
	case errors.Is(err, errTooManyRunning), errors.Is(err, errTooManyKept), errors.Is(err, errTooManyFollow):
		return http.StatusTooManyRequests, "too_many"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return http.StatusInsufficientStorage, "no_space"
	default:
		return http.StatusInternalServerError, "internal"
	}
}
