package execution

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"berth.dev/helper/internal/ids"
	"berth.dev/helper/internal/problem"
	"berth.dev/helper/internal/process"
	"berth.dev/helper/internal/records"
)

const maxBodyBytes = 4096

// Routes registers what the protocol says about executions.
func (r *Registry) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /executions/{id}", r.execute)
	mux.HandleFunc("POST /executions/{id}/signal", r.signal)
	mux.HandleFunc("DELETE /executions/{id}", r.cancel)
}

// execute runs a command or joins it, and streams its output.
func (r *Registry) execute(w http.ResponseWriter, request *http.Request) {
	id := request.PathValue("id")
	at, err := readOffsets(request.URL.Query())
	if err == nil && !ids.Valid(id) {
		err = errors.New("the id is none")
	}
	if err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	s, err := readSpec(request)
	if err != nil {
		writeSpecProblem(w, err)
		return
	}
	e, err := r.run(id, s, at)
	if err != nil {
		writeProblem(w, err)
		return
	}
	a, err := e.attach(at)
	if err != nil {
		writeProblem(w, err)
		return
	}
	if e.input != nil {
		go e.input.feed(request.Body)
	}
	w.Header().Set("content-type", records.ContentType)
	defer r.settle()
	// A panic of the handler is the server's way to cut a stream; the execution goes on as after a lost connection.
	defer func() { e.detach(a, connectionLost) }()
	switch e.send(request.Context(), w, a) {
	case complete:
	case closed:
		<-request.Context().Done()
		e.detach(a, whyClosed(request.Context()))
	case replaced, broken:
		panic(http.ErrAbortHandler)
	}
}

// signal sends a signal to the process group.
func (r *Registry) signal(w http.ResponseWriter, request *http.Request) {
	var body struct {
		Signal string `json:"signal"`
	}
	if err := json.NewDecoder(io.LimitReader(request.Body, maxBodyBytes)).Decode(&body); err != nil {
		problem.Write(w, http.StatusBadRequest, "bad_request", "the body is no JSON with a signal")
		return
	}
	sig, ok := process.SignalNumber(body.Signal)
	if !ok {
		problem.Write(w, http.StatusBadRequest, "bad_request", "no such signal: "+body.Signal)
		return
	}
	e := r.find(request.PathValue("id"))
	if e == nil {
		problem.Write(w, http.StatusNotFound, "not_found", "no such execution")
		return
	}
	if e.process == nil || e.hasEnded() || e.process.Signal(sig) != nil {
		problem.Write(w, http.StatusConflict, "conflict", "the execution has ended")
		return
	}
	problem.JSON(w, http.StatusOK, struct{}{})
}

// cancel ends an execution with everything that it has led to, also what it left behind when it ended, and answers its end.
func (r *Registry) cancel(w http.ResponseWriter, request *http.Request) {
	e := r.find(request.PathValue("id"))
	if e == nil {
		problem.Write(w, http.StatusNotFound, "not_found", "no such execution")
		return
	}
	if e.startErr != nil {
		writeProblem(w, e.startErr)
		return
	}
	e.requestStop(cancelled)
	<-e.ended
	e.process.End(request.Context(), killGrace)
	problem.JSON(w, http.StatusOK, e.result)
}

func writeSpecProblem(w http.ResponseWriter, err error) {
	if errors.Is(err, errSpecTooLarge) {
		problem.Write(w, http.StatusRequestEntityTooLarge, "too_large", err.Error())
		return
	}
	problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
}

func writeProblem(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errGone):
		problem.Write(w, http.StatusGone, "gone", err.Error())
	case errors.Is(err, errAhead):
		problem.Write(w, http.StatusBadRequest, "bad_request", err.Error())
	case errors.Is(err, errTooMany):
		problem.Write(w, http.StatusTooManyRequests, "too_many", err.Error())
	default:
		problem.Write(w, http.StatusInternalServerError, "internal", err.Error())
	}
}
