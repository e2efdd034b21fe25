package tcp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// harness is a Forwarder behind HTTP/2, and a program in the pod.
type harness struct {
	t         *testing.T
	forwarder *Forwarder
	client    *http.Client
	url       string
}

func start(t *testing.T, hosts ...string) *harness {
	t.Helper()
	h := &harness{t: t, forwarder: New(hosts)}
	mux := http.NewServeMux()
	h.forwarder.Routes(mux)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = &protocols
	server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1000}
	server.Start()
	h.url = server.URL
	transport := &http.Transport{Protocols: &protocols}
	h.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		// The server does not wait for its handlers.
		for deadline := time.Now().Add(10 * time.Second); h.forwarder.Open() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d streams are still counted", h.forwarder.Open())
			}
		}
	})
	return h
}

// program listens in the pod and handles one connection.
func (h *harness) program(handle func(*net.TCPConn)) (port string) {
	h.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(h.t, err)
	h.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				handle(connection.(*net.TCPConn))
			}()
		}
	}()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// open begins a stream; what is written to the pipe goes to the program.
func (h *harness) open(port string) (*http.Response, *io.PipeWriter) {
	h.t.Helper()
	reader, writer := io.Pipe()
	request, err := http.NewRequestWithContext(h.t.Context(), "POST", h.url+"/tcp/"+port, reader)
	must(h.t, err)
	response, err := h.client.Do(request)
	must(h.t, err)
	h.t.Cleanup(func() {
		writer.Close()
		response.Body.Close()
	})
	return response, writer
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBytesGoBothWaysAsSoonAsTheyAreThere(t *testing.T) {
	h := start(t, "127.0.0.1")
	response, writer := h.open(h.program(func(c *net.TCPConn) { _, _ = io.Copy(c, c) }))
	if response.StatusCode != 200 {
		t.Fatal(response.Status)
	}
	for _, word := range []string{"one", "two", "three"} {
		_, err := io.WriteString(writer, word)
		must(t, err)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != word {
			t.Fatalf("%q came back as %q, %v", word, got, err)
		}
	}
	writer.Close()
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Errorf("then came %q, %v", rest, err)
	}
}

func TestTheEndOfTheBodyEndsOnlyThatDirection(t *testing.T) {
	h := start(t, "127.0.0.1")
	response, writer := h.open(h.program(func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		_, _ = c.Write(bytes.ToUpper(all))
	}))
	_, err := io.WriteString(writer, "said before the end")
	must(t, err)
	writer.Close()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "SAID BEFORE THE END" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAProgramThatEndsItsSideStillHearsTheClient(t *testing.T) {
	h := start(t, "127.0.0.1")
	h.forwarder.quiet = 10 * time.Second
	heard := make(chan string, 1)
	response, writer := h.open(h.program(func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "greeting")
		_ = c.CloseWrite()
		all, _ := io.ReadAll(c)
		heard <- string(all)
	}))
	greeting := make([]byte, len("greeting"))
	_, err := io.ReadFull(response.Body, greeting)
	must(t, err)
	_, err = io.WriteString(writer, "still here")
	must(t, err)
	writer.Close()
	if got := <-heard; got != "still here" {
		t.Errorf("it heard %q", got)
	}
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Errorf("then came %q, %v", rest, err)
	}
}

func TestAClientThatWaitsForTheEndGetsItWithoutEndingItsOwnSide(t *testing.T) {
	h := start(t, "127.0.0.1")
	response, _ := h.open(h.program(func(c *net.TCPConn) { _, _ = io.WriteString(c, "all") }))
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "all" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnUploadThatThePodTakesSlowlyIsNotCutAfterThePodHasEndedItsSide(t *testing.T) {
	h := start(t, "127.0.0.1")
	h.forwarder.quiet = 20 * time.Millisecond
	takes := make(chan struct{})
	heard := make(chan int64, 1)
	response, writer := h.open(h.program(func(c *net.TCPConn) {
		_ = c.SetReadBuffer(64 << 10)
		_ = c.CloseWrite()
		<-takes
		count, err := io.Copy(io.Discard, c)
		if err != nil {
			t.Error(err)
		}
		heard <- count
	}))
	const size = 32 << 20
	go func() {
		_, _ = writer.Write(make([]byte, size))
		writer.Close()
	}()
	// Much longer than a client may be silent.
	time.AfterFunc(20*h.forwarder.quiet, func() { close(takes) })
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if count := <-heard; count != size {
		t.Errorf("it heard %d bytes", count)
	}
}

func TestAProgramIsNotToldThatAnUploadIsWholeWhereItMayNotBe(t *testing.T) {
	h := start(t, "127.0.0.1")
	h.forwarder.quiet = 10 * time.Millisecond
	ended := make(chan error, 1)
	response, writer := h.open(h.program(func(c *net.TCPConn) {
		_ = c.CloseWrite()
		_, err := io.Copy(io.Discard, c)
		ended <- err
	}))
	_, err := io.WriteString(writer, "half of it")
	must(t, err)
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("it saw %v", err)
	}
}

