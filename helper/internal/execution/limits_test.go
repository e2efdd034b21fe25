package execution

import (
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestATimeoutEndsTheDaemonsTooWithinThreeSeconds(t *testing.T) {
	h := newHelper(t)
	script := `setsid sh -c "trap '' TERM; echo \$\$; while :; do sleep 1; done" & trap '' TERM; while :; do sleep 1; done`
	began := time.Now()
	got := h.dial(t).execute(h.id(), sh(script).with("timeout_ms", 200), nil).collect()
	if took := time.Since(began); took > 3200*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
	if got.end.End != timedOut || got.end.ExitCode != 137 {
		t.Errorf("%+v", got.end)
	}
	daemon, err := strconv.Atoi(strings.TrimSpace(string(got.stdout)))
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(daemon, 0) == nil {
		t.Error("the daemon lives on")
	}
}

func TestOutputBeyondTheLimitEndsTheExecution(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	got := c.execute(h.id(), sh("exec yes").with("output_limit_bytes", 100001), nil).collect()
	if got.end.End != outputLimit || len(got.stdout) != 100001 || got.end.StdoutBytes != 100001 {
		t.Errorf("%d bytes, %+v", len(got.stdout), got.end)
	}
	// It ends by itself at once, and still its output was cut.
	if got := c.execute(h.id(), sh("echo too much").with("output_limit_bytes", 3), nil).collect(); got.end.End != outputLimit || string(got.stdout) != "too" {
		t.Errorf("%q, %+v", got.stdout, got.end)
	}
	if got := c.execute(h.id(), sh("echo fit").with("output_limit_bytes", 4), nil).collect(); got.end.End != exited {
		t.Errorf("exactly the limit: %+v", got.end)
	}
}

func TestAClientThatStandsStillMakesTheProcessWait(t *testing.T) {
	h := newHelper(t)
	id := h.id()
	s := h.dial(t).execute(id, sh("exec head -c 64M /dev/zero"), nil)
	e := h.registry.find(id)
	var last int64
	eventually(t, "the output stands still", func() bool {
		now := e.stdout.written()
		still := now > maxBehind && now == last
		last = now
		time.Sleep(20 * time.Millisecond)
		return still
	})
	if last > 8<<20 {
		t.Errorf("%d bytes were taken in from a process nobody reads", last)
	}
	if kept := e.stdout.kept(); kept > maxKept+maxBehind+4*chunkBytes {
		t.Errorf("%d bytes are held", kept)
	}
	if got := s.collect(); len(got.stdout) != 64<<20 || got.end.End != exited {
		t.Errorf("%d bytes, %+v", len(got.stdout), got.end)
	}
}

func TestTheFiftyFirstExecutionIsRefusedUntilOneEnds(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	var first *stream
	for i := range maxRunning {
		s := c.execute(h.id(), sh("exec sleep 100"), nil)
		if i == 0 {
			first = s
		}
	}
	if s := c.execute(h.id(), sh("true"), nil); s.status != http.StatusTooManyRequests {
		t.Errorf("status %d", s.status)
	}
	first.cancel()
	eventually(t, "one ends", func() bool { return h.registry.Running() < maxRunning })
	if got := c.execute(h.id(), sh("exit 2"), nil).collect(); got.end.ExitCode != 2 {
		t.Errorf("%+v", got.end)
	}
	for id, e := range h.registry.byIDForTest() {
		if !e.hasEnded() {
			c.call(http.MethodDelete, "/executions/"+id, "")
		}
	}
}

func (r *Registry) byIDForTest() map[string]*execution {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]*execution{}
	for id, e := range r.byID {
		all[id] = e
	}
	return all
}

func TestABadRequestStartsNothing(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	for _, one := range []struct {
		name, path string
		spec       command
		status     int
	}{
		{"an id with a dot", "a.b", sh("true"), 400},
		{"a long id", strings.Repeat("a", 65), sh("true"), 400},
		{"no argv", "a", command{}, 400},
		{"argv of a wrong type", "a", command{"argv": "true"}, 400},
		{"a NUL", "a", command{"argv": []string{"a\x00b"}}, 400},
		{"a bad variable", "a", sh("true").with("env", map[string]string{"A=B": ""}), 400},
		{"a negative timeout", "a", sh("true").with("timeout_ms", -1), 400},
		{"a negative offset", "a?stdout=-1", sh("true"), 400},
		{"a spec that is too long", "a", sh(strings.Repeat("x", maxSpecBytes)), 413},
	} {
		if s := c.execute(one.path, one.spec, nil); s.status != one.status {
			t.Errorf("%s: %d", one.name, s.status)
		}
	}
	if len(h.registry.byIDForTest()) != 0 {
		t.Error("something was started")
	}
}
