package server

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const patience = 20 * time.Second

var secret = []byte("0123456789abcdef0123456789abcdef")

// running is a server that listens on a socket and on TCP.
type running struct {
	*Server
	socket, address string
}

func start(t *testing.T, routes func(*http.ServeMux)) *running {
	t.Helper()
	return startWith(t, Options{Protocol: 3, Version: "1.2.3"}, routes)
}

func startWith(t *testing.T, options Options, routes func(*http.ServeMux)) *running {
	t.Helper()
	folder, err := os.MkdirTemp("", "server")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: New(options), socket: filepath.Join(folder, "run", "s")}
	if routes != nil {
		routes(r.Mux())
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := r.ListenSocket(ctx, r.socket); err != nil {
		t.Fatal(err)
	}
	bound, err := r.ListenTLS(ctx, []string{"127.0.0.1:0"}, secret)
	if err != nil {
		t.Fatal(err)
	}
	r.address = bound[0].String()
	served := make(chan error, 1)
	go func() { served <- r.Serve() }()
	t.Cleanup(func() {
		cancel()
		_ = r.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(folder)
	})
	return r
}

func client(dial func() (net.Conn, error)) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }},
	}
}

func (r *running) bySocket(t *testing.T) *http.Client {
	c := client(func() (net.Conn, error) { return net.Dial("unix", r.socket) })
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func health(t *testing.T, c *http.Client) map[string]any {
	t.Helper()
	response, err := c.Get("http://helper/health")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestHealthTellsProtocolVersionAndBoot(t *testing.T) {
	r := start(t, nil)
	got := health(t, r.bySocket(t))
	if got["protocol"] != 3.0 || got["version"] != "1.2.3" || got["pid"] != float64(os.Getpid()) || len(got["boot_id"].(string)) != 32 {
		t.Errorf("%v", got)
	}
	if _, err := time.Parse(time.RFC3339, got["started_at"].(string)); err != nil {
		t.Error(err)
	}
	if other := health(t, start(t, nil).bySocket(t)); other["boot_id"] == got["boot_id"] {
		t.Error("two starts have one boot_id")
	}
}

func TestTheSocketIsForItsUserAloneAndReplacesOneLeftBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s")
	for range 2 {
		if err := New(Options{}).ListenSocket(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{path: os.ModeSocket | 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestTheSixtyFifthConnectionIsClosed(t *testing.T) {
	r := start(t, nil)
	dial := func() net.Conn {
		conn, err := net.Dial("unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	open := make([]net.Conn, maxConnections)
	for i := range open {
		open[i] = dial()
	}
	waitForConnections(t, r, maxConnections)
	if !isClosed(dial()) {
		t.Error("the 65th is served")
	}
	for _, conn := range open {
		_ = conn.Close()
	}
	waitForConnections(t, r, 0)
	if got := health(t, r.bySocket(t)); got["protocol"] != 3.0 {
		t.Errorf("%v", got)
	}
}

func waitForConnections(t *testing.T, r *running, count int) {
	t.Helper()
	for deadline := time.Now().Add(patience); r.Connections() != count; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d are open", r.Connections())
		}
	}
}

func TestWhatNoRouteTakesIsAnsweredAsAProblem(t *testing.T) {
	r := start(t, func(mux *http.ServeMux) {
		mux.HandleFunc("DELETE /any/{id}", func(http.ResponseWriter, *http.Request) {})
	})
	c := r.bySocket(t)
	for _, one := range []struct {
		path, code, allow string
		status            int
	}{{"/none", "not_found", "", 404}, {"/any/x", "bad_request", "DELETE", 405}} {
		response, err := c.Get("http://helper" + one.path)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Code string }
		err = json.NewDecoder(response.Body).Decode(&body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != one.status || body.Code != one.code || response.Header.Get("allow") != one.allow ||
			response.Header.Get("content-type") != "application/problem+json" {
			t.Errorf("%s: %v, %q, %v, %v", one.path, response.Status, body.Code, response.Header, err)
		}
	}
}

func TestAPanicEndsItsStreamOnly(t *testing.T) {
	r := start(t, func(mux *http.ServeMux) {
		mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	c := r.bySocket(t)
	if response, err := c.Get("http://helper/panic"); err == nil {
		_ = response.Body.Close()
		t.Error("no error")
	}
	if got := health(t, c); got["protocol"] != 3.0 {
		t.Errorf("%v", got)
	}
}

func TestARequestIsActivityAndAskingForHealthIsNot(t *testing.T) {
	r := start(t, func(mux *http.ServeMux) { mux.HandleFunc("GET /any", func(http.ResponseWriter, *http.Request) {}) })
	c := r.bySocket(t)
	r.activity.Store(0)
	health(t, c)
	if !r.LastActivity().Equal(time.UnixMilli(0)) {
		t.Error("health counts")
	}
	response, err := c.Get("http://helper/any")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if time.Since(r.LastActivity()) > patience {
		t.Error("a request does not count")
	}
}

func TestALostConnectionIsKnownBeforeItsRequestsEndAndAResetIsNone(t *testing.T) {
	began, lost := make(chan struct{}), make(chan bool)
	r := start(t, func(mux *http.ServeMux) {
		mux.HandleFunc("GET /wait", func(w http.ResponseWriter, request *http.Request) {
			began <- struct{}{}
			<-request.Context().Done()
			select {
			case <-ConnectionLost(request.Context()):
				lost <- true
			default:
				lost <- false
			}
		})
	})
	for _, cut := range []bool{true, false} {
		var conn net.Conn
		c := client(func() (net.Conn, error) {
			var err error
			conn, err = net.Dial("unix", r.socket)
			return conn, err
		})
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://helper/wait", nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if response, err := c.Do(request); err == nil {
				_ = response.Body.Close()
			}
		}()
		<-began
		if cut {
			_ = conn.Close()
		} else {
			cancel()
		}
		if got := <-lost; got != cut {
			t.Errorf("cut %v: seen as lost %v", cut, got)
		}
		cancel()
		c.CloseIdleConnections()
	}
}
