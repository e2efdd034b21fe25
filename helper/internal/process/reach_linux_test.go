package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAProgramUnderALeaseIsRefusedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leased")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	holder, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close() }()
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("this file system gives no leases: %v", err)
	}
	began := time.Now()
	_, err = table.Start(Spec{Argv: []string{path}, Env: table.BaseEnv()})
	var failure *StartError
	if !errors.As(err, &failure) || failure.ExitCode != 126 || !strings.Contains(failure.Message, "lease") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > lookUpBound {
		t.Errorf("took %v", took)
	}
}

func TestANumberThatWasGivenAnewIsNotSignalled(t *testing.T) {
	p := start(t, "sleep", "100")
	var found member
	for _, one := range p.matcher().scan() {
		found = one
	}
	if found.pid != p.PID() || !found.isStill() {
		t.Fatalf("%+v", found)
	}
	found.start--
	if err := found.signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("%v", err)
	}
	signalAll([]member{found}, syscall.SIGKILL)
	found.start++
	if !found.isStill() {
		t.Error("a stranger was signalled")
	}
	if err := found.signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	wait(t, p)
}
