package files

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// harness is a Files behind HTTP/2 over a socket, as the control plane sees it.
type harness struct {
	t      testing.TB
	files  *Files
	client *http.Client
	dir    string
}

func start(t testing.TB, options Options) *harness {
	t.Helper()
	h := &harness{t: t, files: New(options), dir: t.TempDir()}
	// A socket's path is 107 bytes at most, so it does not lie in the test's own folder.
	sockets, err := os.MkdirTemp("", "h2")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(sockets) })
	address := filepath.Join(sockets, "s")
	listener, err := net.Listen("unix", address)
	must(t, err)
	mux := http.NewServeMux()
	h.files.Routes(mux)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: mux, Protocols: &protocols, HTTP2: &http.HTTP2Config{
		MaxConcurrentStreams: 250, MaxReceiveBufferPerStream: 256 << 10, MaxReceiveBufferPerConnection: 64 << 20,
	}}
	go server.Serve(listener)
	transport := &http.Transport{Protocols: &protocols, DisableCompression: true, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 1 << 20},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", address)
		}}
	h.client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// address makes a request's address: route, then names and values in turn.
func address(route string, pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "http://helper" + route + "?" + values.Encode()
}

func (h *harness) at(name string) string { return filepath.Join(h.dir, name) }

func (h *harness) file(name, content string) string {
	h.t.Helper()
	must(h.t, os.MkdirAll(filepath.Dir(h.at(name)), 0o755))
	must(h.t, os.WriteFile(h.at(name), []byte(content), 0o644))
	return h.at(name)
}

type answer struct {
	status int
	header http.Header
	body   []byte
	// cut is why the body did not end by itself.
	cut     error
	trailer http.Header
}

func (h *harness) do(method, address string, body io.Reader) answer {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, address, body)
	must(h.t, err)
	response, err := h.client.Do(request)
	must(h.t, err)
	defer response.Body.Close()
	content, cut := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, content, cut, response.Trailer}
}

func (h *harness) get(route string, pairs ...string) answer {
	h.t.Helper()
	return h.do("GET", address(route, pairs...), nil)
}

func (h *harness) put(body string, route string, pairs ...string) answer {
	h.t.Helper()
	return h.do("PUT", address(route, pairs...), bytes.NewReader([]byte(body)))
}

// expect fails unless the answer has the status, and decodes its JSON into value where that is not nil.
func (a answer) expect(t testing.TB, status int, value any) {
	t.Helper()
	if a.status != status || a.cut != nil {
		t.Fatalf("got %d %s (cut: %v), want %d", a.status, a.body, a.cut, status)
	}
	if value != nil {
		must(t, json.Unmarshal(a.body, value))
	}
}

func (a answer) expectProblem(t testing.TB, status int, code string) {
	t.Helper()
	var got struct{ Code, Detail string }
	a.expect(t, status, &got)
	if got.Code != code || got.Detail == "" {
		t.Fatalf("got %+v, want the code %s", got, code)
	}
}

func contentOf(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}
