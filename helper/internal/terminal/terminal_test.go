package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTerminalRunsAProgramAndTellsItsEnd(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `stty size; echo "$TERM $GIVEN"; read line; echo "got $line"; exit 7`,
		map[string]any{"cols": 100, "rows": 33, "env": map[string]string{"GIVEN": "value"}})
	v := s.attach("one", "client=c&mode=write")
	v.until("33 100\r\nxterm-256color value\r\n")
	v.press("hello\n")
	end := v.event("end")
	if end["exit_code"] != 7.0 || end["signal"] != nil || end["reason"] != "exited" {
		t.Fatalf("%v", end)
	}
	if !strings.HasSuffix(string(v.output), "got hello\r\n") {
		t.Fatalf("%q", v.output)
	}
	if _, err := v.next(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the end comes %v", err)
	}
	code, status := s.call("GET", "/terminals/one", nil)
	if code != 200 || status["exit_code"] != 7.0 || status["ended_at"] == nil || status["offset"] != float64(len(v.output)) {
		t.Fatalf("%d %v", code, status)
	}
}

func TestPutOfAnIdThatExistsJoinsIt(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "read line")
	first, _ := s.call("GET", "/terminals/one", nil)
	code, answer := s.call("PUT", "/terminals/one", map[string]any{"argv": []string{"sh"}})
	if first != 200 || code != 200 || answer["pid"] == nil || s.registry.Count() != 1 {
		t.Fatalf("%d %v", code, answer)
	}
}

func TestWrongRequestsAreRefused(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "read line")
	long := strings.Repeat("x", 65)
	for _, test := range []struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		{"PUT", "/terminals/" + long, map[string]any{"argv": []string{"sh"}}, 400, "bad_request"},
		{"PUT", "/terminals/two", map[string]any{}, 400, "bad_request"},
		{"PUT", "/terminals/two", map[string]any{"argv": []string{"no-such-program"}}, 400, "bad_request"},
		{"PUT", "/terminals/two", map[string]any{"argv": []string{"sh"}, "cols": 1001, "rows": 1}, 400, "bad_request"},
		{"PUT", "/terminals/two", map[string]any{"argv": []string{"sh"}, "ring_bytes": MaxRingBytes + 1}, 400, "bad_request"},
		{"PUT", "/terminals/two", map[string]any{"argv": []string{"sh"}, "env": map[string]string{"A=B": "c"}}, 400, "bad_request"},
		{"PUT", "/terminals/two", map[string]any{"argv": []string{"sh", strings.Repeat("x", maxBody)}}, 413, "too_large"},
		{"GET", "/terminals/two", nil, 404, "not_found"},
		{"POST", "/terminals/one/attach?client=c&mode=write&since=1000000", nil, 400, "bad_request"},
		{"POST", "/terminals/one/attach?client=c&mode=write&since=-1", nil, 400, "bad_request"},
		{"POST", "/terminals/one/attach?client=c&mode=both", nil, 400, "bad_request"},
		{"POST", "/terminals/one/attach?mode=read", nil, 400, "bad_request"},
		{"POST", "/terminals/one/signal", map[string]any{"signal": "NONE"}, 400, "bad_request"},
		{"POST", "/terminals/one/resize", map[string]any{"client": "c", "cols": 0, "rows": 5}, 400, "bad_request"},
		{"POST", "/terminals/one/resize", map[string]any{"client": "c", "cols": 5, "rows": 5}, 403, "denied"},
		{"POST", "/terminals/one/takeover", map[string]any{"client": "c"}, 409, "conflict"},
	} {
		status, answer := s.call(test.method, test.path, test.body)
		if status != test.status || answer["code"] != test.code {
			t.Errorf("%s %s: %d %v", test.method, test.path, status, answer)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "terminals", "two*")); len(left) > 0 {
		t.Errorf("%v was left behind", left)
	}
}

