package job

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestJobRunsDetachedAndKeepsItsOutputApart(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `cat; echo "$GIVEN" >&2; pwd; exit 3`, map[string]any{
		"stdin_base64": base64.StdEncoding.EncodeToString([]byte("input\n")), "env": map[string]string{"GIVEN": "value"}, "cwd": "/",
	})
	status := s.end("one")
	if status["end"] != "exited" || status["exit_code"] != 3.0 || status["signal"] != nil || status["ended_at"] == nil || status["message"] != nil {
		t.Fatalf("%v", status)
	}
	if status["stdout_bytes"] != 8.0 || status["stderr_bytes"] != 6.0 || status["oom_killed"] != false {
		t.Fatalf("%v", status)
	}
	stdout, _ := s.read("/jobs/one/stdout")
	stderr, _ := s.read("/jobs/one/stderr")
	if string(stdout) != "input\n/\n" || string(stderr) != "value\n" {
		t.Fatalf("%q %q", stdout, stderr)
	}
}

func TestBytesAreExactByOffset(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "seq 1 300000")
	s.end("one")
	var wanted bytes.Buffer
	for i := 1; i <= 300000; i++ {
		fmt.Fprintln(&wanted, i)
	}
	var seen []byte
	for len(seen) < wanted.Len() {
		part, header := s.read(fmt.Sprintf("/jobs/one/stdout?offset=%d&limit=333333", len(seen)))
		seen = append(seen, part...)
		if header.Get("berth-next-offset") != fmt.Sprint(len(seen)) {
			t.Fatalf("%q at %d", header.Get("berth-next-offset"), len(seen))
		}
	}
	if !bytes.Equal(seen, wanted.Bytes()) {
		t.Fatal("other bytes")
	}
	if rest, _ := s.read(fmt.Sprintf("/jobs/one/stdout?offset=%d", len(seen))); len(rest) != 0 {
		t.Fatalf("%d bytes at the end", len(rest))
	}
}

func TestFollowingSendsWhatComesAndEndsWithTheJob(t *testing.T) {
	s := newService(t, Options{})
	fifo := filepath.Join(s.dir, "fifo")
	s.start("one", fmt.Sprintf("mkfifo %s; echo first; read line < %s; seq 1 100000; echo $line", fifo, fifo))
	response := s.open("GET", "/jobs/one/stdout?follow=1", nil)
	if response.Header.Get("berth-next-offset") != "" {
		t.Fatal("nobody knows where it ends")
	}
	reader := bufio.NewReader(response.Body)
	if line, err := reader.ReadString('\n'); err != nil || line != "first\n" {
		t.Fatalf("%q %v", line, err)
	}
	if err := os.WriteFile(fifo, []byte("last\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(reader)
	if err != nil || !bytes.HasPrefix(rest, []byte("1\n2\n")) || !bytes.HasSuffix(rest, []byte("100000\nlast\n")) || len(rest) != 588895+5 {
		t.Fatalf("%d bytes, %v", len(rest), err)
	}
	if part, _ := s.read("/jobs/one/stdout?follow=1&offset=1&limit=3"); string(part) != "irs" {
		t.Fatalf("%q", part)
	}
}

func TestWhatAProgramPrintedLastIsKept(t *testing.T) {
	s := newService(t, Options{})
	// A child that holds the output open, and one that has the last word.
	s.start("one", `(sleep 20 & ); (sleep 0.05; echo word) & seq 1 5000; exit 1`)
	status := s.end("one")
	stdout, _ := s.read("/jobs/one/stdout")
	if status["end"] != "exited" || !strings.HasSuffix(string(stdout), "5000\nword\n") {
		t.Fatalf("%v %q", status, stdout[max(0, len(stdout)-30):])
	}
}

func TestDeadlineEndsTheJobWithItsDaemons(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `trap "" TERM; (setsid sh -c 'trap "" TERM; echo $$; exec > /dev/null 2>&1; while :; do sleep 0.05; done' &); while :; do sleep 0.05; done`,
		map[string]any{"deadline_ms": 300})
	began := time.Now()
	status := s.end("one")
	if took := time.Since(began); took > 3500*time.Millisecond {
		t.Fatalf("it took %v", took)
	}
	if status["end"] != "deadline" || status["exit_code"] != 137.0 || status["signal"] != "KILL" {
		t.Fatalf("%v", status)
	}
	daemon, _ := s.read("/jobs/one/stdout")
	if len(daemon) == 0 {
		t.Fatal("no daemon was started")
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(daemon))); err == nil {
		t.Fatal("the daemon lives on")
	}
}

