package tty

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// asVariable makes this test's program the subcommand, or a parent of it.
const asVariable = "BERTH_TEST_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(asVariable) {
	case "tty":
		os.Unsetenv(asVariable)
		os.Exit(Run(os.Args[1:]))
	case "parent":
		command := ttyCommand(os.Args[1:]...)
		command.Stdin, command.Stdout = os.Stdin, os.Stdout
		if err := command.Run(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func ttyCommand(args ...string) *exec.Cmd {
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), asVariable+"=tty", "GORACE=atexit_sleep_ms=0")
	return command
}

// within fails the test where the work takes longer than 10 s.
func within(t *testing.T, command *exec.Cmd) {
	t.Helper()
	timer := time.AfterFunc(10*time.Second, func() {
		t.Error("not done within 10 s")
		_ = command.Process.Kill()
	})
	t.Cleanup(func() { timer.Stop() })
}

func run(t *testing.T, input io.Reader, args ...string) (output string, code int) {
	t.Helper()
	command := ttyCommand(args...)
	command.Stdin = input
	var shown bytes.Buffer
	command.Stdout, command.Stderr = &shown, &shown
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, command)
	_ = command.Wait()
	return shown.String(), command.ProcessState.ExitCode()
}

func TestProgramHasAControllingTerminalAndLeadsItsSession(t *testing.T) {
	output, code := run(t, nil, "--", "sh", "-c", `tty > /dev/null && echo to the terminal > /dev/tty; cut -d" " -f6 /proc/$$/stat; echo $$`)
	lines := strings.Split(output, "\r\n")
	if code != 0 || len(lines) != 4 || lines[0] != "to the terminal" || lines[1] != lines[2] {
		t.Fatalf("%d %q", code, output)
	}
}

func TestExitCodeIsTheProgramsOwn(t *testing.T) {
	for script, wanted := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143, "kill -KILL $$": 137} {
		if output, code := run(t, nil, "--", "sh", "-c", script); code != wanted {
			t.Errorf("%s: %d %q", script, code, output)
		}
	}
	if _, code := run(t, nil, "--", "no-such-program"); code != 127 {
		t.Errorf("an absent program answers %d", code)
	}
	if _, code := run(t, nil, "--", "/etc/passwd"); code != 126 {
		t.Errorf("a file that is no program answers %d", code)
	}
}

func TestEndOfTheInputIsAKey(t *testing.T) {
	output, code := run(t, strings.NewReader("one\ntwo\n"), "--", "sh", "-c", "stty -echo; cat; echo end")
	if code != 0 || !strings.HasSuffix(output, "one\r\ntwo\r\nend\r\n") {
		t.Fatalf("%d %q", code, output)
	}
}

func TestBytesAreRelayedUnchangedBothWays(t *testing.T) {
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i*7 + i>>8)
	}
	input, keys := io.Pipe()
	defer keys.Close()
	command := ttyCommand("--", "sh", "-c", fmt.Sprintf("stty raw -echo; echo ready; head -c %d", len(data)))
	command.Stdin = input
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, command)
	reader := bufio.NewReader(output)
	if line, err := reader.ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("%q %v", line, err)
	}
	go func() { _, _ = keys.Write(data) }()
	shown, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(shown) != sha256.Sum256(data) {
		t.Fatalf("%d of %d bytes came back, or other ones", len(shown), len(data))
	}
	_ = keys.Close()
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestSizeFollowsTheLinesOfTheDescriptor(t *testing.T) {
	lines, sizes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer sizes.Close()
	command := ttyCommand("--resize-fd", "3", "--", "sh", "-c",
		`trap "stty size" WINCH; [ -e /proc/self/fd/3 ] && echo leaked; echo ready; while :; do read line && break; done`)
	command.ExtraFiles = []*os.File{lines}
	keys, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, command)
	_ = lines.Close()
	reader := bufio.NewReader(output)
	expect := func(wanted string) {
		t.Helper()
		if line, err := reader.ReadString('\n'); err != nil || strings.TrimSpace(line) != wanted {
			t.Fatalf("%q %v instead of %q", line, err, wanted)
		}
	}
	expect("ready")
	fmt.Fprint(sizes, "no size\n132 43\n")
	expect("43 132")
	fmt.Fprint(sizes, "90 30\n")
	expect("30 90")
	fmt.Fprint(keys, "\n")
	_, _ = io.Copy(io.Discard, reader)
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingLivesOnWhenTheParentDies(t *testing.T) {
	// Whatever is left holds this pipe open.
	alive, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	command := exec.Command(os.Args[0], "--", "sh", "-c", "trap '' HUP TERM; echo ready; while :; do read line; done")
	command.Env = append(os.Environ(), asVariable+"=parent", "GORACE=atexit_sleep_ms=0")
	command.Stdout = held
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, command)
	_ = held.Close()
	reader := bufio.NewReader(alive)
	if line, err := reader.ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("%q %v", line, err)
	}
	_ = command.Process.Kill()
	_ = command.Wait()
	_ = alive.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Fatalf("something still holds the output: %v", err)
	}
}

func TestOutputIsCompleteWhereSomethingElseHoldsTheTerminal(t *testing.T) {
	output, code := run(t, nil, "--", "sh", "-c", `sh -c 'trap "" HUP; sleep 5' & seq 1 2000; exit 3`)
	if code != 3 || !strings.HasSuffix(output, "1999\r\n2000\r\n") {
		t.Fatalf("%d, %d bytes ending in %q", code, len(output), output[max(0, len(output)-20):])
	}
}
