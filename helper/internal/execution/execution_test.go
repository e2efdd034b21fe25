package execution

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestACommandsOutputAndExitCodeAreStreamed(t *testing.T) {
	h := newHelper(t)
	got := h.dial(t).execute(h.id(), sh("echo out; echo err >&2; exit 3"), nil).collect()
	if string(got.stdout) != "out\n" || string(got.stderr) != "err\n" {
		t.Errorf("%q, %q", got.stdout, got.stderr)
	}
	if got.end.End != exited || got.end.ExitCode != 3 || got.end.Signal != nil || got.end.StdoutBytes != 4 || got.end.StderrBytes != 4 {
		t.Errorf("%+v", got.end)
	}
	if strings.Join(got.events, " ") != "started end" || got.pid == 0 {
		t.Errorf("%v, pid %d", got.events, got.pid)
	}
}

func TestACommandRunsWhereAndWithWhatTheSpecSays(t *testing.T) {
	h := newHelper(t)
	dir := t.TempDir()
	t.Setenv("FROM_CONTAINER", "kept")
	t.Setenv("REPLACED", "no")
	spec := sh(`echo "$PWD $FROM_CONTAINER $REPLACED $OWN"`).with("cwd", dir).with("env", map[string]string{"OWN": "o", "REPLACED": "yes"})
	got := h.dial(t).execute(h.id(), spec, nil).collect()
	if want := dir + " kept yes o\n"; string(got.stdout) != want {
		t.Errorf("%q, want %q", got.stdout, want)
	}
}

func TestASignalThatEndedItIsNamed(t *testing.T) {
	h := newHelper(t)
	got := h.dial(t).execute(h.id(), sh("kill -SEGV $$"), nil).collect()
	if got.end.End != signaled || got.end.Signal == nil || *got.end.Signal != "SEGV" || got.end.ExitCode != 139 {
		t.Errorf("%+v", got.end)
	}
}

func TestAProgramThatCannotBeRunIsAResultWithAMessage(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	for program, code := range map[string]int{"no-such-program": 127, os.TempDir(): 126} {
		got := c.execute(h.id(), command{"argv": []string{program}}, nil).collect()
		if got.end.End != exited || got.end.ExitCode != code || got.end.Message == nil || *got.end.Message == "" || got.pid != 0 {
			t.Errorf("%s: %+v", program, got)
		}
	}
}

func TestTheEndOfTheBodyIsTheEndOfTheInput(t *testing.T) {
	h := newHelper(t)
	r, w := io.Pipe()
	s := h.dial(t).execute(h.id(), command{"argv": []string{"cat"}, "stdin": true}, r)
	go func() { _, _ = w.Write([]byte("first")) }()
	if got, err := s.readUntil(func(a answer) bool { return string(a.stdout) == "first" }); err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	_ = w.Close()
	if got := s.collect(); got.end.End != exited || got.end.ExitCode != 0 {
		t.Errorf("%+v", got.end)
	}
}

func TestInputThatTheProcessDoesNotWantIsDiscarded(t *testing.T) {
	h := newHelper(t)
	big := bytes.NewReader(make([]byte, 4<<20))
	got := h.dial(t).execute(h.id(), sh("exec <&-; sleep 0.05; exit 4").with("stdin", true), big).collect()
	if got.end.ExitCode != 4 {
		t.Errorf("%+v", got.end)
	}
	if got := h.dial(t).execute(h.id(), sh("head -c 5").with("stdin", true), strings.NewReader("hello and more")).collect(); string(got.stdout) != "hello" {
		t.Errorf("%q", got.stdout)
	}
}

func TestProcessesThatNeverReadTheirInputDoNotStallOtherStreams(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	for range 20 {
		endless := io.LimitReader(zeros{}, 1<<40)
		s := c.execute(h.id(), sh("exec sleep 100").with("stdin", true), endless)
		defer s.cancel()
	}
	var slowest time.Duration
	for range 20 {
		began := time.Now()
		if got := c.execute(h.id(), command{"argv": []string{"cat"}, "stdin": true}, strings.NewReader("x")).collect(); string(got.stdout) != "x" {
			t.Fatalf("%q", got.stdout)
		}
		slowest = max(slowest, time.Since(began))
	}
	if slowest > 2*time.Second {
		t.Errorf("another stream waited %v", slowest)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestADaemonThatHoldsTheOutputDoesNotKeepTheExecutionOpenAndLivesOn(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	id := h.id()
	began := time.Now()
	got := c.execute(id, sh("sleep 100 & echo $!"), nil).collect()
	if took := time.Since(began); took > 5*time.Second || got.end.End != exited {
		t.Errorf("%v, %+v", took, got.end)
	}
	daemon, err := strconv.Atoi(strings.TrimSpace(string(got.stdout)))
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(daemon, 0) != nil {
		t.Error("what an execution leaves behind lives on")
	}
	if status := c.call(http.MethodDelete, "/executions/"+id, ""); status != http.StatusOK {
		t.Errorf("DELETE: %d", status)
	}
	if syscall.Kill(daemon, 0) == nil {
		t.Error("DELETE leaves nothing behind")
	}
}

func TestAProcessThatClosesItsOutputLivesUntilItExits(t *testing.T) {
	h := newHelper(t)
	got := h.dial(t).execute(h.id(), sh("exec >&- 2>&-; sleep 0.3; exit 6"), nil).collect()
	if got.end.ExitCode != 6 || got.end.DurationMS < 300 {
		t.Errorf("%+v", got.end)
	}
}

func TestASignalIsSentToTheGroup(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	id := h.id()
	s := c.execute(id, sh("trap 'exit 8' INT; echo ready; while :; do sleep 0.02; done"), nil)
	if _, err := s.readUntil(func(a answer) bool { return len(a.stdout) > 0 }); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		path, body string
		status     int
	}{
		{id, `{"signal":"NOPE"}`, http.StatusBadRequest},
		{id, `nonsense`, http.StatusBadRequest},
		{"none", `{"signal":"INT"}`, http.StatusNotFound},
		{id, `{"signal":"INT"}`, http.StatusOK},
	} {
		if got := c.call(http.MethodPost, "/executions/"+one.path+"/signal", one.body); got != one.status {
			t.Errorf("%s %s: %d", one.path, one.body, got)
		}
	}
	if got := s.collect(); got.end.ExitCode != 8 {
		t.Errorf("%+v", got.end)
	}
	if got := c.call(http.MethodPost, "/executions/"+id+"/signal", `{"signal":"INT"}`); got != http.StatusConflict {
		t.Errorf("after its end: %d", got)
	}
}