func TestAProgramsResetResetsTheStream(t *testing.T) {
	h := start(t, "127.0.0.1")
	reset := make(chan struct{})
	response, _ := h.open(h.program(func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "some")
		<-reset
		_ = c.SetLinger(0)
	}))
	got := make([]byte, 4)
	_, err := io.ReadFull(response.Body, got)
	must(t, err)
	close(reset)
	if rest, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the stream ended in order after %q", rest)
	}
}

func TestAClientsResetResetsTheProgramsConnection(t *testing.T) {
	h := start(t, "127.0.0.1")
	ended := make(chan error, 1)
	port := h.program(func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "some")
		_, err := io.Copy(io.Discard, c)
		ended <- err
	})
	response, writer := h.open(port)
	_, err := io.ReadFull(response.Body, make([]byte, 4))
	must(t, err)
	// What fails while a body is read resets the stream.
	writer.CloseWithError(errors.New("the client changed its mind"))
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the program saw %v", err)
	}
}

func TestManyMegabytesArriveUnchangedBothWays(t *testing.T) {
	h := start(t, "127.0.0.1")
	response, writer := h.open(h.program(func(c *net.TCPConn) {
		_, _ = io.Copy(struct{ io.Writer }{c}, c)
		_ = c.CloseWrite()
	}))
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	go func() {
		_, _ = writer.Write(sent)
		writer.Close()
	}()
	if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
}

func (h *harness) expectRefusal(port string, status int, code string) {
	h.t.Helper()
	response, err := h.client.Post(h.url+"/tcp/"+port, "", http.NoBody)
	must(h.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(h.t, err)
	if response.StatusCode != status || !strings.Contains(string(body), `"code":"`+code+`"`) {
		h.t.Errorf("port %s: %d %s", port, response.StatusCode, body)
	}
}

func TestPortsThatCannotBeReachedAreRefused(t *testing.T) {
	h := start(t, "127.0.0.1", "::1")
	h.expectRefusal("7171", 403, "denied")
	for _, port := range []string{"0", "65536", "-1", "ssh", "07171x"} {
		h.expectRefusal(port, 400, "bad_request")
	}
	h.expectRefusal("07171", 403, "denied")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	h.expectRefusal(port, 502, "refused")
}

func TestTheNextAddressIsTriedWhereOneRefuses(t *testing.T) {
	h := start(t, "127.0.0.2", "127.0.0.1")
	response, _ := h.open(h.program(func(c *net.TCPConn) { _, _ = io.WriteString(c, "here") }))
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "here" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNoMoreStreamsThanAllowedAreOpenAtOnce(t *testing.T) {
	h := start(t, "127.0.0.1")
	port := h.program(func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	var writers []*io.PipeWriter
	for range maxStreams {
		_, writer := h.open(port)
		writers = append(writers, writer)
	}
	h.expectRefusal(port, 429, "too_many")
	for _, writer := range writers {
		writer.Close()
	}
}

func TestTheEnvironmentSaysWhereAPodsProgramsListen(t *testing.T) {
	for _, c := range []struct {
		environment map[string]string
		want        []string
	}{
		{nil, []string{"127.0.0.1", "::1"}},
		{map[string]string{"BERTH_POD_IP": "10.0.0.7"}, []string{"127.0.0.1", "::1", "10.0.0.7"}},
		{map[string]string{"BERTH_POD_IP": "10.0.0.7", "BERTH_TCP_HOSTS": "127.64.0.9, ::1,"}, []string{"127.64.0.9", "::1"}},
	} {
		got := Hosts(func(name string) string { return c.environment[name] })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: got %v", c.environment, got)
		}
	}
}