func TestNoByteIsLostOrRepeatedByComingBackWhileAProgramPrints(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "read line; seq 1 200000; read line")
	var wanted bytes.Buffer
	wanted.WriteString("\r\n")
	for i := 1; i <= 200000; i++ {
		fmt.Fprintf(&wanted, "%d\r\n", i)
	}
	v := s.attach("one", "client=c&mode=write")
	v.press("\n")
	seen, rounds := []byte{}, 0
	for ; len(seen) < wanted.Len(); rounds++ {
		enough := len(v.output) + 40_000
		for len(v.output) < enough && len(seen)+len(v.output) < wanted.Len() {
			if _, err := v.next(); err != nil {
				t.Fatal(err)
			}
		}
		seen = append(seen, v.output...)
		v.leave()
		v = s.attach("one", fmt.Sprintf("client=c&mode=write&since=%d", len(seen)))
		if v.ready["mode"] != "write" {
			t.Fatalf("%v", v.ready)
		}
	}
	if !bytes.Equal(seen, wanted.Bytes()) || rounds < 5 {
		t.Fatalf("%d of %d bytes, or other ones, in %d rounds", len(seen), wanted.Len(), rounds)
	}
}

func TestSlowWriterPausesTheProgramAndLosesNothing(t *testing.T) {
	s := newService(t, Options{})
	const total = 8 << 20
	s.start("one", fmt.Sprintf("stty raw -echo; head -c %d /dev/zero; echo done; read line", total),
		map[string]any{"ring_bytes": 2 << 20})
	v := s.attach("one", "client=slow&mode=write")
	watcher := s.attach("one", "client=watcher&mode=read")
	// The windows of HTTP/2 fill, then the writer is behind; the reader keeps up, so it sees where the program stands.
	const windows = 4 << 20
	stopped := make(chan int64)
	go func() {
		for watcher.position < total {
			if _, err := watcher.next(); err != nil {
				break
			}
		}
		stopped <- watcher.position
	}()
	s.untilStill("one")
	_, status := s.call("GET", "/terminals/one", nil)
	if offset, _ := status["offset"].(float64); offset < maxBehind/2 || offset > windows+maxBehind {
		t.Fatalf("the program has printed %v", offset)
	}
	v.until("done")
	if len(v.output) != total+len("done\n") || bytes.Count(v.output, []byte{0}) != total {
		t.Fatalf("%d of %d bytes", len(v.output), total)
	}
	if <-stopped != total {
		t.Fatal("the reader did not see everything")
	}
}

// untilStill waits until the output has not grown for a while.
func (s *service) untilStill(id string) {
	var last any
	still := 0
	eventually(s.t, "the program pauses", func() bool {
		_, status := s.call("GET", "/terminals/"+id, nil)
		if status["offset"] != last || last == 0.0 {
			last, still = status["offset"], 0
		}
		still++
		return still > 40
	})
}

func TestReaderThatFallsBehindSeesAGapAndTheProgramRunsOn(t *testing.T) {
	s := newService(t, Options{})
	const total = 12 << 20
	s.start("one", fmt.Sprintf("stty raw -echo; read line; head -c %d /dev/zero; echo done; read line", total),
		map[string]any{"ring_bytes": 1 << 20})
	v := s.attach("one", "client=slow&mode=read")
	writer := s.attach("one", "client=quick&mode=write")
	writer.press("\n")
	writer.until("done")
	gap := v.event("gap")
	to, _ := gap["to"].(float64)
	if to > total {
		t.Fatalf("%v", gap)
	}
	v.until("done")
	if v.position != writer.position || int64(len(v.output)) >= writer.position {
		t.Fatalf("%d bytes, at %d of %d", len(v.output), v.position, writer.position)
	}
}

