package tty

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// endOfInput is what the line discipline takes for the end of the input: Ctrl-D.
	endOfInput = 0x04
	// restIdle is how long the terminal may stay silent after its program has ended before its output counts as complete. Only where
	// something else still holds the terminal open does it matter; otherwise the master says itself that nobody is left.
	restIdle = 50 * time.Millisecond
	// restBytes is more than the kernel buffers of a terminal.
	restBytes = 256 << 10
)

// Run runs one program in a terminal of its own and relays standard input and output, byte for byte. It answers the program's exit
// code (128 + signal where one ended it), 127 and 126 where it cannot be run, 125 where there is no terminal.
func Run(args []string) int {
	options, err := parseOptions(args)
	if err != nil {
		return fail(125, err)
	}
	// A death signal goes to the children of the thread that has started them, and to us by the thread that has asked for it.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fail(125, fmt.Errorf("ask for the parent's death: %w", err))
	}
	master, terminal, err := Open()
	if err != nil {
		return fail(125, err)
	}
	defer master.Close()
	if options.resizeFD >= 0 {
		unix.CloseOnExec(options.resizeFD)
	}
	command := exec.Command(options.argv[0], options.argv[1:]...)
	command.Stdin, command.Stdout, command.Stderr = terminal, terminal, terminal
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	err = command.Start()
	_ = terminal.Close()
	if err != nil {
		return fail(startCode(err), err)
	}
	if options.resizeFD >= 0 {
		go resize(master, os.NewFile(uintptr(options.resizeFD), "resize"))
	}
	go typeInput(master, os.Stdin)
	shown := make(chan error, 1)
	go func() { shown <- show(os.Stdout, master) }()
	code := wait(command)
	_ = master.SetReadDeadline(time.Now().Add(restIdle))
	if err := <-shown; errors.Is(err, os.ErrDeadlineExceeded) {
		showRest(os.Stdout, master)
	}
	return code
}

func fail(code int, err error) int {
	fmt.Fprintln(os.Stderr, "helper tty:", err)
	return code
}

// startCode is what a shell answers where it cannot run a program.
func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return 127
	}
	return 126
}

func wait(command *exec.Cmd) int {
	// The state says how it ended; that it failed is not our failure.
	_ = command.Wait()
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return command.ProcessState.ExitCode()
}

// typeInput ends with the input, whose end it passes on as a key.
func typeInput(master, input *os.File) {
	if _, err := io.Copy(onlyWriter{master}, onlyReader{input}); err != nil {
		return
	}
	_, _ = master.Write([]byte{endOfInput})
}

// show relays what the terminal prints until nobody holds it any more (EIO), or until the read deadline.
func show(output io.Writer, master *os.File) error {
	_, err := io.Copy(output, onlyReader{master})
	return err
}

// showRest relays what is still in the terminal's buffers after its program has ended, while something else holds it open.
func showRest(output io.Writer, master *os.File) {
	buffer := make([]byte, 4096)
	for left := restBytes; left > 0; {
		_ = master.SetReadDeadline(time.Now().Add(restIdle))
		count, err := master.Read(buffer)
		if _, failed := output.Write(buffer[:count]); err != nil || failed != nil {
			return
		}
		left -= count
	}
}

// resize follows the lines `COLS ROWS`; whatever is no size is passed over.
func resize(master, lines *os.File) {
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		if cols, rows, ok := parseSize(scanner.Text()); ok {
			// The terminal may be gone by now.
			_ = Resize(master, cols, rows)
		}
	}
}

// onlyReader and onlyWriter keep io.Copy to plain reads and writes: a terminal can neither be spliced nor sent.
type onlyReader struct{ io.Reader }

type onlyWriter struct{ io.Writer }
