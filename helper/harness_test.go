package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth.dev/helper/internal/records"
)

const patience = 20 * time.Second

// TestMain lets this program be the helper too: tests run the real thing as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_RUN_HELPER") != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// running is a helper process.
type running struct {
	t       *testing.T
	command *exec.Cmd
	dir     string
	log     bytes.Buffer
	stdout  bytes.Buffer
	ended   chan struct{}
}

func newFolder(t *testing.T) string {
	t.Helper()
	// t.TempDir is too long for the name of a socket.
	dir, err := os.MkdirTemp("", "helper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func helperCommand(dir string, args ...string) *exec.Cmd {
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), "TEST_RUN_HELPER=1", "BERTH_DIR="+dir)
	return command
}

func serve(t *testing.T, dir string, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, command: helperCommand(dir, append([]string{"serve"}, args...)...), dir: dir, ended: make(chan struct{})}
	r.command.Env = append(r.command.Env, env...)
	r.command.Stderr, r.command.Stdout = &r.log, &r.stdout
	// A daemon that wrongly lives on must not make Wait wait for it.
	r.command.WaitDelay = time.Second
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.command.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		_ = r.command.Process.Kill()
		<-r.ended
	})
	return r
}

func (r *running) exitCode() int {
	r.t.Helper()
	select {
	case <-r.ended:
		return r.command.ProcessState.ExitCode()
	case <-time.After(patience):
		r.t.Fatal("the helper does not end")
		return 0
	}
}

func (r *running) client() *http.Client {
	return clientOver(r.t, func() (net.Conn, error) { return dialSocket(filepath.Join(r.dir, "run", "helper.sock")) })
}

func clientOver(t *testing.T, dial func() (net.Conn, error)) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func protocolOf(t *testing.T, c *http.Client) int {
	t.Helper()
	response, err := c.Get("http://helper/health")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var health struct {
		Protocol int `json:"protocol"`
	}
	if err := json.NewDecoder(response.Body).Decode(&health); err != nil {
		t.Fatal(err)
	}
	return health.Protocol
}

// firstLine runs a script and answers the first line of its output; the script goes on.
func firstLine(t *testing.T, c *http.Client, script string) string {
	t.Helper()
	spec, _ := json.Marshal(map[string]any{"argv": []string{"sh", "-c", script}})
	response, err := c.Post("http://helper/executions/"+strconv.FormatInt(time.Now().UnixNano(), 36), "application/json", bytes.NewReader(spec))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	reader := records.NewReader(response.Body)
	var output []byte
	for !bytes.Contains(output, []byte("\n")) {
		kind, payload, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if kind == records.Stdout {
			output = append(output, payload...)
		}
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return line
}

// stdio is a connection over another process's standard input and output.
type stdio struct {
	io.Writer
	io.Reader
	close func() error
}

func (s *stdio) Close() error                     { return s.close() }
func (s *stdio) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (s *stdio) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (s *stdio) SetDeadline(time.Time) error      { return nil }
func (s *stdio) SetReadDeadline(time.Time) error  { return nil }
func (s *stdio) SetWriteDeadline(time.Time) error { return nil }