func TestCancellingAnswersWhenNothingIsLeft(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "trap 'echo asked; exit 9' TERM; echo go; while :; do sleep 0.02; done")
	follow := bufio.NewReader(s.open("GET", "/jobs/one/stdout?follow=1", nil).Body)
	if _, err := follow.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, _ := s.call("POST", "/jobs/one/cancel", nil); code != 204 {
			t.Fatal(code)
		}
	}
	if _, status := s.call("GET", "/jobs/one", nil); status["end"] != "cancelled" || status["exit_code"] != 9.0 {
		t.Fatalf("%v", status)
	}
	if rest, err := io.ReadAll(follow); err != nil || string(rest) != "asked\n" {
		t.Fatalf("%q %v", rest, err)
	}
}

func TestSignalsReachTheJob(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "exec sleep 30")
	if code, _ := s.call("POST", "/jobs/one/signal", map[string]any{"signal": "SIGUSR1"}); code != 204 {
		t.Fatal(code)
	}
	if status := s.end("one"); status["end"] != "signaled" || status["signal"] != "USR1" || status["exit_code"] != 138.0 {
		t.Fatalf("%v", status)
	}
	if code, answer := s.call("POST", "/jobs/one/signal", map[string]any{"signal": "INT"}); code != 409 {
		t.Fatalf("%d %v", code, answer)
	}
}

func TestOutputLimitIsInclusive(t *testing.T) {
	s := newService(t, Options{})
	s.start("exact", "head -c 200000 /dev/zero", map[string]any{"output_limit_bytes": 200000})
	s.start("over", "head -c 200001 /dev/zero; sleep 30", map[string]any{"output_limit_bytes": 200000})
	s.start("last", "head -c 200001 /dev/zero >&2", map[string]any{"output_limit_bytes": 200000})
	if status := s.end("exact"); status["end"] != "exited" || status["stdout_bytes"] != 200000.0 {
		t.Fatalf("%v", status)
	}
	if status := s.end("over"); status["end"] != "output_limit" || status["stdout_bytes"] != 200000.0 || status["message"] == nil {
		t.Fatalf("%v", status)
	}
	if status := s.end("last"); status["end"] != "output_limit" || status["stderr_bytes"] != 200000.0 {
		t.Fatalf("%v", status)
	}
}

func TestAllJobsTogetherHaveALimitThatRemovingGivesBack(t *testing.T) {
	s := newService(t, Options{TotalOutputBytes: 300_000})
	s.start("first", "head -c 200000 /dev/zero")
	s.end("first")
	s.start("second", "head -c 200000 /dev/zero")
	if status := s.end("second"); status["end"] != "output_limit" || status["stdout_bytes"] != 100_000.0 {
		t.Fatalf("%v", status)
	}
	if s.registry.DiskBytes() != 300_000 {
		t.Fatal(s.registry.DiskBytes())
	}
	if code, _ := s.call("DELETE", "/jobs/first", nil); code != 204 {
		t.Fatal(code)
	}
	s.start("third", "head -c 200000 /dev/zero")
	if status := s.end("third"); status["end"] != "exited" {
		t.Fatalf("%v", status)
	}
}

func TestProgramThatCannotBeRunIsAJobThatHasEnded(t *testing.T) {
	s := newService(t, Options{})
	if code, answer := s.call("PUT", "/jobs/one", map[string]any{"argv": []string{"no-such-program"}}); code != 201 {
		t.Fatalf("%d %v", code, answer)
	}
	if status := s.end("one"); status["end"] != "exited" || status["exit_code"] != 127.0 || status["message"] == nil {
		t.Fatalf("%v", status)
	}
}

