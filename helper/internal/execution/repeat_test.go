package execution

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnExecutionWhoseNameOrFolderIsVeryLongEndsLikeAnyThatCannotBeRun(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	long := strings.Repeat("ä", 35_000)
	for name, spec := range map[string]command{
		"argv[0]": {"argv": []string{long}},
		"cwd":     sh("true").with("cwd", "/"+long),
	} {
		got := c.execute(h.id(), spec, nil).collect()
		if got.end.Message == nil || len(*got.end.Message) > 1000 || strings.Contains(*got.end.Message, "\uFFFD") {
			t.Errorf("%s: %+v", name, got.end)
		}
	}
}

func TestARefusedRepeatTakesNothingFromTheClientThatIsServed(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	id := h.id()
	served := c.execute(id, sh("read go; exec head -c 4M /dev/zero").with("stdin", true), &heldInput{t: t, h: h, id: id, c: c})
	if got := served.collect(); len(got.stdout) != 4<<20 || got.end.End != exited {
		t.Errorf("%d bytes, %+v", len(got.stdout), got.end)
	}
}

// heldInput is a body whose one line is sent once a repeat of the request was refused.
type heldInput struct {
	t    *testing.T
	h    *helper
	id   string
	c    *client
	sent bool
}

func (in *heldInput) Read(p []byte) (int, error) {
	if in.sent {
		return 0, io.EOF
	}
	in.sent = true
	eventually(in.t, "the client is served", func() bool {
		e := in.h.registry.find(in.id)
		return e != nil && e.isAttached()
	})
	if s, err := in.c.tryExecute(in.id+"?stdout=0&stderr=5", sh("true"), nil); err != nil || s.status != http.StatusBadRequest {
		in.t.Errorf("the repeat: %v, %v", s, err)
	}
	return copy(p, "go\n"), nil
}

func TestWhatAnExecutionLeavesBehindMayGoOnPrinting(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	folder := t.TempDir()
	c.execute(h.id(), sh("true"), nil).collect()
	before := countDescriptors(t)
	gate, alive := filepath.Join(folder, "gate"), filepath.Join(folder, "alive")
	id := h.id()
	// More than a pipe holds is printed: it must be read, not only kept open.
	script := `(until [ -e ` + gate + ` ]; do sleep 0.01; done; echo hi; head -c 4M /dev/zero && touch ` + alive + `; exec sleep 100) & echo started`
	got := c.execute(id, sh(script), nil).collect()
	if string(got.stdout) != "started\n" || got.end.End != exited {
		t.Errorf("%q, %+v", got.stdout, got.end)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon prints and goes on", func() bool {
		_, err := os.Stat(alive)
		return err == nil
	})
	if status := c.call(http.MethodDelete, "/executions/"+id, ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if left := h.registry.find(id).stdout.written(); left != int64(len("started\n")) {
		t.Errorf("%d bytes were kept", left)
	}
	eventually(t, "the pipes go with the daemon", func() bool { return countDescriptors(t) <= before })
}

func TestACancelledExecutionGivesADaemonNoTimeForLastWords(t *testing.T) {
	e := newExecution("x", newMemory(), time.Minute)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	drained := make(chan struct{})
	p := &pump{pipe: r, tape: e.stdout, notify: e.notify, passed: e.passLimit, settled: func() { close(drained) }}
	go p.run()
	began := time.Now()
	e.drain([]*pump{p}, drained, timedOut)
	if took := time.Since(began); took >= eofWait {
		t.Errorf("took %v", took)
	}
}
