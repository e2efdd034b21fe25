package execution

import (
	"errors"
	"fmt"
	"os"

	"berth.dev/helper/internal/process"
)

// start runs the program. A program that cannot be run is a result, as a shell would have it.
func (e *execution) start(table *process.Table, s *spec, whenEnded func()) {
	defer close(e.started)
	pumps, err := e.launch(table, s)
	var failure *process.StartError
	switch {
	case errors.As(err, &failure):
		e.finish(endEvent{End: exited, ExitCode: failure.ExitCode, Message: &failure.Message})
		whenEnded()
	case err != nil:
		e.startErr = err
	default:
		go func() {
			e.supervise(s.timeout(), pumps)
			whenEnded()
		}()
	}
}

// launch makes the pipes and starts the process between them.
func (e *execution) launch(table *process.Table, s *spec) ([]*pump, error) {
	var theirs, ours []*os.File
	defer func() { closeAll(theirs) }()
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err != nil {
			closeAll(ours)
			err = fmt.Errorf("make a pipe: %w", err)
		}
		return r, w, err
	}
	start := process.Spec{Argv: s.Argv, Dir: s.Cwd, Env: process.MergeEnv(table.BaseEnv(), s.Env)}
	var pumps []*pump
	for _, output := range []struct {
		tape  *tape
		child **os.File
	}{{e.stdout, &start.Stdout}, {e.stderr, &start.Stderr}} {
		r, w, err := pipe()
		if err != nil {
			return nil, err
		}
		*output.child = w
		theirs, ours = append(theirs, w), append(ours, r)
		pumps = append(pumps, &pump{pipe: r, tape: output.tape, limit: s.OutputLimitBytes, notify: e.notify, passed: e.passLimit})
	}
	if s.Stdin {
		r, w, err := pipe()
		if err != nil {
			return nil, err
		}
		start.Stdin = r
		theirs, ours = append(theirs, r), append(ours, w)
		e.input = &input{pipe: w}
	}
	p, err := table.Start(start)
	if err != nil {
		closeAll(ours)
		e.input = nil
		return nil, err
	}
	e.process = p
	return pumps, nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
