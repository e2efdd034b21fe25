package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"berth.dev/helper/internal/ids"
	"berth.dev/helper/internal/problem"
	"berth.dev/helper/internal/process"
)

// maxBody bounds a body of JSON, in bytes.
const maxBody = 256 << 10

// validID is what the protocol allows as an id; it is also safe as a file's name.

// Routes registers the terminals of PROTOCOL.md.
func (r *Registry) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /terminals", r.list)
	mux.HandleFunc("PUT /terminals/{id}", r.put)
	mux.HandleFunc("GET /terminals/{id}", r.with(func(w http.ResponseWriter, _ *http.Request, t *Terminal) {
		problem.JSON(w, http.StatusOK, t.status())
	}))
	mux.HandleFunc("DELETE /terminals/{id}", r.with(func(w http.ResponseWriter, request *http.Request, t *Terminal) {
		// A client that goes away does not take the grace with it.
		go t.end(context.WithoutCancel(request.Context()), Ended)
		select {
		case <-t.finished:
			w.WriteHeader(http.StatusNoContent)
		case <-request.Context().Done():
		}
	}))
	mux.HandleFunc("POST /terminals/{id}/attach", r.with(serveAttach))
	mux.HandleFunc("POST /terminals/{id}/takeover", r.with(serveTakeover))
	mux.HandleFunc("POST /terminals/{id}/resize", r.with(serveResize))
	mux.HandleFunc("POST /terminals/{id}/signal", r.with(serveSignal))
}

// with finds the terminal of the path.
func (r *Registry) with(serve func(http.ResponseWriter, *http.Request, *Terminal)) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		t := r.find(request.PathValue("id"))
		if t == nil {
			problem.Write(w, http.StatusNotFound, "not_found", "no terminal of this id")
			return
		}
		serve(w, request, t)
	}
}

func (r *Registry) list(w http.ResponseWriter, _ *http.Request) {
	answer := []status{}
	for _, t := range r.all() {
		answer = append(answer, t.status())
	}
	problem.JSON(w, http.StatusOK, map[string]any{"terminals": answer})
}

func (r *Registry) put(w http.ResponseWriter, request *http.Request) {
	id := request.PathValue("id")
	if !ids.Valid(id) {
		problem.Write(w, http.StatusBadRequest, "bad_request", "an id is 1 to 64 of A-Z a-z 0-9 _ -")
		return
	}
	var asked spec
	if !decode(w, request, &asked) {
		return
	}
	wanted, err := asked.complete()
	if err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	t, created, err := r.create(id, wanted)
	if err != nil {
		refuse(w, err)
		return
	}
	code := http.StatusOK
	if created {
		code = http.StatusCreated
	}
	problem.JSON(w, code, map[string]any{"id": t.id, "pid": t.process.PID()})
}

func serveTakeover(w http.ResponseWriter, request *http.Request, t *Terminal) {
	var asked struct {
		Client string `json:"client"`
	}
	if decode(w, request, &asked) {
		answer(w, t.takeOver(asked.Client))
	}
}

func serveResize(w http.ResponseWriter, request *http.Request, t *Terminal) {
	var asked struct {
		Client string `json:"client"`
		Cols   int    `json:"cols"`
		Rows   int    `json:"rows"`
	}
	if !decode(w, request, &asked) {
		return
	}
	if err := checkSize(asked.Cols, asked.Rows); err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	answer(w, t.resize(asked.Client, asked.Cols, asked.Rows))
}

func serveSignal(w http.ResponseWriter, request *http.Request, t *Terminal) {
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
	answer(w, t.signal(number))
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

// parseSince answers nil where the query has none.
func parseSince(text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	since, err := strconv.ParseInt(text, 10, 64)
	if err != nil || since < 0 {
		return nil, fmt.Errorf("since: %q is no offset", text)
	}
	return &since, nil
}