func TestMemoryStaysFlatWhereNobodyReads(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "stty raw -echo; head -c 20000000 /dev/zero; echo done; read line", map[string]any{"ring_bytes": 1 << 20})
	var slow []*viewer
	for i := range 8 {
		slow = append(slow, s.attach("one", fmt.Sprintf("client=%d&mode=read", i)))
	}
	eventually(t, "all is printed", func() bool {
		_, status := s.call("GET", "/terminals/one", nil)
		return status["offset"] == 20000005.0
	})
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	// The client's side is in it, with the windows of eight streams.
	if memory.HeapAlloc > 48<<20 {
		t.Fatalf("%d bytes on the heap", memory.HeapAlloc)
	}
	for _, v := range slow {
		v.until("done")
	}
}

func TestBytesOlderThanTheRingAreAGap(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "stty raw -echo; head -c 3000000 /dev/zero; echo done; read line", map[string]any{"ring_bytes": 1 << 20})
	s.attach("one", "client=w&mode=read").until("done")
	_, status := s.call("GET", "/terminals/one", nil)
	v := s.attach("one", "client=c&mode=read&since=5")
	if v.ready["from"] != 5.0 || v.ready["offset"] != 3000005.0 {
		t.Fatalf("%v", v.ready)
	}
	if gap := v.event("gap"); gap["to"] != status["oldest_offset"] || len(v.output) != 0 {
		t.Fatalf("%v, but %v", gap, status)
	}
	v.until("done")
	if v.position != 3000005 {
		t.Fatalf("at %d", v.position)
	}
	latest := s.attach("one", "client=d&mode=read")
	if latest.ready["from"] != status["oldest_offset"] {
		t.Fatalf("%v", latest.ready)
	}
}

func TestOnlyTheWriterTypesAndTakingOverSwaps(t *testing.T) {
	var passed atomic.Int64
	s := newService(t, Options{Activity: func() { passed.Add(1) }})
	s.start("one", "stty -echo; echo go; while read line; do echo \"<$line>\"; done")
	first := s.attach("one", "client=a&mode=write")
	second := s.attach("one", "client=b&mode=write")
	if first.ready["mode"] != "write" || second.ready["mode"] != "read" {
		t.Fatalf("%v %v", first.ready, second.ready)
	}
	// What a reader presses leaves no trace but that something has passed; no output may be on its way meanwhile.
	pressInVain := func(v *viewer, keys string) {
		t.Helper()
		before := passed.Load()
		v.press(keys)
		eventually(t, "the keys have passed", func() bool { return passed.Load() > before })
	}
	takeOver := func(client string) {
		t.Helper()
		if code, _ := s.call("POST", "/terminals/one/takeover", map[string]any{"client": client}); code != 204 {
			t.Fatal(code)
		}
	}
	both := func(text string) {
		t.Helper()
		first.until(text)
		second.until(text)
	}
	both("go\r\n")
	pressInVain(second, "no\n")
	first.press("yes\n")
	both("<yes>\r\n")
	takeOver("b")
	if event := first.event("role"); event["mode"] != "read" {
		t.Fatalf("%v", event)
	}
	if event := second.event("role"); event["mode"] != "write" {
		t.Fatalf("%v", event)
	}
	pressInVain(first, "no longer\n")
	second.press("mine\n")
	both("<mine>\r\n")
	second.leave()
	eventually(t, "the writer has left", func() bool {
		_, status := s.call("GET", "/terminals/one", nil)
		return status["readers"] == 1.0 && !s.hasWriter("one")
	})
	pressInVain(first, "nobody\n")
	takeOver("a")
	first.event("role")
	first.press("again\n")
	first.until("<again>\r\n")
	if text := string(first.output); text != "go\r\n<yes>\r\n<mine>\r\n<again>\r\n" {
		t.Fatalf("%q", text)
	}
}

func (s *service) hasWriter(id string) bool {
	t := s.registry.find(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.audience.writer != nil
}

func TestClientThatComesBackTakesThePlaceOfItsOwnGhost(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "stty -echo raw; head -c 8000000 /dev/zero; echo done; while :; do head -c 1 > /dev/null; echo key; done")
	// It takes nothing and never leaves: its connection was lost and nobody knows.
	ghost := s.attach("one", "client=a&mode=write")
	s.untilStill("one")
	again := s.attach("one", "client=a&mode=write")
	if again.ready["mode"] != "write" {
		t.Fatalf("%v", again.ready)
	}
	again.until("done")
	again.press("x")
	again.until("key")
	if again.position != int64(len(again.output)) {
		t.Fatal("bytes were lost")
	}
	for {
		if event, err := ghost.next(); err != nil {
			break
		} else if event["event"] == "end" {
			t.Fatal("the ghost saw an end")
		}
	}
}

