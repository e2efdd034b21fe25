package process

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// SignalNumber finds a signal by its name, with or without "SIG".
func SignalNumber(name string) (syscall.Signal, bool) {
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	number := unix.SignalNum(name)
	return number, number != 0
}

// SignalName is a signal's name without "SIG"; "" for none and for one without a name.
func SignalName(sig syscall.Signal) string {
	return strings.TrimPrefix(unix.SignalName(sig), "SIG")
}
