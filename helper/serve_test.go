package main

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestTermIsHeardWhileTheHelperStarts(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	never := make(chan struct{})
	defer close(never)
	p, code := awaitStart(log.New(io.Discard, "", 0), signals, func() (*parts, error) {
		<-never
		return nil, nil
	})
	if p != nil || code != 143 {
		t.Errorf("%v, %d", p, code)
	}
}

func TestTheHelperComesUpWhateverLiesInItsFolder(t *testing.T) {
	dir := newFolder(t)
	for _, path := range []string{"secret", "jobs/one", "jobs/two"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"secret/helper", "jobs/one/spec.json", "terminals"} {
		if err := syscall.Mkfifo(filepath.Join(dir, path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := serve(t, dir, nil, "--listen", "127.0.0.1:0")
	if got := protocolOf(t, r.client()); got != protocol {
		t.Errorf("protocol %d", got)
	}
}
