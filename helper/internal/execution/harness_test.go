package execution

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth.dev/helper/internal/process"
	"berth.dev/helper/internal/records"
	"berth.dev/helper/internal/server"
)

// table is the test process's only one: each waits for every child there is.
var table *process.Table

func TestMain(m *testing.M) {
	table = process.NewTable()
	os.Exit(m.Run())
}

const patience = 20 * time.Second

// helper is a server with executions, reached over a socket.
type helper struct {
	registry *Registry
	socket   string
	ids      atomic.Int64
}

func newHelper(t testing.TB) *helper {
	t.Helper()
	folder, err := os.MkdirTemp("", "execution")
	if err != nil {
		t.Fatal(err)
	}
	h := &helper{registry: New(table), socket: filepath.Join(folder, "run", "s")}
	s := server.New(server.Options{Protocol: 3})
	h.registry.Routes(s.Mux())
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.ListenSocket(ctx, h.socket); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		cancel()
		_ = s.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(folder)
	})
	return h
}

// client is one HTTP/2 connection, which a test can cut.
type client struct {
	t    testing.TB
	http *http.Client
	mu   sync.Mutex
	conn net.Conn
}

func (h *helper) dial(t testing.TB) *client {
	c := &client{t: t}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		Protocols: protocols,
		HTTP2:     &http.HTTP2Config{MaxReceiveBufferPerStream: 1 << 20, MaxReceiveBufferPerConnection: 16 << 20, MaxReadFrameSize: 64 << 10},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "unix", h.socket)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.conn = conn
			return conn, err
		},
	}
	c.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// cut loses the connection.
func (c *client) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.Close()
}

func (h *helper) id() string { return fmt.Sprintf("x%d", h.ids.Add(1)) }

// command is a spec as JSON.
type command map[string]any

func sh(script string) command { return command{"argv": []string{"sh", "-c", script}} }

func (c command) with(name string, value any) command {
	c[name] = value
	return c
}

// stream is a record stream being read.
type stream struct {
	t       testing.TB
	status  int
	body    io.ReadCloser
	records *records.Reader
	cancel  context.CancelFunc
}

// execute sends a request; input may be nil.
func (c *client) execute(path string, spec command, input io.Reader) *stream {
	c.t.Helper()
	s, err := c.tryExecute(path, spec, input)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *client) tryExecute(path string, spec command, input io.Reader) (*stream, error) {
	description, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var body io.Reader = bytes.NewReader(description)
	if input != nil {
		body = io.MultiReader(body, input)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://helper/executions/"+path, body)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header.Set(specHeader, strconv.Itoa(len(description)))
	response, err := c.http.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	c.t.Cleanup(func() { cancel(); _ = response.Body.Close() })
	return &stream{t: c.t, status: response.StatusCode, body: response.Body, records: records.NewReader(response.Body), cancel: cancel}, nil
}

// call sends a request with a small JSON body and answers the status.
func (c *client) call(method, path, body string) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://helper"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

// answer is a whole record stream.
type answer struct {
	stdout, stderr []byte
	pid            int
	end            endEvent
	events         []string
}

// collect reads to the end; fails the test where the stream was cut.
func (s *stream) collect() answer {
	s.t.Helper()
	a, err := s.readUntil(func(answer) bool { return false })
	if err != nil {
		s.t.Fatalf("the stream was cut after %v: %v", a.events, err)
	}
	return a
}

// readUntil reads records until the stream's end or the condition.
func (s *stream) readUntil(enough func(answer) bool) (answer, error) {
	var a answer
	if s.status != http.StatusOK {
		return a, fmt.Errorf("status %d", s.status)
	}
	for !enough(a) {
		kind, payload, err := s.records.Next()
		if errors.Is(err, io.EOF) && a.end.Event == "end" {
			return a, nil
		}
		if err != nil {
			return a, fmt.Errorf("next record: %w", err)
		}
		switch kind {
		case records.Stdout:
			a.stdout = append(a.stdout, payload...)
		case records.Stderr:
			a.stderr = append(a.stderr, payload...)
		case records.Event:
			if err := a.event(payload); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

func (a *answer) event(payload []byte) error {
	var event struct {
		endEvent
		PID int `json:"pid"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return fmt.Errorf("event %q: %w", payload, err)
	}
	a.events = append(a.events, event.Event)
	switch event.Event {
	case "started":
		a.pid = event.PID
	case "end":
		a.end = event.endEvent
	}
	return nil
}

// eventually waits for a condition, without which the test fails.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