func TestKeysOfAWriterThatIsStuckNeverReachTheProgramAfterATakeover(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `stty -echo raw; echo go; kill -STOP $$; echo "<$(head -c 200000 | tr -d b | wc -c)>"`)
	first := s.attach("one", "client=a&mode=write")
	first.until("go")
	const pasted = 150_000
	go func() { _, _ = first.keys.Write(bytes.Repeat([]byte("a"), pasted)) }()
	eventually(t, "the keys are stuck", func() bool { return len(s.registry.find("one").typing) == 1 })
	second := s.attach("one", "client=b&mode=read")
	if code, _ := s.call("POST", "/terminals/one/takeover", map[string]any{"client": "b"}); code != 204 {
		t.Fatal(code)
	}
	second.event("role")
	if code, _ := s.call("POST", "/terminals/one/signal", map[string]any{"signal": "CONT"}); code != 204 {
		t.Fatal(code)
	}
	second.press(strings.Repeat("b", 200_000))
	second.until(">")
	_, count, _ := strings.Cut(string(second.output), "<")
	// What the kernel had taken before is the program's.
	if typed, err := strconv.Atoi(strings.Trim(count, "> \r\n")); err != nil || typed == 0 || typed > pasted/2 {
		t.Fatalf("%q of %d keys", count, pasted)
	}
}

func TestSizeChangesAreSeenByTheProgram(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "trap 'stty size' WINCH; echo go; while :; do read line && exit; done")
	v := s.attach("one", "client=a&mode=write")
	v.until("go")
	if code, _ := s.call("POST", "/terminals/one/resize", map[string]any{"client": "a", "cols": 132, "rows": 43}); code != 204 {
		t.Fatal(code)
	}
	v.until("43 132")
	if code, answer := s.call("POST", "/terminals/one/resize", map[string]any{"client": "b", "cols": 1, "rows": 1}); code != 403 {
		t.Fatalf("%d %v", code, answer)
	}
	if _, status := s.call("GET", "/terminals/one", nil); status["cols"] != 132.0 || status["rows"] != 43.0 {
		t.Fatalf("%v", status)
	}
}

func TestSignalsReachWhatReadsTheKeyboard(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "")
	s.start("two", `set -m; echo go; sh -c 'trap "echo caught; exit 4" INT; echo in; while :; do sleep 0.05; done'; echo "child $?"; read line`)
	v := s.attach("two", "client=a&mode=write")
	v.until("in")
	if code, _ := s.call("POST", "/terminals/two/signal", map[string]any{"signal": "INT"}); code != 204 {
		t.Fatal(code)
	}
	v.until("caught")
	v.until("child 4")
	v.press("\n")
	v.event("end")
	eventually(t, "it has ended", func() bool { return s.registry.Count() == 0 })
	if code, answer := s.call("POST", "/terminals/one/signal", map[string]any{"signal": "INT"}); code != 409 {
		t.Fatalf("%d %v", code, answer)
	}
}

func TestDeleteEndsEverythingInItAndReadersSeeTheEnd(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `trap "" HUP TERM; (setsid sh -c 'trap "" HUP TERM; echo $$; while :; do sleep 0.1; done' &) ; while :; do sleep 0.1; done`)
	v := s.attach("one", "client=a&mode=read")
	v.until("\r\n")
	daemon := strings.TrimSpace(string(v.output))
	began := time.Now()
	if code, _ := s.call("DELETE", "/terminals/one", nil); code != 204 {
		t.Fatal(code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Fatalf("it took %v", took)
	}
	if _, err := os.Stat("/proc/" + daemon); err == nil {
		t.Fatal("the daemon lives on")
	}
	if end := v.event("end"); end["reason"] != "ended" || end["signal"] != "KILL" || end["exit_code"] != 137.0 {
		t.Fatalf("%v", end)
	}
	if code, _ := s.call("DELETE", "/terminals/one", nil); code != 204 {
		t.Fatal("a repeat is refused")
	}
}

