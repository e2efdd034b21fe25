// Package server takes connections, from the pod's own socket and from TCP, and serves HTTP/2 on them.
package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"berth.dev/helper/internal/problem"
)

const (
	maxConnections    = 64
	headerTimeout     = 10 * time.Second
	maxHeaderBytes    = 64 << 10
	maxStreams        = 250
	streamWindow      = 256 << 10
	connectionWindow  = 64 << 20 // never below the streams' together: one unread stream must not stall the others
	maxReadFrameBytes = 256 << 10
	pingAfter         = 10 * time.Second
	// pingAnswer bounds an unfinished block of headers too: no ping is answered within one, so its connection is closed after 20 s.
	pingAnswer = 10 * time.Second
)

// Options are what a server tells about itself.
type Options struct {
	Protocol int
	Version  string
	Log      *log.Logger
	// HandshakeTimeout is how long a client over TCP may take to prove that it knows the secret; 0: 5 s.
	HandshakeTimeout time.Duration
}

// Server serves the helper's protocol.
type Server struct {
	options   Options
	http      *http.Server
	mux       *http.ServeMux
	started   time.Time
	bootID    string
	activity  atomic.Int64 // Unix milliseconds
	open      atomic.Int64
	accepted  chan net.Conn
	closed    chan struct{}
	closeOnce sync.Once
}

// New makes a server whose routes the caller registers on its Mux.
func New(options Options) *Server {
	if options.HandshakeTimeout == 0 {
		options.HandshakeTimeout = handshakeTimeout
	}
	s := &Server{
		options: options, mux: http.NewServeMux(), started: time.Now(), bootID: newBootID(),
		accepted: make(chan net.Conn), closed: make(chan struct{}),
	}
	s.activity.Store(s.started.UnixMilli())
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler: s, Protocols: protocols, ConnContext: withConnection, ErrorLog: options.Log,
		ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connectionWindow,
			MaxReadFrameSize: maxReadFrameBytes, SendPingTimeout: pingAfter, PingTimeout: pingAnswer,
		},
	}
	s.mux.HandleFunc("GET /health", s.health)
	s.mux.HandleFunc("/", s.unknown)
	return s
}

// Mux is where the parts of the helper register their routes.
func (s *Server) Mux() *http.ServeMux { return s.mux }

// Connections is the number of open connections that may speak HTTP/2.
func (s *Server) Connections() int { return int(s.open.Load()) }

// LastActivity is when a request other than health and stats last began, sent input or ended.
func (s *Server) LastActivity() time.Time { return time.UnixMilli(s.activity.Load()) }

// Serve serves what is offered until Close.
func (s *Server) Serve() error {
	// The one or the other, as Close gets ahead of Accept or not.
	if err := s.http.Serve(offers{s}); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Close ends every connection.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { close(s.closed) })
	return s.http.Close()
}

// offer hands a connection to HTTP/2, or closes it where there are too many.
func (s *Server) offer(conn net.Conn) {
	if s.open.Add(1) > maxConnections {
		s.open.Add(-1)
		_ = conn.Close()
		return
	}
	wrapped := newConnection(conn, func() { s.open.Add(-1) })
	select {
	case s.accepted <- wrapped:
	case <-s.closed:
		_ = wrapped.Close()
	}
}

// offers is the listener that http.Server sees: connections come from several others, some of them after a handshake.
type offers struct{ server *Server }

func (o offers) Accept() (net.Conn, error) {
	select {
	case conn := <-o.server.accepted:
		return conn, nil
	case <-o.server.closed:
		return nil, net.ErrClosed
	}
}

func (o offers) Close() error   { return nil }
func (o offers) Addr() net.Addr { return &net.UnixAddr{Name: "helper", Net: "unix"} }

// ServeHTTP notes activity. net/http keeps a handler's panic to its stream.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/health" && r.URL.Path != "/stats" {
		s.Touch()
		defer s.Touch()
		r.Body = activeBody{r.Body, s}
	}
	s.mux.ServeHTTP(w, r)
}

// Touch notes activity.
func (s *Server) Touch() { s.activity.Store(time.Now().UnixMilli()) }

// activeBody counts input as activity: keystrokes arrive within one long request.
type activeBody struct {
	io.ReadCloser
	server *Server
}

func (b activeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.server.Touch()
	}
	return n, err
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	problem.JSON(w, http.StatusOK, map[string]any{
		"protocol": s.options.Protocol, "version": s.options.Version, "pid": os.Getpid(), "boot_id": s.bootID,
		"started_at": s.started.UTC().Format(time.RFC3339Nano),
	})
}

func newBootID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// acceptUntil hands a listener's connections on until the context ends, which closes the listener.
func acceptUntil(ctx context.Context, listener net.Listener, take func(net.Conn)) {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for {
		conn, err := listener.Accept()
		if err == nil {
			take(conn)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of descriptors, most likely: they come back.
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