func TestWrongRequestsAreRefused(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "echo hello; exec sleep 30")
	sh := []string{"sh"}
	for _, test := range []struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		{"PUT", "/jobs/a.b", map[string]any{"argv": sh}, 400, "bad_request"},
		{"PUT", "/jobs/two", map[string]any{}, 400, "bad_request"},
		{"PUT", "/jobs/two", map[string]any{"argv": sh, "deadline_ms": -1}, 400, "bad_request"},
		{"PUT", "/jobs/two", map[string]any{"argv": sh, "output_limit_bytes": maxOutput + 1}, 400, "bad_request"},
		{"PUT", "/jobs/two", map[string]any{"argv": sh, "stdin_base64": "?"}, 400, "bad_request"},
		{"PUT", "/jobs/two", map[string]any{"argv": []string{"sh", strings.Repeat("x", maxBody)}}, 413, "too_large"},
		{"GET", "/jobs/two", nil, 404, "not_found"},
		{"GET", "/jobs/one?wait_ms=soon", nil, 400, "bad_request"},
		{"GET", "/jobs/one/stdout?offset=1000", nil, 400, "bad_request"},
		{"GET", "/jobs/one/stdout?offset=-1", nil, 400, "bad_request"},
		{"GET", "/jobs/one/stdout?follow=yes", nil, 400, "bad_request"},
		{"POST", "/jobs/one/signal", map[string]any{"signal": "NONE"}, 400, "bad_request"},
		{"DELETE", "/jobs/one", nil, 409, "conflict"},
	} {
		status, answer := s.call(test.method, test.path, test.body)
		if status != test.status || answer["code"] != test.code {
			t.Errorf("%s %s: %d %v", test.method, test.path, status, answer)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(s.dir, "jobs")); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
}

func TestIdRunsOnceAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := newService(t, Options{Dir: dir})
	count := filepath.Join(dir, "count")
	script := map[string]any{"argv": []string{"sh", "-c", fmt.Sprintf("echo run >> %s; echo hello; exit 4", count)}}
	if code, answer := s.call("PUT", "/jobs/one", script); code != 201 {
		t.Fatalf("%d %v", code, answer)
	}
	first := s.end("one")
	if code, again := s.call("PUT", "/jobs/one", script); code != 200 || again["ended_at"] != first["ended_at"] {
		t.Fatalf("%d %v", code, again)
	}
	restarted := newService(t, Options{Dir: dir})
	code, after := restarted.call("PUT", "/jobs/one", script)
	if code != 200 || after["end"] != "exited" || after["exit_code"] != 4.0 || after["ended_at"] != first["ended_at"] {
		t.Fatalf("%d %v", code, after)
	}
	if stdout, _ := restarted.read("/jobs/one/stdout?follow=1"); string(stdout) != "hello\n" {
		t.Fatalf("%q", stdout)
	}
	if text, err := os.ReadFile(count); err != nil || string(text) != "run\n" {
		t.Fatalf("%q %v", text, err)
	}
	if code, _ := restarted.call("DELETE", "/jobs/one", nil); code != 204 {
		t.Fatal(code)
	}
	if code, answer := restarted.call("PUT", "/jobs/one", script); code != http.StatusGone {
		t.Fatalf("an id ran twice: %d %v", code, answer)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "jobs")); len(entries) != 0 || restarted.registry.DiskBytes() != 0 {
		t.Fatalf("%v is left", entries)
	}
}