func TestInteractiveShellEndsAtOnce(t *testing.T) {
	s := newService(t, Options{})
	if code, answer := s.call("PUT", "/terminals/one", map[string]any{"argv": []string{"bash", "--norc", "-i"}, "env": map[string]string{"PS1": "ready> "}}); code != 201 {
		t.Fatalf("%d %v", code, answer)
	}
	s.attach("one", "client=a&mode=read").until("ready> ")
	began := time.Now()
	s.call("DELETE", "/terminals/one", nil)
	if took := time.Since(began); took > endGrace/2 {
		t.Fatalf("it took %v", took)
	}
}

func TestTerminalThatNobodyWatchesIsEndedAfterAWhile(t *testing.T) {
	s := newService(t, Options{DetachedAfter: 300 * time.Millisecond})
	s.start("one", "read line")
	v := s.attach("one", "client=a&mode=read")
	if _, status := s.call("GET", "/terminals/one", nil); status["detached_since"] != nil {
		t.Fatalf("%v", status)
	}
	v.leave()
	eventually(t, "it has ended", func() bool { return s.registry.Count() == 0 })
	after := s.attach("one", "client=a&mode=read")
	if end := after.event("end"); end["reason"] != "detached_too_long" {
		t.Fatalf("%v", end)
	}
}

func TestTerminalThatSomebodyWatchesIsKept(t *testing.T) {
	s := newService(t, Options{DetachedAfter: 300 * time.Millisecond})
	s.start("one", "sleep 0.8; echo still here; read line")
	s.attach("one", "client=a&mode=read").until("still here")
}

func TestEndedTerminalCanBeReadForAWhileAndIsThenRemoved(t *testing.T) {
	s := newService(t, Options{KeepEnded: time.Second})
	s.start("one", "echo the rest")
	eventually(t, "it has ended", func() bool { return s.registry.Count() == 0 })
	v := s.attach("one", "client=a&mode=write&since=4")
	if end := v.event("end"); end["reason"] != "exited" || string(v.output) != "rest\r\n" {
		t.Fatalf("%v %q", end, v.output)
	}
	eventually(t, "it is removed", func() bool {
		code, _ := s.call("GET", "/terminals/one", nil)
		return code == 404
	})
	if left, _ := os.ReadDir(filepath.Join(s.dir, "terminals")); len(left) > 0 || s.registry.DiskBytes() != 0 {
		t.Fatalf("%v is left", left)
	}
	if code, answer := s.call("PUT", "/terminals/one", map[string]any{"argv": []string{"sh"}}); code != http.StatusGone {
		t.Fatalf("an id ran twice: %d %v", code, answer)
	}
}

func TestTerminalEndsThoughSomethingElseHoldsItOpen(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `(trap "" HUP; sleep 20 & ); seq 1 3000; exit 3`)
	v := s.attach("one", "client=a&mode=write")
	if end := v.event("end"); end["exit_code"] != 3.0 || !strings.HasSuffix(string(v.output), "2999\r\n3000\r\n") {
		t.Fatalf("%v %q", end, tail(v.output))
	}
	s.call("DELETE", "/terminals/one", nil)
}

func TestProgramMayLetGoOfItsTerminalAndComeBack(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", `exec < /dev/null > /dev/null 2>&1; sleep 0.1; echo back > /dev/tty; exit 2`)
	v := s.attach("one", "client=a&mode=write")
	if end := v.event("end"); end["exit_code"] != 2.0 || string(v.output) != "back\r\n" {
		t.Fatalf("%v %q", end, v.output)
	}
}

