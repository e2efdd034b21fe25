// Package tcp joins a stream of the channel to a TCP port of the pod.
package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"berth.dev/helper/internal/problem"
)

const (
	// helperPort is the helper's own: a stream to it would be a second way in, without the handshake's limits.
	helperPort = 7171
	// maxStreams bounds what is joined at once, and with it descriptors and memory. It is far below the connection's own bound: requests
	// that are answered at once need streams too.
	maxStreams = 96
	// dialTimeout is of all addresses together.
	dialTimeout = 5 * time.Second
	// bufferBytes is what one direction of one stream holds at most.
	bufferBytes = 64 << 10
)

// Forwarder answers POST /tcp/{port}. It is safe for concurrent use.
type Forwarder struct {
	hosts   []string
	quiet   time.Duration
	open    atomic.Int64
	buffers sync.Pool
}

// New returns a Forwarder that tries these addresses in their order.
func New(hosts []string) *Forwarder {
	return &Forwarder{hosts: hosts, quiet: quietAfterEnd, buffers: sync.Pool{New: func() any {
		buffer := make([]byte, bufferBytes)
		return &buffer
	}}}
}

// Hosts says where a pod's programs listen: on loopback of either kind, or on the pod's own address (BERTH_POD_IP). Where pods share
// a network, as in the embedded cluster without a sandbox, BERTH_TCP_HOSTS names what is this pod's, and nothing else is tried.
func Hosts(getenv func(string) string) []string {
	if only := getenv("BERTH_TCP_HOSTS"); only != "" {
		var hosts []string
		for host := range strings.SplitSeq(only, ",") {
			if host = strings.TrimSpace(host); host != "" {
				hosts = append(hosts, host)
			}
		}
		return hosts
	}
	hosts := []string{"127.0.0.1", "::1"}
	if own := getenv("BERTH_POD_IP"); own != "" {
		hosts = append(hosts, own)
	}
	return hosts
}

// Open is how many streams are joined now.
func (f *Forwarder) Open() int { return int(f.open.Load()) }

// Routes registers the route of PROTOCOL.md, "Ports".
func (f *Forwarder) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /tcp/{port}", f.forward)
}

func (f *Forwarder) forward(w http.ResponseWriter, r *http.Request) {
	port, err := strconv.ParseUint(r.PathValue("port"), 10, 16)
	if err != nil || port == 0 {
		problem.Write(w, http.StatusBadRequest, "bad_request", "the port is not a number between 1 and 65535")
		return
	}
	if port == helperPort {
		problem.Write(w, http.StatusForbidden, "denied", "the port is the helper's own")
		return
	}
	defer f.open.Add(-1)
	if f.open.Add(1) > maxStreams {
		problem.Write(w, http.StatusTooManyRequests, "too_many", fmt.Sprintf("%d streams to ports are open", maxStreams))
		return
	}
	connection, err := f.dial(r.Context(), port)
	if err != nil {
		problem.Write(w, http.StatusBadGateway, "refused", err.Error())
		return
	}
	w.Header().Set("content-type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
	if err := f.join(w, r, connection); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// dial connects to the first address that accepts.
func (f *Forwarder) dial(ctx context.Context, port uint64) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	failures := []error{fmt.Errorf("nothing accepts connections on port %d", port)}
	for _, host := range f.hosts {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.FormatUint(port, 10)))
		if err != nil {
			failures = append(failures, err)
			continue
		}
		return connection.(*net.TCPConn), nil
	}
	return nil, errors.Join(failures...)
}
