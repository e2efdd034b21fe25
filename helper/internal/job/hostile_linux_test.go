package job

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something that nobody announces.
func eventually(t testing.TB, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal("it never came about")
		}
	}
}

func TestTheRegistryComesUpWhateverLiesInItsFolder(t *testing.T) {
	dir := t.TempDir()
	jobs := filepath.Join(dir, "jobs")
	spec := func(id string) {
		text := fmt.Sprintf(`{"id":%q,"started_at":"2026-01-01T00:00:00Z"}`, id)
		must(t, os.WriteFile(filepath.Join(jobs, id, "spec.json"), []byte(text), 0o600))
	}
	for _, id := range []string{"pipe-spec", "pipe-result"} {
		must(t, os.MkdirAll(filepath.Join(jobs, id), 0o700))
	}
	must(t, syscall.Mkfifo(filepath.Join(jobs, "pipe-spec", "spec.json"), 0o600))
	spec("pipe-result")
	must(t, syscall.Mkfifo(filepath.Join(jobs, "pipe-result", "result.json"), 0o600))
	must(t, syscall.Mkfifo(filepath.Join(jobs, "pipe-result", "result.json.new"), 0o600))
	must(t, syscall.Mkfifo(filepath.Join(jobs, "pipe"), 0o600))
	s := newService(t, Options{Dir: dir})
	if status := s.end("pipe-result"); status["end"] != "pod_restarted" || status["message"] != "the container was restarted" {
		t.Errorf("%v", status)
	}
	if _, list := s.call("GET", "/jobs", nil); len(list["jobs"].([]any)) != 1 {
		t.Errorf("%v", list)
	}
	s.start("more", "true")
	s.end("more")
}

func TestAFolderThatCannotBeRemovedIsLeftWithALineInTheLog(t *testing.T) {
	dir := t.TempDir()
	stuck := filepath.Join(dir, "jobs", "stuck")
	must(t, os.MkdirAll(stuck, 0o700))
	if err := syscall.Mount("none", stuck, "tmpfs", 0, ""); err != nil {
		t.Skipf("this test mounts something: %v", err)
	}
	defer func() { _ = syscall.Unmount(stuck, syscall.MNT_DETACH) }()
	var logged bytes.Buffer
	s := newService(t, Options{Dir: dir, Log: log.New(&logged, "", 0)})
	if strings.Count(logged.String(), "\n") != 1 || !strings.Contains(logged.String(), `"stuck"`) {
		t.Errorf("the log is %q", logged.String())
	}
	s.start("more", "true")
	s.end("more")
}

func TestSomethingElseInThePlaceOfTheFolderMakesWay(t *testing.T) {
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "jobs"), 0o600))
	s := newService(t, Options{Dir: dir})
	s.start("one", "true")
	s.end("one")
}

func TestAClientThatGoesAwayDoesNotTakeTheGraceWithIt(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `trap '' TERM; echo go; while :; do sleep 0.02; done`)
	lines := bufio.NewReader(s.open("GET", "/jobs/one/stdout?follow=1", nil).Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "go\n" {
		t.Fatalf("%q %v", line, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "POST", "http://helper/jobs/one/cancel", nil)
	must(t, err)
	one := s.registry.find("one")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		response, err := s.client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
	}()
	eventually(t, func() bool {
		one.mu.Lock()
		defer one.mu.Unlock()
		return one.cause == Cancelled
	})
	cancel()
	<-gone
	// It ignores TERM: only the grace's end ends it.
	status := s.end("one")
	if took := one.current().EndedAt.Sub(one.current().StartedAt); status["end"] != "cancelled" || took < endGrace {
		t.Errorf("%v after %v", status, took)
	}
}

func TestNoMoreThanFiftyStreamsFollow(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "exec sleep 30")
	for range maxFollows {
		if response := s.open("GET", "/jobs/one/stdout?follow=1", nil); response.StatusCode != 200 {
			t.Fatal(response.Status)
		}
	}
	if code, answer := s.call("GET", "/jobs/one/stderr?follow=1", nil); code != 429 || answer["code"] != "too_many" {
		t.Errorf("%d %v", code, answer)
	}
	if code, _ := s.call("POST", "/jobs/one/cancel", nil); code != 204 {
		t.Error(code)
	}
	s.read("/jobs/one/stderr")
	eventually(t, func() bool { return s.registry.follows.Load() == 0 })
}