func TestJobWhoseEndNobodySawEndedWithTheContainer(t *testing.T) {
	dir := t.TempDir()
	s := newService(t, Options{Dir: dir})
	s.start("one", "echo so far; exec sleep 30")
	if _, err := bufio.NewReader(s.open("GET", "/jobs/one/stdout?follow=1", nil).Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	// A folder as a crash leaves it before the job began.
	if err := os.Mkdir(filepath.Join(dir, "jobs", "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		restarted := newService(t, Options{Dir: dir})
		status := restarted.end("one")
		if status["end"] != "pod_restarted" || status["exit_code"] != nil || status["stdout_bytes"] != 7.0 || status["ended_at"] == nil {
			t.Fatalf("%v", status)
		}
		if stdout, _ := restarted.read("/jobs/one/stdout?follow=1"); string(stdout) != "so far\n" {
			t.Fatalf("%q", stdout)
		}
		if _, list := restarted.call("GET", "/jobs", nil); len(list["jobs"].([]any)) != 1 {
			t.Fatalf("%v", list)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "trap '' TERM; echo go; exec sleep 30")
	follow := bufio.NewReader(s.open("GET", "/jobs/one/stdout?follow=1", nil).Body)
	if line, err := follow.ReadString('\n'); err != nil || line != "go\n" {
		t.Fatalf("%q %v", line, err)
	}
	s.registry.Close(t.Context())
	if text, err := io.ReadAll(follow); err != nil || len(text) != 0 {
		t.Fatalf("%q %v", text, err)
	}
	if status := s.end("one"); status["end"] != "pod_restarted" || s.registry.Count() != 0 {
		t.Fatalf("%v", status)
	}
}

func TestNoMoreThanFiftyRunAtOnce(t *testing.T) {
	s := newService(t, Options{})
	for i := range maxRunning {
		s.start(fmt.Sprintf("job%d", i), "exec sleep 30")
	}
	code, answer := s.call("PUT", "/jobs/more", map[string]any{"argv": []string{"true"}})
	if code != 429 || answer["code"] != "too_many" || s.registry.Count() != maxRunning {
		t.Fatalf("%d %v", code, answer)
	}
	s.call("POST", "/jobs/job7/cancel", nil)
	s.start("more", "true")
	s.end("more")
}

func TestNoMoreThanAThousandAreKept(t *testing.T) {
	dir := t.TempDir()
	for i := range maxKept {
		at := folder(filepath.Join(dir, "jobs", fmt.Sprintf("job%d", i)))
		if err := os.MkdirAll(string(at), 0o700); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(`{"id":"job%d","argv":["true"],"started_at":"2026-01-01T00:00:00Z"}`, i)
		result := fmt.Sprintf(`{"id":"job%d","status":"ended","end":"exited","exit_code":0,"ended_at":"2026-01-01T00:00:01Z"}`, i)
		for name, text := range map[string]string{"spec.json": text, "result.json": result} {
			if err := os.WriteFile(filepath.Join(string(at), name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := newService(t, Options{Dir: dir})
	if code, answer := s.call("PUT", "/jobs/more", map[string]any{"argv": []string{"true"}}); code != 429 {
		t.Fatalf("%d %v", code, answer)
	}
	if code, _ := s.call("DELETE", "/jobs/job0", nil); code != 204 {
		t.Fatal(code)
	}
	s.start("more", "true")
}

func TestSlowFollowerHoldsNeitherTheJobNorMemory(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "head -c 100000000 /dev/zero")
	response := s.open("GET", "/jobs/one/stdout?follow=1", nil)
	if status := s.end("one"); status["stdout_bytes"] != 100000000.0 {
		t.Fatalf("%v", status)
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > 32<<20 {
		t.Fatalf("%d bytes on the heap", memory.HeapAlloc)
	}
	if count, err := io.Copy(io.Discard, response.Body); err != nil || count != 100000000 {
		t.Fatalf("%d %v", count, err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	s := newService(t, Options{})
	s.call("GET", "/jobs", nil)
	before, files := runtime.NumGoroutine(), descriptors(t)
	for i := range 20 {
		id := fmt.Sprintf("job%d", i)
		s.start(id, "read line; echo $line", map[string]any{"stdin_base64": base64.StdEncoding.EncodeToString(make([]byte, 200_000)), "deadline_ms": 60_000})
		s.end(id)
	}
	limit := time.Now().Add(patience)
	for runtime.NumGoroutine() > before || descriptors(t) > files {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines and %d descriptors instead of %d and %d", runtime.NumGoroutine(), descriptors(t), before, files)
		}
		runtime.Gosched()
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
