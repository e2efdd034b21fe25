package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// table is the test process's only one: each waits for every child there is.
var table *Table

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "process")
	if err != nil {
		panic(err)
	}
	oomFile = filepath.Join(dir, "oom_kills")
	table = NewTable(WithOOMFile(oomFile))
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var oomFile string

func start(t *testing.T, argv ...string) *Process {
	t.Helper()
	p, err := table.Start(Spec{Argv: argv, Env: table.BaseEnv()})
	if err != nil {
		t.Fatalf("start %q: %v", argv, err)
	}
	t.Cleanup(func() { p.End(context.Background(), 0) })
	return p
}

func wait(t *testing.T, p *Process) Status {
	t.Helper()
	select {
	case <-p.Done():
		return p.Status()
	case <-time.After(20 * time.Second):
		t.Fatal("the process did not end")
		return Status{}
	}
}

// startAndReadLine runs a script and answers the first line of its output; the process lives on.
func startAndReadLine(t *testing.T, script string) (*Process, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := table.Start(Spec{Argv: []string{"sh", "-c", script}, Env: table.BaseEnv(), Stdout: w})
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.End(context.Background(), 0); _ = r.Close() })
	var line []byte
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, one); err != nil {
			t.Fatalf("no line: %v", err)
		}
		if one[0] == '\n' {
			return p, string(line)
		}
		line = append(line, one[0])
	}
}

func alive(pid int) bool {
	return len(readProc(pid, "stat", make([]byte, 1024))) > 0 && syscall.Kill(pid, 0) == nil && !zombie(pid)
}

func zombie(pid int) bool {
	_, ok := parseStat(pid, readProc(pid, "stat", make([]byte, 1024)))
	return !ok
}

func TestAStatusIsTheExitCodeOrTheSignal(t *testing.T) {
	if got := wait(t, start(t, "sh", "-c", "exit 7")); got != (Status{ExitCode: 7}) {
		t.Errorf("exit 7: %+v", got)
	}
	if got := wait(t, start(t, "sh", "-c", "kill -9 $$")); got != (Status{ExitCode: 137, Signal: syscall.SIGKILL}) {
		t.Errorf("killed: %+v", got)
	}
}

func TestWhatCannotBeRunHasTheExitCodeOfAShell(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	garbage := write("garbage", "\x01\x02\x03", 0o755)
	plain := write("plain", "#!/bin/sh\n", 0o644)
	orphan := write("orphan", "#!/no/such/interpreter\n", 0o755)
	cases := []struct {
		name string
		spec Spec
		code int
	}{
		{"nowhere in PATH", Spec{Argv: []string{"no-such-program"}}, 127},
		{"a path that does not exist", Spec{Argv: []string{dir + "/none"}}, 127},
		{"an empty name", Spec{Argv: []string{""}}, 127},
		{"a file without the permission", Spec{Argv: []string{plain}}, 126},
		{"a file in PATH without the permission", Spec{Argv: []string{"plain"}, Env: []string{"PATH=" + dir}}, 126},
		{"a directory", Spec{Argv: []string{dir}}, 126},
		{"no program of this machine", Spec{Argv: []string{garbage}}, 126},
		{"an interpreter that does not exist", Spec{Argv: []string{orphan}}, 126},
		{"a working directory that does not exist", Spec{Argv: []string{"true"}, Dir: dir + "/none"}, 126},
	}
	for _, c := range cases {
		_, err := table.Start(c.spec)
		var failure *StartError
		if !errors.As(err, &failure) || failure.ExitCode != c.code || failure.Message == "" {
			t.Errorf("%s: %#v", c.name, err)
		}
	}
}

func TestAProgramIsFoundFromItsWorkingDirectoryAndInThePathOfItsOwnEnvironment(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("#!/bin/sh\nexit 5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []Spec{
		{Argv: []string{"./mine"}, Dir: dir},
		{Argv: []string{"mine"}, Env: []string{"PATH=/nowhere:" + dir}},
		{Argv: []string{"mine"}, Dir: dir, Env: []string{"PATH=/nowhere:"}},
	} {
		p, err := table.Start(spec)
		if err != nil {
			t.Errorf("%+v: %v", spec, err)
			continue
		}
		if got := wait(t, p); got.ExitCode != 5 {
			t.Errorf("%+v: %+v", spec, got)
		}
	}
}

func TestTwoHundredConcurrentStartsEachGetTheirOwnStatus(t *testing.T) {
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			p, err := table.Start(Spec{Argv: []string{"sh", "-c", "exit " + strconv.Itoa(i)}})
			if err != nil {
				t.Error(err)
				return
			}
			<-p.Done()
			if got := p.Status().ExitCode; got != i {
				t.Errorf("exit %d seen as %d", i, got)
			}
		})
	}
	group.Wait()
}

func TestADeathByKillIsOutOfMemoryOnlyWhereTheCountRose(t *testing.T) {
	if err := os.WriteFile(oomFile, []byte("3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "sh", "-c", fmt.Sprintf(`(sleep 0.02; echo 4 > %s) & kill -9 $$`, oomFile))
	if got := wait(t, p); !got.OOMKilled {
		t.Errorf("the count rose shortly after: %+v", got)
	}
	p = start(t, "sh", "-c", "kill -9 $$")
	if got := wait(t, p); got.OOMKilled {
		t.Errorf("the count stood still: %+v", got)
	}
}

func TestTheOOMFileOfBothVersionsOfCgroupsIsFound(t *testing.T) {
	dir := t.TempDir()
	write := func(path, content string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("v1/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
	write("v1.self", "4:memory:/kubepods/pod1\n0::/\n")
	write("v2/memory.events", "low 0\noom 1\noom_kill 1\n")
	write("v2.self", "0::/\n")
	for version, want := range map[string]string{"v1": "v1/memory/memory.oom_control", "v2": "v2/memory.events"} {
		got := findOOMFile(filepath.Join(dir, version+".self"), filepath.Join(dir, version))
		if got != filepath.Join(dir, want) {
			t.Errorf("%s: %q", version, got)
		}
	}
}

func TestAChildIsMarkedAndTheHelperIsNot(t *testing.T) {
	p, line := startAndReadLine(t, `echo $BERTH_PROCESS; sleep 100`)
	if line != strconv.FormatUint(p.tag, 10) {
		t.Errorf("the variable says %q, the tag is %d", line, p.tag)
	}
	if !table.tags.works {
		t.Skip("this kernel shows no RLIMIT_LOCKS")
	}
	if tag, ok := tagOf(p.PID()); !ok || tag != p.tag {
		t.Errorf("tag %d, %v", tag, ok)
	}
	if tag, ok := tagOf(os.Getpid()); ok && table.tags.isOwn(tag) {
		t.Error("the helper carries a command's mark")
	}
	adjusted, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.PID()))
	if err != nil || strings.TrimSpace(string(adjusted)) != "1000" {
		t.Errorf("oom_score_adj %q, %v", adjusted, err)
	}
}

func TestSignalsHaveNamesWithAndWithoutTheirPrefix(t *testing.T) {
	for _, name := range []string{"INT", "SIGINT"} {
		if sig, ok := SignalNumber(name); !ok || sig != syscall.SIGINT {
			t.Errorf("%s: %v, %v", name, sig, ok)
		}
	}
	if _, ok := SignalNumber("NOPE"); ok {
		t.Error("NOPE is no signal")
	}
	if got := SignalName(syscall.SIGTERM); got != "TERM" {
		t.Errorf("%q", got)
	}
}
