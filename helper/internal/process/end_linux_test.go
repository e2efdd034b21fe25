package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestADaemonThatForksTwiceLeavesItsSessionAndEmptiesItsEnvironmentIsFoundAndEnded(t *testing.T) {
	if !table.tags.works {
		t.Skip("this kernel shows no RLIMIT_LOCKS")
	}
	p, line := startAndReadLine(t, `env -i setsid sh -c '(sleep 100 >/dev/null 2>&1 & echo $!)' && exit 0`)
	daemon, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, p)
	if !alive(daemon) {
		t.Fatal("a daemon lives on when its execution ends by itself")
	}
	p.End(context.Background(), time.Second)
	if alive(daemon) {
		t.Error("the daemon is still there")
	}
}

func TestEndTouchesNothingOfAnotherStart(t *testing.T) {
	bystander, line := startAndReadLine(t, `setsid sleep 100 >/dev/null 2>&1 & echo $!; wait`)
	child, _ := strconv.Atoi(line)
	victim, _ := startAndReadLine(t, `sleep 100 & echo ready; wait`)
	victim.End(context.Background(), time.Second)
	wait(t, victim)
	if !alive(child) || !alive(bystander.PID()) {
		t.Error("another start's processes were ended")
	}
}

func TestWhatIgnoresTermIsKilledAfterTheGrace(t *testing.T) {
	p, _ := startAndReadLine(t, `trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo ready; while :; do sleep 1; done`)
	began := time.Now()
	p.End(context.Background(), 300*time.Millisecond)
	if took := time.Since(began); took < 300*time.Millisecond || took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if got := wait(t, p); got.Signal != syscall.SIGKILL || got.OOMKilled {
		t.Errorf("%+v", got)
	}
	if left := p.matcher().scan(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestAContextThatEndsCutsTheGraceShort(t *testing.T) {
	p, _ := startAndReadLine(t, `trap '' TERM; echo ready; while :; do sleep 1; done`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	p.End(ctx, time.Minute)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	wait(t, p)
}

func TestAStoppedProcessStillTakesTerm(t *testing.T) {
	p, line := startAndReadLine(t, `trap 'exit 3' TERM; echo $$; while :; do sleep 0.01; done`)
	pid, _ := strconv.Atoi(line)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.End(context.Background(), 10*time.Second)
	if got := wait(t, p); got.ExitCode != 3 {
		t.Errorf("%+v", got)
	}
}

func TestAChildThatLeavesItsGroupWhileItIsBeingEndedStillTakesTerm(t *testing.T) {
	for range 20 {
		p, _ := startAndReadLine(t, `setsid sleep 100 & echo started; wait`)
		began := time.Now()
		p.End(context.Background(), 10*time.Second)
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
	}
}

func TestATreeThatForksFasterThanItIsKilledOneByOneIsEnded(t *testing.T) {
	// Each generation starts the next in a session of its own and ends; the file bounds the whole where End fails.
	goOn := filepath.Join(t.TempDir(), "go-on")
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(goOn) })
	script := filepath.Join(t.TempDir(), "bomb")
	body := fmt.Sprintf("#!/bin/sh\ntrap '' TERM\n[ -e %s ] || exit 0\n[ $1 -gt 0 ] || exec sleep 60\nsetsid $0 $(($1-1)) & setsid $0 $(($1-1)) & wait\n", goOn)
	if err := os.WriteFile(script, []byte(body), 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, script, "7")
	for deadline := time.Now().Add(10 * time.Second); len(p.matcher().scan()) < 20; {
		if time.Now().After(deadline) {
			t.Fatal("the tree does not grow")
		}
	}
	p.End(context.Background(), 50*time.Millisecond)
	if left := p.matcher().scan(); len(left) != 0 {
		t.Errorf("%d left", len(left))
	}
	wait(t, p)
}

func TestASignalReachesTheWholeGroupAndNobodyWhenItIsGone(t *testing.T) {
	p, _ := startAndReadLine(t, `trap 'exit 9' USR1; sleep 100 & echo ready; wait`)
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, p); got.ExitCode != 9 {
		t.Errorf("%+v", got)
	}
	p.End(context.Background(), 0)
	if err := p.Signal(syscall.SIGUSR1); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("%v", err)
	}
}

func TestEndOfNilAndOfWhatHasEndedReturnsAtOnce(t *testing.T) {
	var none *Process
	none.End(context.Background(), time.Minute)
	p := start(t, "true")
	wait(t, p)
	p.End(context.Background(), time.Minute)
	p.End(context.Background(), time.Minute)
}

func TestAnEndThatWasToldLeavesNoZombie(t *testing.T) {
	script := `trap '' TERM; i=0; while [ $i -lt 200 ]; do sleep 100 & pids="$pids $!"; i=$((i + 1)); done; echo $pids; wait`
	p, line := startAndReadLine(t, script)
	p.End(context.Background(), 10*time.Millisecond)
	for word := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/proc/" + word); err == nil && zombie(pid) {
			t.Fatalf("process %d is a zombie", pid)
		}
	}
}