func TestNoMoreThanTwentyLiveAndTwentyEndedAreKept(t *testing.T) {
	s := newService(t, Options{})
	for i := range maxLive {
		s.start(fmt.Sprintf("live%d", i), "read line")
	}
	code, answer := s.call("PUT", "/terminals/more", map[string]any{"argv": []string{"sh"}})
	if code != 429 || answer["code"] != "too_many" || s.registry.Count() != maxLive {
		t.Fatalf("%d %v", code, answer)
	}
	s.call("DELETE", "/terminals/live0", nil)
	for i := range maxEnded {
		s.start(fmt.Sprintf("ended%d", i), "true")
		eventually(t, "it has ended", func() bool { return s.registry.Count() == maxLive-1 })
	}
	eventually(t, "the oldest is removed", func() bool {
		code, _ := s.call("GET", "/terminals/live0", nil)
		return code == 404
	})
	_, list := s.call("GET", "/terminals", nil)
	if all, _ := list["terminals"].([]any); len(all) != maxLive-1+maxEnded {
		t.Fatalf("%d are listed", len(all))
	}
	if s.registry.DiskBytes() != (maxLive-1+maxEnded)*guaranteedBytes {
		t.Fatalf("%d bytes", s.registry.DiskBytes())
	}
}

func TestStartRemovesTheRingsOfAnEarlierRun(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "terminals", "old.ring")
	if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	New(Options{Dir: dir, Table: table})
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%v", err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	s := newService(t, Options{KeepEnded: time.Millisecond})
	s.call("GET", "/terminals", nil)
	before, files := runtime.NumGoroutine(), descriptors(t)
	for i := range 10 {
		id := fmt.Sprintf("t%d", i)
		s.start(id, "echo hello; read line")
		v := s.attach(id, "client=a&mode=write")
		v.until("hello")
		v.press("\n")
		v.event("end")
		_ = v.keys.Close()
		_ = v.body.Close()
	}
	eventually(t, "goroutines and descriptors are as before", func() bool {
		return runtime.NumGoroutine() <= before && descriptors(t) <= files
	})
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestAttachmentsAreBoundedPerTerminalAndOverAll(t *testing.T) {
	s := newService(t, Options{})
	refused := func(id, query string) {
		t.Helper()
		if code, answer := s.call("POST", "/terminals/"+id+"/attach?"+query, nil); code != 429 || answer["code"] != "too_many" {
			t.Errorf("%d %v", code, answer)
		}
	}
	for i := range maxAttachedToAll / maxAttached {
		id := fmt.Sprintf("t%d", i)
		s.start(id, "exec sleep 30")
		for n := range maxAttached {
			s.attach(id, fmt.Sprintf("client=c%d&mode=write", n))
		}
		refused(id, "client=more&mode=read")
	}
	s.start("last", "exec sleep 30")
	refused("last", "client=more&mode=read")
	// Who comes back takes the place of his own ghost.
	s.attach("t0", "client=c3&mode=write")
	if code, _ := s.call("DELETE", "/terminals/t1", nil); code != 204 {
		t.Error(code)
	}
	eventually(t, "the places are free", func() bool { return s.registry.streams.Load() == maxAttachedToAll-maxAttached })
	s.attach("last", "client=more&mode=read")
}

func TestAClientThatGoesAwayDoesNotTakeTheGraceWithIt(t *testing.T) {
	s := newService(t, Options{})
	s.start("one", "trap '' TERM HUP; echo go; while :; do sleep 0.02; done")
	s.attach("one", "client=c&mode=read").until("go")
	one := s.registry.find("one")
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "DELETE", "http://helper/terminals/one", nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := s.client.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	eventually(t, "it is being ended", func() bool {
		one.mu.Lock()
		defer one.mu.Unlock()
		return one.reason == Ended
	})
	cancel()
	<-gone
	<-one.finished
	if took := time.Since(began); took < endGrace {
		t.Errorf("it was killed after %v", took)
	}
}
