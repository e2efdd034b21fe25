package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTermEndsEverythingAtOnceWith143(t *testing.T) {
	r := serve(t, newFolder(t), nil)
	script := `trap '' TERM; env -i PATH="$PATH" setsid sh -c 'trap "" TERM; (sleep 100 & echo $!)' & wait; while :; do sleep 1; done`
	daemon, err := strconv.Atoi(firstLine(t, r.client(), script))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_ = r.command.Process.Signal(syscall.SIGTERM)
	if code := r.exitCode(); code != 143 {
		t.Errorf("exit code %d: %s", code, r.log.String())
	}
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if syscall.Kill(daemon, 0) == nil {
		t.Error("a daemon lives on")
	}
}

func TestTheTemplatesProgramRunsUnderTheHelperWhichEndsWithItsExitCode(t *testing.T) {
	r := serve(t, newFolder(t), nil, "--", "sh", "-c", "echo into the log; exit 5")
	if code := r.exitCode(); code != 5 || r.stdout.String() != "into the log\n" {
		t.Errorf("exit code %d, output %q, log %s", code, r.stdout.String(), r.log.String())
	}
	if code := serve(t, newFolder(t), nil, "--", "no-such-program").exitCode(); code != 127 {
		t.Errorf("a program that does not exist: %d", code)
	}
}

func TestSignalsThatAnyoneInTheSessionMaySendChangeNothing(t *testing.T) {
	r := serve(t, newFolder(t), nil)
	c := r.client()
	protocolOf(t, c)
	for number := syscall.Signal(1); number < 32; number++ {
		switch number {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGPROF:
		default:
			if err := r.command.Process.Signal(number); err != nil {
				t.Fatalf("after %v: %v", number-1, err)
			}
		}
	}
	if got := protocolOf(t, c); got != protocol {
		t.Errorf("protocol %d", got)
	}
}

func TestTheProtocolsNumberCanBeOverriddenForTests(t *testing.T) {
	if got := protocolOf(t, serve(t, newFolder(t), []string{"BERTH_HELPER_PROTOCOL=1"}).client()); got != 1 {
		t.Errorf("protocol %d", got)
	}
}

func TestTCPIsServedOnlyWhereThereIsASecret(t *testing.T) {
	without := serve(t, newFolder(t), nil, "--listen", "127.0.0.1:0")
	protocolOf(t, without.client())
	_ = without.command.Process.Signal(syscall.SIGTERM)
	without.exitCode()
	if strings.Contains(without.log.String(), "listens on") {
		t.Errorf("log %q", without.log.String())
	}
	dir := newFolder(t)
	if err := os.Mkdir(filepath.Join(dir, "secret"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret", "helper"), make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	with := serve(t, dir, nil, "--listen=127.0.0.1:0,256.0.0.1:1")
	protocolOf(t, with.client())
	_ = with.command.Process.Signal(syscall.SIGTERM)
	with.exitCode()
	if log := with.log.String(); strings.Count(log, "listens on 127.0.0.1:") != 1 || !strings.Contains(log, "256.0.0.1") {
		t.Errorf("log %q", log)
	}
}

func TestConnectWaitsForTheSocketCarriesHTTP2AndEndsCleanly(t *testing.T) {
	dir := newFolder(t)
	connector := helperCommand(dir, "connect")
	in, err := connector.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := connector.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := connector.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connector.Process.Kill() })
	// Started after it: the socket is not there yet.
	serve(t, dir, nil)
	c := clientOver(t, func() (net.Conn, error) {
		return &stdio{Writer: in, Reader: bufio.NewReader(out), close: in.Close}, nil
	})
	if got := protocolOf(t, c); got != protocol {
		t.Errorf("protocol %d", got)
	}
	if got := firstLine(t, c, "echo through"); got != "through" {
		t.Errorf("%q", got)
	}
	_ = in.Close()
	if err := connector.Wait(); err != nil {
		t.Errorf("its end: %v", err)
	}
}

func TestInstallLeavesAProgramThatAnyoneMayRun(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if output, err := helperCommand(dir, "install", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	installed := filepath.Join(dir, "bin", "helper")
	if info, err := os.Stat(installed); err != nil || info.Mode() != 0o755 {
		t.Fatalf("%v, %v", info, err)
	}
	command := exec.Command(installed, "version")
	command.Env = append(os.Environ(), "TEST_RUN_HELPER=1")
	if output, err := command.Output(); err != nil || string(output) != version+"\n" {
		t.Errorf("%q, %v", output, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(installed)); err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestTheArgumentsOfServe(t *testing.T) {
	for _, one := range []struct {
		args []string
		want string
	}{
		{nil, "[] []"},
		{[]string{"--listen", "a:1,b:2", "--", "run", "--listen"}, "[a:1 b:2] [run --listen]"},
		{[]string{"--listen=a:1", "--listen="}, "[a:1] []"},
		{[]string{"--"}, "[] []"},
	} {
		got, err := parseServe(one.args)
		if err != nil || fmt.Sprint(got.listen, got.command) != one.want {
			t.Errorf("%q: %+v, %v", one.args, got, err)
		}
	}
	for _, args := range [][]string{{"--listen"}, {"--nope"}, {"program"}} {
		if _, err := parseServe(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
