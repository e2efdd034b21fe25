package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"berth.dev/helper/internal/process"
	"berth.dev/helper/internal/records"
)

// table reaps for all tests of this package: there is one per process.
var table *process.Table

func TestMain(m *testing.M) {
	table = process.NewTable()
	os.Exit(m.Run())
}

// service is a registry behind HTTP/2 on a socket, as in the helper.
type service struct {
	t        testing.TB
	registry *Registry
	client   *http.Client
	dir      string
}

// patience bounds every wait of these tests.
const patience = 15 * time.Second

func newService(t testing.TB, options Options) *service {
	t.Helper()
	options.Dir, options.Table = t.TempDir(), table
	registry := New(options)
	mux := http.NewServeMux()
	registry.Routes(mux)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: mux, Protocols: protocols}
	socket := filepath.Join(options.Dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	s := &service{t: t, registry: registry, client: newClient(socket), dir: options.Dir}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		registry.Close(ctx)
		s.client.CloseIdleConnections()
		_ = server.Close()
	})
	return s
}

func newClient(socket string) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

func (s *service) call(method, path string, body any) (int, map[string]any) {
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
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://helper"+path, sent)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
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

// start runs a shell script in a new terminal.
func (s *service) start(id, script string, more ...map[string]any) {
	s.t.Helper()
	body := map[string]any{"argv": []string{"sh", "-c", script}}
	for _, fields := range more {
		for name, value := range fields {
			body[name] = value
		}
	}
	if code, answer := s.call("PUT", "/terminals/"+id, body); code != http.StatusCreated || answer["id"] != id {
		s.t.Fatalf("%d %v", code, answer)
	}
}

// viewer is one attached stream.
type viewer struct {
	t        testing.TB
	keys     *io.PipeWriter
	reader   *records.Reader
	body     io.Closer
	cancel   func()
	ready    map[string]any
	position int64  // where the next byte of output belongs
	output   []byte // all of it so far
}

func (s *service) attach(id, query string) *viewer {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(patience, func() {
		s.t.Errorf("a stream of %s took too long", id)
		cancel()
	})
	s.t.Cleanup(func() { timer.Stop(); cancel() })
	body, keys := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, "POST", "http://helper/terminals/"+id+"/attach?"+query, body)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		s.t.Fatalf("%d %s", response.StatusCode, text)
	}
	v := &viewer{t: s.t, keys: keys, reader: records.NewReader(response.Body), body: response.Body, cancel: func() { timer.Stop(); cancel() }}
	v.ready = v.event("ready")
	from, _ := v.ready["from"].(float64)
	v.position = int64(from)
	return v
}

// next answers an event, or nil where output came.
func (v *viewer) next() (map[string]any, error) {
	kind, payload, err := v.reader.Next()
	if err != nil {
		return nil, err
	}
	if kind == records.Stdout {
		v.position += int64(len(payload))
		v.output = append(v.output, payload...)
		return nil, nil
	}
	event := map[string]any{}
	if err := json.Unmarshal(payload, &event); err != nil {
		v.t.Fatal(err)
	}
	if event["event"] == "gap" {
		if from, _ := event["from"].(float64); int64(from) != v.position {
			v.t.Fatalf("a gap %v at %d", event, v.position)
		}
		to, _ := event["to"].(float64)
		v.position = int64(to)
	}
	return event, nil
}

// event reads on to an event of this name.
func (v *viewer) event(name string) map[string]any {
	v.t.Helper()
	for {
		event, err := v.next()
		if err != nil {
			v.t.Fatalf("%v instead of %s after %q", err, name, tail(v.output))
		}
		if event["event"] == name {
			return event
		}
	}
}

// until reads on until the output contains a text.
func (v *viewer) until(text string) {
	v.t.Helper()
	for searched := 0; !bytes.Contains(v.output[searched:], []byte(text)); {
		searched = max(0, len(v.output)-len(text))
		if event, err := v.next(); err != nil || event["event"] == "end" {
			v.t.Fatalf("%v, %v instead of %q after %q", event, err, text, tail(v.output))
		}
	}
}

func (v *viewer) press(keys string) {
	v.t.Helper()
	if _, err := fmt.Fprint(v.keys, keys); err != nil {
		v.t.Fatal(err)
	}
}

// leave resets the stream. Go's client does not see that its context has ended while it reads a body, so that is ended first.
func (v *viewer) leave() {
	v.cancel()
	_ = v.keys.CloseWithError(context.Canceled)
}

func tail(output []byte) []byte { return output[max(0, len(output)-200):] }

// eventually waits for something that nobody announces.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("it never came about that %s", what)
		}
	}
}
