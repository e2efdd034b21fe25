package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"berth.dev/helper/internal/process"
)

const (
	protocol = 3
	// terminated is the exit code for TERM: with 0 the kubelet reports an eviction as a success.
	terminated = 143
)

type serveOptions struct {
	listen  []string // TCP addresses
	command []string // the template's own program; empty: none
}

func parseServe(args []string) (serveOptions, error) {
	var options serveOptions
	if split := slices.Index(args, "--"); split >= 0 {
		args, options.command = args[:split], args[split+1:]
	}
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		if name != "--listen" {
			return options, fmt.Errorf("no such option: %s", name)
		}
		if !joined {
			if len(args) == 0 {
				return options, errors.New("--listen needs an address")
			}
			value, args = args[0], args[1:]
		}
		for address := range strings.SplitSeq(value, ",") {
			if address != "" {
				options.listen = append(options.listen, address)
			}
		}
	}
	return options, nil
}

// runServe is the helper as PID 1. It ends with 143 on TERM, or with the exit code of the template's own program.
func runServe(args []string) int {
	logger := log.New(os.Stderr, "berth-helper: ", 0)
	options, err := parseServe(args)
	if err != nil {
		logger.Print(err)
		return 2
	}
	signals := takeSignals()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p, code := awaitStart(logger, signals, func() (*parts, error) { return startParts(ctx, options, logger) })
	if p == nil {
		return code
	}
	beThrifty(ctx, p.server.LastActivity)
	failed := make(chan error, 1)
	go func() { failed <- p.server.Serve() }()
	own, err := startCommand(p.table, options.command)
	if err != nil {
		logger.Print(err)
		return exitCodeOf(err)
	}
	code = waitForEnd(logger, signals, own, failed)
	p.end()
	return code
}

func startParts(ctx context.Context, options serveOptions, logger *log.Logger) (*parts, error) {
	p, err := newParts(folder(), logger)
	if err != nil {
		return nil, err
	}
	return p, p.listen(ctx, options.listen)
}

// awaitStart answers what was started, or nil and the exit code. A disk may make the start slow; a signal that ends the helper counts
// before. No process runs until then, so there is nothing to end.
func awaitStart(logger *log.Logger, signals <-chan os.Signal, start func() (*parts, error)) (*parts, int) {
	type outcome struct {
		parts *parts
		err   error
	}
	started := make(chan outcome, 1)
	go func() {
		p, err := start()
		started <- outcome{p, err}
	}()
	select {
	case sig := <-signals:
		logger.Printf("ends on %v while it starts", sig)
		return nil, terminated
	case one := <-started:
		if one.err != nil {
			logger.Print(one.err)
			return nil, 1
		}
		return one.parts, 0
	}
}

func waitForEnd(logger *log.Logger, signals <-chan os.Signal, own *process.Process, failed <-chan error) int {
	var ended <-chan struct{}
	if own != nil {
		ended = own.Done()
	}
	select {
	case sig := <-signals:
		logger.Printf("ends on %v", sig)
		return terminated
	case <-ended:
		logger.Printf("the template's program has ended with exit code %d", own.Status().ExitCode)
		return own.Status().ExitCode
	case err := <-failed:
		logger.Print(err)
		return 1
	}
}

// startCommand runs the template's own program; its output is the container's log.
func startCommand(table *process.Table, command []string) (*process.Process, error) {
	if len(command) == 0 {
		return nil, nil
	}
	return table.Start(process.Spec{Argv: command, Env: table.BaseEnv(), Stdout: os.Stdout, Stderr: os.Stderr})
}

func exitCodeOf(err error) int {
	var failure *process.StartError
	if errors.As(err, &failure) {
		return failure.ExitCode
	}
	return 1
}

// takeSignals answers those that end the helper. Every other signal that would end a Go program is taken and dropped: a session's user may
// send any of them to PID 1, and with handlers of Go's own in place the kernel does not shield it. (Ignoring them would be inherited.)
func takeSignals() <-chan os.Signal {
	dropped := make(chan os.Signal, 1)
	for number := syscall.Signal(1); number < 32; number++ {
		switch number {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGPROF:
		default:
			signal.Notify(dropped, number)
		}
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGINT)
	return ending
}
