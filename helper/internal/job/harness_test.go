package job

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"berth.dev/helper/internal/process"
)

// table reaps for all tests of this package: there is one per process.
var table *process.Table

func TestMain(m *testing.M) {
	table = process.NewTable()
	os.Exit(m.Run())
}

// patience bounds every wait of these tests.
const patience = 15 * time.Second

// service is a registry behind HTTP/2 on a socket, as in the helper.
type service struct {
	t        testing.TB
	registry *Registry
	client   *http.Client
	dir      string
}

func newService(t testing.TB, options Options) *service {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	options.Table = table
	registry := New(options)
	mux := http.NewServeMux()
	registry.Routes(mux)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: mux, Protocols: protocols}
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	client := &http.Client{Transport: &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		registry.Close(ctx)
		client.CloseIdleConnections()
		_ = server.Close()
	})
	return &service{t: t, registry: registry, client: client, dir: options.Dir}
}

// open sends a request; the answer's body is bounded in time.
func (s *service) open(method, path string, body any) *http.Response {
	s.t.Helper()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, "http://helper"+path, sent)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func (s *service) call(method, path string, body any) (int, map[string]any) {
	s.t.Helper()
	response := s.open(method, path, body)
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	answer := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
	}
	return response.StatusCode, answer
}

// start runs a shell script as a new job.
func (s *service) start(id, script string, more ...map[string]any) {
	s.t.Helper()
	body := map[string]any{"argv": []string{"sh", "-c", script}}
	for _, fields := range more {
		maps.Copy(body, fields)
	}
	if code, answer := s.call("PUT", "/jobs/"+id, body); code != http.StatusCreated || answer["id"] != id {
		s.t.Fatalf("%d %v", code, answer)
	}
}

// end waits for a job's end.
func (s *service) end(id string) map[string]any {
	s.t.Helper()
	code, status := s.call("GET", "/jobs/"+id+"?wait_ms=14000", nil)
	if code != 200 || status["status"] != "ended" {
		s.t.Fatalf("%d %v", code, status)
	}
	return status
}

func (s *service) read(path string) ([]byte, http.Header) {
	s.t.Helper()
	response := s.open("GET", path, nil)
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		s.t.Fatalf("%d %v %s", response.StatusCode, err, body)
	}
	return body, response.Header
}
