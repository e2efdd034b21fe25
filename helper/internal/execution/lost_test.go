package execution

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestAResetCancelsWithEverythingThatWasStarted(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	id := h.id()
	s := c.execute(id, sh("setsid sleep 100 & echo $!; wait"), nil)
	got, err := s.readUntil(func(a answer) bool { return bytes.HasSuffix(a.stdout, []byte("\n")) })
	if err != nil {
		t.Fatal(err)
	}
	child, _ := strconv.Atoi(strings.TrimSpace(string(got.stdout)))
	s.cancel()
	// A request that overtakes the reset would take the execution over, as it should.
	e := h.registry.find(id)
	eventually(t, "the reset arrives", func() bool { return !e.isAttached() })
	if got := c.execute(id, sh(""), nil).collect(); got.end.End != cancelled {
		t.Errorf("%+v", got.end)
	}
	if syscall.Kill(child, 0) == nil {
		t.Error("its child lives on")
	}
}

func TestALostConnectionIsJoinedAgainWithoutLossOrRepetition(t *testing.T) {
	h := newHelper(t)
	id := h.id()
	const lines = 60000
	spec := sh(fmt.Sprintf("seq 1 %d; seq 1 1000 >&2; exit 9", lines))
	var whole answer
	cuts := 0
	for whole.end.Event == "" {
		c := h.dial(t)
		s := c.execute(fmt.Sprintf("%s?stdout=%d&stderr=%d", id, len(whole.stdout), len(whole.stderr)), spec, nil)
		stop := 40000 * (cuts + 1)
		part, err := s.readUntil(func(a answer) bool { return cuts < 4 && len(a.stdout)+len(a.stderr) > stop })
		if err != nil {
			t.Fatal(err)
		}
		whole.stdout, whole.stderr = append(whole.stdout, part.stdout...), append(whole.stderr, part.stderr...)
		whole.end = part.end
		if part.end.Event == "" {
			c.cut()
			cuts++
		}
	}
	var want bytes.Buffer
	for i := 1; i <= lines; i++ {
		fmt.Fprintln(&want, i)
	}
	if !bytes.Equal(whole.stdout, want.Bytes()) || bytes.Count(whole.stderr, []byte("\n")) != 1000 {
		t.Errorf("%d of %d bytes, %d of stderr", len(whole.stdout), want.Len(), len(whole.stderr))
	}
	if cuts == 0 || whole.end.End != exited || whole.end.ExitCode != 9 || whole.end.StdoutBytes != int64(want.Len()) {
		t.Errorf("%d cuts, %+v", cuts, whole.end)
	}
}

func TestInputGoesOnWhereALostConnectionBrokeOffWhenTheRequestIsRepeated(t *testing.T) {
	h := newHelper(t)
	id := h.id()
	spec := command{"argv": []string{"cat"}, "stdin": true}
	first := h.dial(t)
	r, w := io.Pipe()
	s := first.execute(id, spec, r)
	go func() { _, _ = w.Write([]byte("hello ")) }()
	if _, err := s.readUntil(func(a answer) bool { return len(a.stdout) == 6 }); err != nil {
		t.Fatal(err)
	}
	first.cut()
	_ = w.CloseWithError(errors.New("cut"))
	got := h.dial(t).execute(id, spec, strings.NewReader("hello world")).collect()
	if string(got.stdout) != "hello world" || got.end.End != exited {
		t.Errorf("%q, %+v", got.stdout, got.end)
	}
}

func TestAConnectionThatStaysLostEndsTheExecution(t *testing.T) {
	h := newHelper(t)
	h.registry.lostAfter = 50 * time.Millisecond
	id := h.id()
	c := h.dial(t)
	s := c.execute(id, sh("echo ready; exec yes"), nil)
	if _, err := s.readUntil(func(a answer) bool { return len(a.stdout) > 0 }); err != nil {
		t.Fatal(err)
	}
	c.cut()
	eventually(t, "the execution ends", func() bool { return h.registry.Running() == 0 })
	if got := h.registry.find(id).result; got.End != connectionLost {
		t.Errorf("%+v", got)
	}
}

func TestAnIDRunsOnceHoweverOftenItIsSent(t *testing.T) {
	h := newHelper(t)
	id := h.id()
	log := filepath.Join(t.TempDir(), "log")
	spec := sh(fmt.Sprintf("echo ran >> %s; sleep 0.1; echo done", log))
	var group sync.WaitGroup
	for range 10 {
		c := h.dial(t)
		group.Go(func() {
			// One of them is attached at last; the others are cut when the next takes over.
			if s, err := c.tryExecute(id, spec, nil); err == nil {
				_, _ = s.readUntil(func(answer) bool { return false })
			}
		})
	}
	group.Wait()
	got := h.dial(t).execute(id, spec, nil).collect()
	if string(got.stdout) != "done\n" || got.end.End != exited {
		t.Errorf("%q, %+v", got.stdout, got.end)
	}
	if content, err := os.ReadFile(log); err != nil || string(content) != "ran\n" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestARequestThatJoinsWhatThisHelperNeverRanStartsNothing(t *testing.T) {
	h := newHelper(t)
	if s := h.dial(t).execute(h.id()+"?stdout=5", sh("true"), nil); s.status != http.StatusGone {
		t.Errorf("status %d", s.status)
	}
	if h.registry.Running() != 0 {
		t.Error("something runs")
	}
}

func TestDeleteCancelsAndAnswersWhenNothingIsLeft(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	id := h.id()
	s := c.execute(id, sh("setsid sleep 100 & echo $!; wait"), nil)
	part, err := s.readUntil(func(a answer) bool { return len(a.stdout) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if got := c.call(http.MethodDelete, "/executions/"+id, ""); got != http.StatusOK {
		t.Errorf("%d", got)
	}
	child, _ := strconv.Atoi(strings.TrimSpace(string(part.stdout)))
	if syscall.Kill(child, 0) == nil {
		t.Error("its child lives on")
	}
	if got := s.collect(); got.end.End != cancelled {
		t.Errorf("%+v", got.end)
	}
	if got := c.call(http.MethodDelete, "/executions/none", ""); got != http.StatusNotFound {
		t.Errorf("an unknown one: %d", got)
	}
}

func TestResultsAreBoundedAndAForgottenIDNeverRunsAgain(t *testing.T) {
	h := newHelper(t)
	c := h.dial(t)
	first := h.id()
	c.execute(first, sh("head -c 1M /dev/zero"), nil).collect()
	for range 10 {
		c.execute(h.id(), sh("head -c 1M /dev/zero"), nil).collect()
	}
	eventually(t, "what is kept is bounded", func() bool { return h.registry.memory.used.Load() <= resultBytes })
	if s := c.execute(first, sh("true"), nil); s.status != http.StatusGone {
		t.Errorf("status %d", s.status)
	}
}
